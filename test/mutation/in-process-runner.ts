/**
 * A test runner for Stryker: the tests of policy-tests.ts in one process, mutant after mutant, each in modules that
 * are loaded afresh, so that what a mutant leaves behind in a module (a pattern that was compiled wrongly, say) is
 * never there for the next. Nothing depends on a clock: a test that does ten times as much as without a mutant is
 * taken for one that does not end, by the count of what it runs.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { INSTRUMENTER_CONSTANTS, type MutantCoverage } from '@stryker-mutator/api/core';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import {
  determineHitLimitReached,
  DryRunStatus,
  MutantRunStatus,
  TestStatus,
  toMutantRunResult,
  type DryRunOptions,
  type DryRunResult,
  type MutantRunOptions,
  type MutantRunResult,
  type TestResult,
  type TestRunner,
} from '@stryker-mutator/api/test-runner';
import { takeTests, type CollectedTest } from './vitest-shim.ts';

const shim = new URL('vitest-shim.ts', import.meta.url).href;
const generation = /\?generation=\d+/;
/** Of what a test runs without a mutant, how much it may run with one; and what it may run in any case. */
const patience = 10;
const least = 1_000_000;
/** What any test takes, in the same measure. */
const leastCost = 2_000;

const nobody = {
  activeMutant: {
    id: 'none',
    fileName: '',
    mutatorName: '',
    replacement: '',
    location: { start: { line: 0, column: 0 }, end: { line: 0, column: 0 } },
  },
  mutantActivation: 'runtime',
  reloadEnvironment: false,
} as const;

/**
 * What instrumented code reads at every step, by Stryker's names for it (InstrumenterContext). Nothing is ever deleted
 * from it: V8 would look everything up by hashing from then on, and all tests would take several times as long.
 */
interface Context {
  activeMutant: string | undefined;
  currentTestId: string | undefined;
  mutantCoverage: MutantCoverage | undefined;
  hitCount: number | undefined;
  hitLimit: number | undefined;
  /** Points of the instrumented code that the test at hand has passed, and may pass. */
  ticks: number;
  allowance: number;
  tick(): void;
}

const context: Context = {
  activeMutant: undefined,
  currentTestId: undefined,
  mutantCoverage: undefined,
  hitCount: undefined,
  hitLimit: undefined,
  ticks: 0,
  allowance: Number.POSITIVE_INFINITY,
  tick() {
    if (++this.ticks > this.allowance) throw new Error('This test would not end.');
  },
};
// By the name that instrumented code looks for.
Object.assign(globalThis, { [INSTRUMENTER_CONSTANTS.NAMESPACE]: context });

export class InProcessRunner implements TestRunner {
  #generation = 0;
  /** Whether modules that are loaded now note which test runs what. */
  #covering = true;
  readonly #sources = new Map<string, string>();
  /** By the name of a test, how much it runs without a mutant; shared by all processes of this sandbox. */
  readonly #ticksFile = join(process.cwd(), 'ticks.json');
  #ticks: Readonly<Record<string, number>> | null = null;
  /** By the name of a test, how many mutants it has killed. */
  readonly #kills = new Map<string, number>();

  capabilities(): { reloadEnvironment: boolean } {
    return { reloadEnvironment: true };
  }

