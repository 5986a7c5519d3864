import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { knownAtHub } from './jupyterhub/known.ts';
import { openHubLaboratory, type HubLaboratory } from './jupyterhub/laboratory.ts';
import {
  leaves,
  programs,
  settlesIn,
  startsByProgram,
  staysAtWork,
  stopsAndStarts,
  theft,
  visits,
} from './jupyterhub/people.ts';
import { statements, strangers } from './jupyterhub/strangers.ts';
import type { Expect } from './jupyter/known.ts';
import { personBrowser, type PersonBrowser } from './person-browser.ts';
import { pythonVenv } from './python-venv.ts';
import type { InteropContext, InteropResult, InteropSuite } from './suite.ts';

const run = promisify(execFile);

/** An unmodified JupyterHub with the proxy and servers that it starts, in a browser and for those who have no business there. */
export const suite: InteropSuite = {
  name: 'hub (jupyterhub, configurable-http-proxy)',
  async run(context): Promise<InteropResult> {
    const venv = await pythonVenv(context.cacheDirectory, 'jupyterhub', (line) => context.log(line));
    const proxyProgram = await hubProxy(context);
    if (venv === null || proxyProgram === null) {
      const notes = ['skipped: no Python with jupyterhub, or no proxy for it'];
      return { passed: 0, failed: 0, skipped: 1, notes };
    }
    const tally = { passed: 0, failed: 0, skipped: 0, notes: [] as string[] };
    const expectThat: Expect = (what, holds, shown) => {
      context.log(`${holds ? 'ok  ' : 'FAIL'} ${what}`);
      if (holds) tally.passed += 1;
      else {
        tally.failed += 1;
        tally.notes.push(
          `failed: ${what}${shown === undefined ? '' : `: ${JSON.stringify(shown).slice(0, 2000)}`}`,
        );
      }
    };
    await knownAtHub(venv, expectThat);
    const laboratory = await openHubLaboratory(venv, proxyProgram);
    try {
      await day(laboratory, expectThat);
    } finally {
      await laboratory.close();
    }
    return tally;
  },
};

async function day(lab: HubLaboratory, expectThat: Expect): Promise<void> {
  const browserOf = (name: string) =>
    personBrowser({ port: lab.port, ca: lab.ca, host: 'hub.localhost' }, { name, password: lab.password });
  const alices = await browserOf('alice@lab.example');
  const olgas = await browserOf('olga@lab.example');
  try {
    const { token, kernel } = await settlesIn(lab, alices, expectThat);
    await staysAtWork(lab, alices, kernel, expectThat);
    await programs(lab, expectThat);
    await startsByProgram(lab, expectThat);
    await strangers(lab, token, expectThat);
    await statements(lab, expectThat);
    await theft(lab, alices, expectThat);
    await visits(lab, olgas, expectThat);
    await stopsAndStarts(lab, alices, expectThat);
    await leaves(lab, alices, expectThat);
    const events = await lab.events();
    expectThat('no token of the hub’s is in the log', !events.includes(token));
    expectThat('which tells whose server was used', events.includes(`/own/${lab.alice.id}`));
    const [leaked] = /[^]{0,1500}eyJ[\w-]{20}/.exec(lab.hub.log()) ?? [];
    expectThat('nor is one of Lockstep’s in that of the hub', leaked === undefined, leaked);
  } catch (error) {
    expectThat('the suite comes to its end', false, told(error, lab, [alices, olgas]));
  } finally {
    await alices.close();
    await olgas.close();
  }
}

function told(error: unknown, lab: HubLaboratory, browsers: readonly PersonBrowser[]): string {
  const pages = browsers.map(({ page, troubles }) => `${page.url()} ${troubles.join()}`);
  return `${String(error)}\n${pages.join('\n')}\n${lab.hub.log().slice(-3000)}`;
}

/** The program of configurable-http-proxy, installed once; null where it cannot be had. */
async function hubProxy(context: InteropContext): Promise<string | null> {
  const name = 'configurable-http-proxy';
  const directory = join(context.cacheDirectory, name);
  const program = join(directory, 'node_modules', name, 'bin', name);
  if (existsSync(program)) return program;
  mkdirSync(directory, { recursive: true });
  try {
    const quietly = ['--ignore-scripts', '--silent', '--no-audit', '--no-fund'];
    await run('npm', ['install', '--prefix', directory, ...quietly, `${name}@5.3.0`]);
    return program;
  } catch (error) {
    context.log(`the proxy cannot be installed: ${String(error)}`);
    return null;
  }
}
