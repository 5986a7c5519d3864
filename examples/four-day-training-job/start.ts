import { mkdtempSync, rmSync } from 'node:fs';
import module from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Config } from '../../src/config/load.ts';
import type { Lockstep } from '../../src/main.ts';

const usage = `npm start: initialises a home on first use, serves, plays the four-day training job once, and goes on serving.

  npm start -- --no-example  only serve
  npm start -- --once        play and exit: 0 only if every step came out as told
  npm start -- --link        print a link that signs the first administrator in, also where they have been here before
  npm start -- --help        print this

State is in $LOCKSTEP_HOME, default ./.lockstep; its config.json, if there is one, is read.`;
const began = performance.now();
// Compiled code is kept, as bin/lockstep.js keeps it: half of a start is compiling. Hence the imports that wait.
module.enableCompileCache(join(homedir(), '.cache', 'lockstep'));
const { homeDirectory, loadConfig } = await import('../../src/config/load.ts');
const { ConfigError } = await import('../../src/config/problems.ts');
const { initialise } = await import('../../src/init.ts');
const { createLog } = await import('../../src/lib/log.ts');
const { startLockstep } = await import('../../src/main.ts');
const { Narrator } = await import('./narrator.ts');

const options = readOptions();
const narrator = new Narrator(
  (text) => process.stdout.write(text),
  process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
);

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const config = withExampleEnvironment(readConfig());
  const log = createLog(config.log.level === 'info' ? 'warn' : config.log.level);
  const { created } = await initialise(config, log);
  const lockstep = await startLockstep(config, log);
  const stopAsked = untilStopped();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  narrator.line(
    `Lockstep ${created ? 'was initialised and ' : ''}serves ${lockstep.url} (ready in ${seconds} s; state in ${config.home})`,
  );

  // Before the example, which signs in as the administrator.
  const withLink = options.link || !(await lockstep.administratorIsKnown());
  let played = true;
  if (!options['no-example'])
    played = await Promise.race([play(lockstep, config), stopAsked.then(() => false)]);
  if (!options.once) {
    await announce(lockstep, withLink);
    await stopAsked;
    narrator.line('draining …');
  }
  await lockstep.drain();
  return played ? 0 : 1;
}

async function play(lockstep: Lockstep, config: Config): Promise<boolean> {
  const temporary = mkdtempSync(join(tmpdir(), 'lockstep-example-'));
  try {
    // Only now: who merely serves does not wait for the story.
    const [{ openStage }, { playStory }] = await Promise.all([import('./stage.ts'), import('./story.ts')]);
    const stage = await openStage(lockstep, config.home, temporary, narrator);
    await playStory(stage);
    narrator.line('every step came out as told');
    return true;
  } catch (error) {
    narrator.line(`the story stopped: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function announce(lockstep: Lockstep, withLink: boolean): Promise<void> {
  narrator.title(`Lockstep serves ${lockstep.url}`);
  narrator.line(
    withLink
      ? `sign in (once, within 15 minutes): ${await lockstep.adminLink()}`
      : 'sign in: `lockstep user link admin@lockstep.local` makes a link, if you are signed in; a start with --link prints one',
  );
  if (lockstep.certificateAuthorityFile !== null) {
    narrator.line(`trust its authority:  export NODE_EXTRA_CA_CERTS=${lockstep.certificateAuthorityFile}`);
    narrator.line(`                      export REQUESTS_CA_BUNDLE=${lockstep.certificateAuthorityFile}`);
  }
  narrator.line('Ctrl-C drains and stops; running jobs go on');
}

/** The embedded defaults, plus what the example’s jobs run on: this machine’s Node.js and this clone’s libraries. */
function withExampleEnvironment(config: Config): Config {
  const modules = join(import.meta.dirname, '..', '..', 'node_modules');
  const nodeAzure = {
    path: [dirname(process.execPath), '/usr/bin', '/bin'],
    nodeModules: modules,
    variables: {},
  };
  return {
    ...config,
    local: { ...config.local, environments: { 'node-azure': nodeAzure, ...config.local.environments } },
  };
}

function readOptions() {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const help = { ...flag, short: 'h' } as const;
    const { values } = parseArgs({ options: { 'no-example': flag, once: flag, link: flag, help } });
    if (!values.help) return values;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(`\n${usage}`);
    process.exit(2);
  }
  console.log(usage);
  process.exit(0);
}

function readConfig(): Config {
  try {
    return loadConfig({ home: homeDirectory() });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`error  ${error.message}`);
    process.exit(2);
  }
}

/** Resolves on the first Ctrl-C or SIGTERM; a second one ends the process at once. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolve();
        process.once(signal, () => process.exit(130));
      });
    }
  });
}