  init(): Promise<void> {
    const sandbox = pathToFileURL(join(process.cwd(), 'src')).href;
    registerHooks({
      resolve: (specifier, from, next) => {
        if (specifier === 'vitest') return { url: shim, shortCircuit: true };
        const found = next(specifier, from);
        const [loadedIn] = generation.exec(from.parentURL ?? '') ?? [];
        return loadedIn && found.url.startsWith(sandbox) ? { ...found, url: found.url + loadedIn } : found;
      },
      load: (url, asked, next) =>
        generation.test(url)
          ? { format: 'module', source: this.#source(url), shortCircuit: true }
          : next(url, asked),
    });
    return Promise.resolve();
  }

  async dryRun(options: DryRunOptions): Promise<DryRunResult> {
    this.#covering = true;
    context.activeMutant = undefined;
    const ticks: Record<string, number> = {};
    const result = await this.#run(await this.#load(), true, ticks);
    writeFileSync(this.#ticksFile, JSON.stringify(ticks));
    this.#covering = false;
    this.#sources.clear();
    if (result.status !== DryRunStatus.Complete || !context.mutantCoverage) return result;
    if (result.tests.some(({ status }) => status === TestStatus.Failed)) return result;
    const { mutantCoverage } = context;
    // A mutant that does not exist survives; or else this runner is at fault, and all that it kills is worth nothing.
    const idle = await this.mutantRun({ ...options, ...nobody, sandboxFileName: '' });
    return idle.status === MutantRunStatus.Survived
      ? { ...result, mutantCoverage }
      : { status: DryRunStatus.Error, errorMessage: `without any mutant: ${inspect(idle)}` };
  }

  async mutantRun(options: MutantRunOptions): Promise<MutantRunResult> {
    const { activeMutant, mutantActivation, hitLimit, testFilter, disableBail } = options;
    this.#covering = false;
    context.hitCount = 0;
    context.hitLimit = hitLimit;
    context.activeMutant = mutantActivation === 'static' ? activeMutant.id : undefined;
    try {
      const tests = await this.#load();
      context.activeMutant = activeMutant.id;
      const chosen = testFilter && new Set(testFilter);
      const wanted = chosen ? tests.filter(({ name }) => chosen.has(name)) : tests;
      const result = await this.#run(this.#likeliestFirst(wanted), disableBail);
      return toMutantRunResult(determineHitLimitReached(context.hitCount, hitLimit) ?? result);
    } catch (error) {
      return toMutantRunResult({ status: DryRunStatus.Error, errorMessage: String(error) });
    }
  }

  async #load(): Promise<readonly CollectedTest[]> {
    takeTests();
    context.ticks = 0;
    context.allowance = this.#covering ? Number.POSITIVE_INFINITY : least * patience;
    const entry = pathToFileURL(join(process.cwd(), 'test', 'mutation', 'policy-tests.ts')).href;
    await import(`${entry}?generation=${++this.#generation}`);
    return takeTests();
  }

  /** With `counted` every test is run, and how much each has run is put there. */
  async #run(
    tests: readonly CollectedTest[],
    toTheEnd: boolean,
    counted: Record<string, number> | null = null,
  ): Promise<DryRunResult> {
    const results: TestResult[] = [];
    for (const { name, body, declared } of tests) {
      const place = counted ? placeOf(declared) : {};
      context.currentTestId = name;
      context.ticks = 0;
      context.allowance = counted ? Number.POSITIVE_INFINITY : Math.max(least, this.#usual(name) * patience);
      const start = performance.now();
      let failure: unknown = null;
      try {
        await body();
      } catch (error) {
        failure = error;
      }
      if (context.ticks > context.allowance) {
        return { status: DryRunStatus.Timeout, reason: `'${name}' would not end` };
      }
      if (counted) counted[name] = context.ticks;
      const result = { id: name, name, timeSpentMs: Math.ceil(performance.now() - start), ...place };
      if (failure === null) results.push({ ...result, status: TestStatus.Success });
      else results.push({ ...result, status: TestStatus.Failed, failureMessage: inspect(failure) });
      if (failure !== null) this.#kills.set(name, (this.#kills.get(name) ?? 0) + 1);
      if (failure !== null && !toTheEnd) break;
    }
    context.currentTestId = undefined;
    return { status: DryRunStatus.Complete, tests: results };
  }

  /** Those first that have killed most for what they take: neighbours mostly die by the same test. */
  #likeliestFirst(tests: readonly CollectedTest[]): CollectedTest[] {
    const worth = new Map(
      tests.map(({ name }) => [name, ((this.#kills.get(name) ?? 0) + 0.1) / (this.#usual(name) + leastCost)]),
    );
    return tests.toSorted((a, b) => (worth.get(b.name) ?? 0) - (worth.get(a.name) ?? 0));
  }

  #usual(name: string): number {
    this.#ticks ??= JSON.parse(readFileSync(this.#ticksFile, 'utf8')) as Readonly<Record<string, number>>;
    return this.#ticks[name] ?? 0;
  }

  /** Without types, and with a tick at every point that Stryker watches; which test passes it is noted only at first. */
  #source(url: string): string {
    const path = fileURLToPath(url.replace(generation, ''));
    const known = this.#sources.get(path);
    if (known !== undefined) return known;
    const instrumented = stripTypeScriptTypes(readFileSync(path, 'utf8'));
    const source = this.#covering
      ? instrumented.replace(/^ {2}function cover\(\) \{/m, '$& ns.tick();')
      : instrumented.replace(/^function stryCov(\w+)\(\) \{/m, '$& return stryNS$1().tick();');
    if (source === instrumented && instrumented.includes('stryCov')) {
      throw new Error(`${path} is not instrumented in the way that is expected of this version of Stryker`);
    }
    this.#sources.set(path, source);
    return source;
  }
}

/** Where a test is declared: the first file of a stack that belongs to the tests. */
function placeOf(stack: string): Pick<TestResult, 'fileName' | 'startPosition'> {
  const [, url, line, column] = /(file:\S+)\?generation=\d+:(\d+):(\d+)/.exec(stack) ?? [];
  if (url === undefined) return {};
  const fileName = fileURLToPath(url);
  return { fileName, startPosition: { line: Number(line) - 1, column: Number(column) - 1 } };
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'in-process', InProcessRunner)];
