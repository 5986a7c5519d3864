// A job that does nothing but tell where its identity is and wait for its release (or for the end of its home):
// the test acts with what the job has.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { request } from 'undici';
import { z } from 'zod';
import { LockstepClient } from '../../examples/four-day-training-job/lockstep-client.ts';
import type { CiClient } from './ci-client.ts';
import type { House } from './house.ts';

const program = `
import { existsSync, renameSync, writeFileSync } from 'node:fs';
writeFileSync('identity.part', JSON.stringify(process.env), { mode: 0o600 });
renameSync('identity.part', 'identity.json');
while (existsSync('identity.json') && !existsSync('release')) await new Promise((resolve) => setTimeout(resolve, 25));
`;
const identitySchema = z.looseObject({
  IDENTITY_ENDPOINT: z.string(),
  IDENTITY_HEADER: z.string(),
  MSI_ENDPOINT: z.string(),
  MSI_SECRET: z.string(),
});
const jobSchema = z.object({ properties: z.looseObject({ status: z.string() }) });
const apiVersion = 'api-version=2024-10-01';

export interface PuppetJob {
  readonly name: string;
  readonly id: string;
  readonly environment: z.infer<typeof identitySchema>;
  /** URL path of the folder that is the job's own. */
  readonly output: string;
  /** The job at every API. */
  readonly client: LockstepClient;
  token(resource: string): Promise<string>;
  status(): Promise<string>;
  /** Lets the job end; resolves when it has. */
  release(): Promise<void>;
  close(): Promise<void>;
}

/** Submits the job as the CI run does, and waits until it runs. `data` is the path of a blob that the job declares. */
export async function startPuppet(
  house: House,
  ci: CiClient,
  name: string,
  data: string,
): Promise<PuppetJob> {
  const { place } = house.stage;
  const workspace = `/subscriptions/${place.subscriptionId}/resourceGroups/${place.resourceGroup}/providers/Microsoft.MachineLearningServices/workspaces/${place.workspace}`;
  const id = `${workspace}/jobs/${name}`;
  const hash = createHash('sha256').update(program).digest('hex');
  const code = `${place.storageAccount}/azureml-blobstore/code/${hash}`;
  await putBlob(ci.client, `/${code}/puppet.mjs`, program);
  const put = (path: string, properties: object) =>
    ci.client.change('PUT', `${workspace}/${path}?${apiVersion}`, { properties }, [200, 201]);
  await put('environments/node-azure/versions/1', { image: 'node-azure' });
  await put(`codes/puppet/versions/${hash.slice(0, 12)}`, { codeUri: `${house.url}/${code}` });
  await put(`jobs/${name}`, {
    jobType: 'Command',
    computeId: `${workspace}/computes/local`,
    codeId: `${workspace}/codes/puppet/versions/${hash.slice(0, 12)}`,
    environmentId: `${workspace}/environments/node-azure/versions/1`,
    command: 'node puppet.mjs ${{inputs.data}}',
    inputs: { data: { jobInputType: 'uri_file', uri: `${house.url}${data}`, mode: 'Direct' } },
  });
  const directory = join(house.home, 'jobs', name, 'code');
  const status = async () => jobSchema.parse(await house.admin.get(`${id}?${apiVersion}`)).properties.status;
  const identityFile = join(directory, 'identity.json');
  await until(async () => {
    if (existsSync(identityFile)) return true;
    const now = await status();
    if (/Failed|Canceled|Completed/.test(now)) throw new Error(`the job ${name} ended as ${now}`);
    return false;
  });
  const environment = identitySchema.parse(JSON.parse(readFileSync(identityFile, 'utf8')));
  const token = (resource: string) => identityToken(environment, resource);
  const client = new LockstepClient(house.url, house.ca, token);
  return {
    name,
    id,
    environment,
    output: `/${place.storageAccount}/azureml/ExperimentRun/dcid.${name}`,
    client,
    token,
    status,
    async release() {
      writeFileSync(join(directory, 'release'), '');
      await until(async () => /Failed|Canceled|Completed/.test(await status()));
    },
    close: () => client.close(),
  };
}

/** Writes a block blob, and throws with the answer if that is refused. */
export async function putBlob(client: LockstepClient, path: string, content: string | Buffer): Promise<void> {
  const answer = await client.send('PUT', path, Buffer.from(content), writingBlob);
  if (answer.status !== 201) throw new Error(`PUT ${path} answered ${answer.status}: ${String(answer.body)}`);
}

export const readingBlob = { 'x-ms-version': '2025-11-05' };
export const writingBlob = { ...readingBlob, 'x-ms-blob-type': 'BlockBlob' };

/** As Azure's SDKs ask, in the App Service dialect. */
async function identityToken(environment: PuppetJob['environment'], resource: string): Promise<string> {
  const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: secret } = environment;
  const address = `${endpoint}?api-version=2019-08-01&resource=${encodeURIComponent(resource)}`;
  const { statusCode, body } = await request(address, { headers: { 'x-identity-header': secret } });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`the job's identity endpoint answered ${statusCode}: ${text}`);
  return z.object({ access_token: z.string() }).parse(JSON.parse(text)).access_token;
}

export async function until(holds: () => boolean | Promise<boolean>, milliseconds = 20_000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('what was waited for did not come');
    await pause(20);
  }
}
