import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { deniedRoute } from '../../src/gateway/adapters/mlflow/denied-routes.ts';
import { findMlflowRoute } from '../../src/gateway/adapters/mlflow/surface.ts';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import { inBrowser } from './mlflow/browser.ts';
import { openMlflowScene, runPython, type MlflowScene, type Said } from './mlflow/scene.ts';
import { pythonVenv } from './python-venv.ts';
import type { InteropContext, InteropResult, InteropSuite } from './suite.ts';

/** The unmodified MLflow: its server behind a connection of kind `mlflow`, its client in front. */
export const suite: InteropSuite = {
  name: 'mlflow (tracking server and Python client)',
  async run(context): Promise<InteropResult> {
    const venv = await pythonVenv(context.cacheDirectory, 'mlflow', (line) => context.log(line));
    if (venv === null) return { passed: 0, failed: 0, skipped: 1, notes: ['skipped: MLflow cannot be had'] };
    const said: Said[] = [await everyRouteIsKnown(venv, context)];
    const home = mkdtempSync(join(tmpdir(), 'lockstep-mlflow-home-'));
    const path = [join(venv, 'bin'), '/usr/bin', '/bin'];
    const scene = await openMlflowScene(venv, { mlflow: { path, variables: {} } });
    try {
      said.push(...(await clients(scene, venv, home, context)));
      said.push(...(await largeArtifact(scene, venv, home, context)));
      said.push(await plugin(venv, context));
      said.push(...(await longRun(scene, home, context)));
      said.push(...(await inBrowser(scene)));
    } finally {
      await scene.close();
      rmSync(home, { recursive: true, force: true });
    }
    const checks = said.filter(({ check }) => check !== undefined);
    const failed = checks.filter(({ ok }) => ok !== true);
    return {
      passed: checks.length - failed.length,
      failed: failed.length,
      skipped: 0,
      notes: failed.map(({ check, error }) => `failed: ${check ?? ''}: ${error ?? ''}`),
    };
  },
};

/** A route of the server that is neither in the table nor on the list of what is denied is one that nobody thought of. */
async function everyRouteIsKnown(venv: string, context: InteropContext): Promise<Said> {
  const program = join(import.meta.dirname, 'mlflow', 'routes.py');
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-mlflow-routes-'));
  const { stdout } = await promisify(execFile)(join(venv, 'bin', 'python'), ['-W', 'ignore', program], {
    cwd: directory,
    env: { PATH: '/usr/bin:/bin', HOME: directory, MLFLOW_DISABLE_TELEMETRY: 'true' },
    maxBuffer: 16_777_216,
  });
  rmSync(directory, { recursive: true, force: true });
  const routes = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { method: string; path: string });
  const unknown = routes.filter(({ method, path }) => {
    const sample = path.replace(/<[^>]*>|\{[^}]*\}/g, 'x');
    return findMlflowRoute(method, sample) === null && deniedRoute(method, sample) === null;
  });
  const ok = routes.length > 350 && unknown.length === 0;
  const check = `each of the server's ${routes.length} routes is described or denied by name`;
  context.log(`${ok ? 'ok  ' : 'FAIL'} ${check}`);
  return { check, ok, error: unknown.map(({ method, path }) => `${method} ${path}`).join(', ') };
}

