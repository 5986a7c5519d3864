import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { lockstep } from '../../examples/four-day-training-job/processes.ts';
import { openScene, type Scene } from '../e2e/scene.ts';
import { pythonVenv } from './python-venv.ts';
import type { InteropContext, InteropResult, InteropSuite } from './suite.ts';

const programs = join(import.meta.dirname, 'python');
const apiVersion = 'api-version=2024-10-01';
const writing = { 'x-ms-blob-type': 'BlockBlob', 'x-ms-version': '2025-11-05' };

interface Tally {
  passed: number;
  failed: number;
  readonly notes: string[];
}

/** Unmodified Azure clients for Python, outside a job and inside one. */
export const suite: InteropSuite = {
  name: 'python (azure-identity, msal, azure-storage-blob, azure-mgmt-authorization, requests)',
  async run(context): Promise<InteropResult> {
    const venv = await pythonVenv(context.cacheDirectory, 'python', (line) => context.log(line));
    if (venv === null)
      return { passed: 0, failed: 0, skipped: 1, notes: ['skipped: no Python with its clients'] };
    const environment = { path: [join(venv, 'bin'), '/usr/bin', '/bin'], variables: {} };
    const scene = await openScene({ python: environment });
    const tally: Tally = { passed: 0, failed: 0, notes: [] };
    try {
      await clients(scene, venv, context, tally);
      await job(scene, context, tally);
    } finally {
      await scene.close();
    }
    return { ...tally, skipped: 0 };
  },
};

async function clients(scene: Scene, venv: string, context: InteropContext, tally: Tally): Promise<void> {
  const { house, cast, issuer } = scene;
  const { place } = house.stage;
  const { secretText } = await house.admin.change<{ secretText: string }>(
    'POST',
    `/v1.0/applications/${cast.ci.id}/addPassword`,
    { passwordCredential: { displayName: 'interop' } },
    [200],
  );
  const reader = {
    roleDefinitionId:
      '/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7',
    principalId: cast.ci.id,
    principalType: 'ServicePrincipal',
  };
  const assignment = `${cast.scopes.workspace}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`;
  await house.admin.change('PUT', `${assignment}?api-version=2022-04-01`, { properties: reader }, [201]);
  const run = issuer.runs['production'];
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-python-'));
  const certificate = join(directory, 'certificate.pem');
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=interop'];
  await promisify(execFile)('openssl', [
    ...made,
    '-keyout',
    certificate,
    '-out',
    join(directory, 'public.pem'),
  ]);
  const registered = await lockstep(
    ['app', 'add-certificate', cast.ci.appId, join(directory, 'public.pem')],
    house.stage.cli,
  );
  if (registered.exitCode !== 0) throw new Error(`the certificate was not registered: ${registered.stderr}`);
  appendFileSync(certificate, readFileSync(join(directory, 'public.pem')));
  const child = spawn(join(venv, 'bin', 'python'), [join(programs, 'clients.py')], {
    cwd: directory,
    env: {
      PATH: '/usr/bin:/bin',
      HOME: directory,
      REQUESTS_CA_BUNDLE: house.stage.caFile,
      LOCKSTEP_URL: house.url,
      TENANT_ID: place.tenantId,
      SUBSCRIPTION_ID: place.subscriptionId,
      WORKSPACE_ID: cast.scopes.workspace,
      STORAGE_ACCOUNT: place.storageAccount,
      CONTAINER: 'azureml-blobstore',
      CLIENT_ID: cast.ci.appId,
      PRINCIPAL_ID: cast.ci.id,
      CLIENT_SECRET: secretText,
      CERTIFICATE_FILE: certificate,
      ID_TOKEN_URL: run?.requestUrl ?? '',
      ID_TOKEN_SECRET: run?.requestToken ?? '',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const result = JSON.parse(line) as { check: string; ok: boolean; error?: string };
    context.log(`${result.ok ? 'ok  ' : 'FAIL'} ${result.check}`);
    if (result.ok) tally.passed += 1;
    else {
      tally.failed += 1;
      tally.notes.push(`failed: ${result.check}: ${result.error ?? ''}`);
    }
  }
  rmSync(directory, { recursive: true, force: true });
}

/** `DefaultAzureCredential()` in a Python job crosses several expiries, and its token dies with the job. */
async function job(scene: Scene, context: InteropContext, tally: Tally): Promise<void> {
  const { house, account, cast } = scene;
  const { admin } = house;
  const workspace = cast.scopes.workspace;
  const put = async (path: string, properties: unknown) =>
    admin.change('PUT', `${workspace}${path}?${apiVersion}`, { properties }, [200, 201]);
  const upload = async (name: string, bytes: Buffer) => {
    const { status } = await scene.ci.client.send(
      'PUT',
      `${account}/azureml-blobstore/${name}`,
      bytes,
      writing,
    );
    if (status !== 201) throw new Error(`${name} was not uploaded: ${status}`);
  };
  await upload('python/penguins.csv', Buffer.from('species,island\nAdelie,Torgersen\n'));
  await upload('python/code/job.py', readFileSync(join(programs, 'job.py')));
  await put('/environments/python/versions/1', { image: 'python' });
  await put('/codes/python-job/versions/1', {
    codeUri: `${house.url}${account}/azureml-blobstore/python/code`,
  });
  const name = `python-${Date.now().toString(36)}`;
  const submitted = await scene.ci.client.send('PUT', `${workspace}/jobs/${name}?${apiVersion}`, {
    properties: {
      jobType: 'Command',
      command: 'python job.py ${{inputs.data}} ${{outputs.result}} 20',
      computeId: `${workspace}/computes/local`,
      environmentId: `${workspace}/environments/python/versions/1`,
      codeId: `${workspace}/codes/python-job/versions/1`,
      inputs: {
        data: {
          jobInputType: 'uri_file',
          uri: 'azureml://datastores/workspaceblobstore/paths/python/penguins.csv',
          mode: 'Direct',
        },
      },
      outputs: { result: { jobOutputType: 'uri_folder' } },
      properties: { 'lockstep.tokenSeconds': '5' },
    },
  });
  if (submitted.status >= 300) throw new Error(`the job was not accepted: ${JSON.stringify(submitted.body)}`);
  const deadline = Date.now() + 90_000;
  let status = '';
  while (Date.now() < deadline && !['Completed', 'Failed', 'Canceled'].includes(status)) {
    await pause(200);
    ({ status } = (
      await admin.get<{ properties: { status: string } }>(`${workspace}/jobs/${name}?${apiVersion}`)
    ).properties);
  }
  const log = readFileSync(join(house.home, 'jobs', name, 'user_logs', 'std_log.txt'), 'utf8');
  const said = /^\{.*\}$/m.exec(log)?.[0];
  const {
    expiries,
    managed,
    by_hand: byHand,
  } = JSON.parse(said ?? '{}') as { expiries?: number; managed?: boolean; by_hand?: string };
  const expectThat = (what: string, holds: boolean) => {
    context.log(`${holds ? 'ok  ' : 'FAIL'} ${what}`);
    if (holds) tally.passed += 1;
    else {
      tally.failed += 1;
      tally.notes.push(`failed: ${what}; the job said:\n${log}`);
    }
  };
  expectThat('a Python job with DefaultAzureCredential completes', status === 'Completed');
  expectThat('it crosses at least 3 expiries of 5-second tokens', (expiries ?? 0) >= 4);
  expectThat('ManagedIdentityCredential answers too', managed === true);
  expectThat('so does Azure ML’s own dialect, asked by hand', byHand === 'Bearer');
}
