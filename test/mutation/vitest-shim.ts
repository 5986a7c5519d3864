/**
 * What the tests find under the name of `vitest` while mutants are run: the same `expect`, and of the rest what they
 * use. Tests are only collected here; in-process-runner.ts runs them.
 */
import { format } from 'node:util';
import * as fc from 'fast-check';
import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect';

export interface CollectedTest {
  readonly name: string;
  readonly body: () => unknown;
  /** The stack from which it was declared. */
  readonly declared: string;
}

/** What the tests may `inject`. */
const provided: Readonly<Record<string, unknown>> = { thoroughness: 0.1 };

// Every run asks the same; nobody reads the simplest example that fails.
fc.configureGlobal({ seed: 20_261_123, endOnFailure: true });

const groups: string[] = [];
let collected: CollectedTest[] = [];

/** The tests that were declared since the last call, in their order. */
export function takeTests(): readonly CollectedTest[] {
  const tests = collected;
  collected = [];
  groups.length = 0;
  return tests;
}

export function describe(name: string, body: () => void): void {
  groups.push(name);
  body();
  groups.pop();
}

export function test(name: string, body: () => unknown): void {
  collected.push({ name: [...groups, name].join(' > '), body, declared: new Error().stack ?? '' });
}

type Row = readonly unknown[];

function each(declare: (name: string, body: () => void) => void) {
  return (table: Row) =>
    (title: string, body: (...row: Row) => unknown): void => {
      for (const entry of table) {
        const row: Row = Array.isArray(entry) ? entry : [entry];
        const wanted = title.match(/%[sdifjoO]/g)?.length ?? 0;
        declare(format(title, ...row.slice(0, wanted)), () => body(...row));
      }
    };
}

test.each = each(test);
describe.each = each(describe);

export function inject(name: string): unknown {
  return provided[name];
}

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);
export const expect = (value: unknown, message?: string): Chai.Assertion => chai.expect(value, message);