/** The unmodified client does a day's work, then others try what must be impossible. */
async function clients(
  { scene, server, scope, url, alice, bob, eve, give }: MlflowScene,
  venv: string,
  home: string,
  context: InteropContext,
): Promise<readonly Said[]> {
  const variables = {
    MLFLOW_TRACKING_URI: url,
    ALICE_TOKEN: await alice.token(),
    ALICE_ID: alice.id,
    UPSTREAM: server.origin,
    BOB_TOKEN: await bob.token(),
    EVE_TOKEN: await eve.token(),
  };
  const place = { home, caFile: scene.house.stage.caFile };
  const said = await runPython(venv, 'client.py', variables, place, context);
  const state = said.find((one) => one.state !== undefined)?.state ?? {};
  const [experiment = '', run = '', model = '', bobs = ''] = ['a', 'run', 'model_id', 'b'].map(
    (key) => state[key],
  );
  await give(bob, roleIds.machineLearningDataScientist, `${scope}/experiments/${bobs}`);
  await give(bob, roleIds.machineLearningDataScientist, `${scope}/models/bobs-model`);
  const things = {
    A_EXPERIMENT: experiment,
    A_RUN: run,
    A_MODEL: model,
    A_TRACE: state['trace'] ?? '',
    B_EXPERIMENT: bobs,
  };
  return [...said, ...(await runPython(venv, 'attacks.py', { ...variables, ...things }, place, context))];
}

/** Lockstep runs in this process, so its memory is this process's. */
async function largeArtifact(
  { scene, url, alice }: MlflowScene,
  venv: string,
  home: string,
  context: InteropContext,
): Promise<readonly Said[]> {
  const megabytes = 400;
  const before = process.memoryUsage().rss;
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 50);
  const variables = {
    MLFLOW_TRACKING_URI: url,
    ALICE_TOKEN: await alice.token(),
    MEGABYTES: String(megabytes),
  };
  const place = { home, caFile: scene.house.stage.caFile };
  const said = await runPython(venv, 'large.py', variables, place, context);
  clearInterval(watch);
  const grown = Math.round((most - before) / 1_000_000);
  const check = `and takes Lockstep less than 150 MB of memory meanwhile (it took ${grown})`;
  context.log(`${grown < 150 ? 'ok  ' : 'FAIL'} ${check}`);
  return [...said, { check, ok: grown < 150, error: `${grown} MB` }];
}

/** The plugin's own tests, from the package as it would be published. */
async function plugin(venv: string, context: InteropContext): Promise<Said> {
  const check = 'the plugin is built and installed as a package, and its tests pass';
  const folder = join(import.meta.dirname, '..', '..', 'clients', 'python', 'lockstep-mlflow');
  const install = [
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--no-deps',
    '--force-reinstall',
    folder,
  ];
  try {
    await promisify(execFile)(join(venv, 'bin', 'pip'), install, { timeout: 300_000 });
    const tests = ['-m', 'unittest', 'discover', '-s', join(folder, 'tests')];
    const env = { PATH: '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1' };
    const { stderr } = await promisify(execFile)(join(venv, 'bin', 'python'), tests, {
      timeout: 120_000,
      env,
    });
    const ok = /Ran 1[0-9] tests[^]*OK/.test(stderr);
    context.log(`${ok ? 'ok  ' : 'FAIL'} ${check}`);
    return { check, ok, error: stderr };
  } catch (error) {
    context.log(`FAIL ${check}`);
    return { check, ok: false, error: error instanceof Error ? error.message : String(error) };
  }
}

const jobSaid = z.object({
  run: z.string(),
  steps: z.number(),
  expiries: z.number(),
  version: z.string(),
  while_fresh: z.number(),
  after_expiry: z.number(),
  last: z.string(),
});
const runTold = z.object({
  run: z.object({
    info: z.object({ user_id: z.string(), status: z.string() }),
    data: z.object({
      tags: z.array(z.object({ key: z.string(), value: z.string() })),
      metrics: z.array(z.object({ key: z.string(), step: z.number() })),
    }),
  }),
});

/** A run in a job, far longer than its tokens live. */
async function longRun(
  { scene, url, alice }: MlflowScene,
  home: string,
  context: InteropContext,
): Promise<readonly Said[]> {
  const { house, account, cast, ci } = scene;
  const workspace = cast.scopes.workspace;
  const version = 'api-version=2024-10-01';
  const upload = await ci.client.send(
    'PUT',
    `${account}/azureml-blobstore/mlflow/code/job.py`,
    readFileSync(join(import.meta.dirname, 'mlflow', 'job.py')),
    { 'x-ms-blob-type': 'BlockBlob', 'x-ms-version': '2025-11-05' },
  );
  if (upload.status !== 201) throw new Error(`the code was not uploaded: ${upload.status}`);
  const put = async (path: string, properties: unknown) =>
    house.admin.change('PUT', `${workspace}${path}?${version}`, { properties }, [200, 201]);
  await put('/environments/mlflow/versions/1', { image: 'mlflow' });
  await put('/codes/mlflow-job/versions/1', {
    codeUri: `${house.url}${account}/azureml-blobstore/mlflow/code`,
  });
  const name = `mlflow-${Date.now().toString(36)}`;
  const says = join(home, 'job-said.json');
  const submitted = await ci.client.send('PUT', `${workspace}/jobs/${name}?${version}`, {
    properties: {
      jobType: 'Command',
      command: 'python -W ignore job.py 22',
      computeId: `${workspace}/computes/local`,
      environmentId: `${workspace}/environments/mlflow/versions/1`,
      codeId: `${workspace}/codes/mlflow-job/versions/1`,
      environmentVariables: {
        MLFLOW_TRACKING_URI: url,
        MLFLOW_TRACKING_AUTH: 'lockstep',
        MLFLOW_DISABLE_TELEMETRY: 'true',
        GIT_PYTHON_REFRESH: 'quiet',
        SAYS: says,
      },
      properties: { 'lockstep.tokenSeconds': '5' },
    },
  });
  if (submitted.status >= 300) throw new Error(`the job was not accepted: ${JSON.stringify(submitted.body)}`);
  let status = '';
  const ends = ['Completed', 'Failed', 'Canceled'];
  for (
    const deadline = Date.now() + 180_000;
    Date.now() < deadline && !ends.includes(status);
    await pause(300)
  ) {
    ({ status } = (
      await house.admin.get<{ properties: { status: string } }>(`${workspace}/jobs/${name}?${version}`)
    ).properties);
  }
  const log = () =>
    readFileSync(join(house.home, 'jobs', name, 'user_logs', 'std_log.txt'), 'utf8').slice(-3000);
  const said: Said[] = [];
  const check = (what: string, ok: boolean, error = '') => {
    context.log(`${ok ? 'ok  ' : 'FAIL'} ${what}`);
    said.push({ check: what, ok, error });
  };
  check(
    'a run in a job, with the unmodified client and the plugin, completes',
    status === 'Completed',
    log(),
  );
  if (status !== 'Completed') return said;
  const told = jobSaid.parse(JSON.parse(readFileSync(says, 'utf8')));
  check('it crosses at least 3 expiries of 5-second tokens', told.expiries >= 4, JSON.stringify(told));
  check(
    'and its first token was worth something, and then nothing',
    told.while_fresh === 200 && told.after_expiry === 401,
  );
  const agent = new Agent({ connect: { ca: house.ca } });
  const ask = async (token: string) => {
    const answer = await request(`${url}/api/2.0/mlflow/runs/get?run_id=${told.run}`, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${token}` },
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
  const { run } = runTold.parse(JSON.parse((await ask(await alice.token())).text));
  const tags = Object.fromEntries(run.data.tags.map(({ key, value }) => [key, value]));
  check(
    'the metrics are there to the last one',
    run.data.metrics.some(({ step }) => step === told.steps - 1),
  );
  check('the model is registered at the end', told.version === '1');
  check(
    'the run is stamped with the person on whose account the job runs, and with the job',
    run.info.user_id === 'Ada Byron' &&
      tags['mlflow.user'] === 'Ada Byron' &&
      tags['lockstep.principal'] === cast.ada &&
      /^[0-9a-f-]{36}$/.test(tags['lockstep.job'] ?? ''),
    JSON.stringify({ user: run.info.user_id, tags }),
  );
  const after = await ask(told.last);
  check(
    'its last token is worth nothing once the job has ended',
    after.status === 401 || after.status === 403,
    after.text,
  );
  await agent.close();
  return said;
}
