// A CI run, as its own process: it holds no secret of Lockstep's, only what every GitHub Actions run is given.
// Unmodified Azure clients talk to Lockstep as their authority, resource manager and storage.
// Prints one JSON line a step.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { AzureMachineLearningWorkspaces } from '@azure/arm-machinelearning';
import { ClientAssertionCredential } from '@azure/identity';
import { BlobServiceClient } from '@azure/storage-blob';

const url = setting('LOCKSTEP_URL');
const [resourceGroup, workspace] = [setting('RESOURCE_GROUP'), setting('WORKSPACE')];
const scenario = setting('SCENARIO');
const jobName = setting('JOB_NAME');

const credential = new ClientAssertionCredential(setting('TENANT_ID'), setting('CLIENT_ID'), idToken, {
  authorityHost: url,
  disableInstanceDiscovery: true,
});
const ml = new AzureMachineLearningWorkspaces(credential, setting('SUBSCRIPTION_ID'), {
  endpoint: url,
  credentialScopes: `${url}/.default`,
});

const datastore = (await ml.datastores.get(resourceGroup, workspace, 'workspaceblobstore'))
  .properties as unknown as {
  accountName: string;
  containerName: string;
};
const container = new BlobServiceClient(`${url}/${datastore.accountName}`, credential).getContainerClient(
  datastore.containerName,
);
step('signed-in', { container: datastore.containerName });

const environment = await ml.environmentVersions.createOrUpdate(resourceGroup, workspace, 'node-azure', '1', {
  properties: { image: 'node-azure', description: 'Node.js with the Azure SDK', isAnonymous: false },
});
step('environment', { id: environment.id });

const [program, command, inputs] = scenario === 'train' ? await trainingJob() : await streamingJob();

const code = await uploadCode(program);
const job = await ml.jobs.createOrUpdate(resourceGroup, workspace, jobName, {
  properties: {
    jobType: 'Command',
    displayName:
      scenario === 'train' ? 'Penguins: species from measurements' : 'Penguins: scan the survey archive',
    experimentName: 'penguins',
    computeId: `${workspaceId()}/computes/local`,
    codeId: code,
    environmentId: environment.id ?? '',
    command,
    inputs,
    outputs: { model: { jobOutputType: 'uri_folder' } },
    properties: { 'lockstep.tokenSeconds': setting('TOKEN_SECONDS'), ...inputLocations() },
    tags: { story: 'four-day-training-job' },
  },
});
step('job', { id: job.id, name: job.name, status: job.properties.status });

/** This client cannot send an input's uri and mode; it keeps what stands in the properties. */
function inputLocations(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inputs).flatMap(([name, { uri, mode }]) => [
      [`lockstep.input.${name}.uri`, uri],
      [`lockstep.input.${name}.mode`, mode],
    ]),
  );
}

type Program = 'train.ts' | 'scan.ts';
type Inputs = Record<string, { jobInputType: 'uri_file'; uri: string; mode: 'Direct' }>;

async function trainingJob(): Promise<[Program, string, Inputs]> {
  const data = readFileSync(join(import.meta.dirname, 'data', 'penguins.csv'));
  await container.getBlockBlobClient('penguins/penguins.csv').uploadData(data);
  const asset = await ml.dataVersions.createOrUpdate(resourceGroup, workspace, 'penguins', '1', {
    properties: { dataType: 'uri_file', dataUri: `${datastoreUri()}penguins/penguins.csv` },
  });
  step('data', { id: asset.id, bytes: data.length });
  return [
    'train.ts',
    `node train.ts --data \${{inputs.penguins}} --output \${{outputs.model}} --forbidden ${setting('FORBIDDEN_URL')} --seconds ${setting('TRAIN_SECONDS')} --leak`,
    { penguins: { jobInputType: 'uri_file', uri: asset.id ?? '', mode: 'Direct' } },
  ];
}

async function streamingJob(): Promise<[Program, string, Inputs]> {
  const megabytes = Number(setting('ARCHIVE_MEGABYTES'));
  const chunk = randomBytes(1024 * 1024);
  const body = Readable.from(
    (function* () {
      for (let i = 0; i < megabytes; i++) yield chunk;
    })(),
  );
  await container.getBlockBlobClient('survey/archive.bin').uploadStream(body, 8 * 1024 * 1024, 2);
  const asset = await ml.dataVersions.createOrUpdate(resourceGroup, workspace, 'survey-archive', '1', {
    properties: { dataType: 'uri_file', dataUri: `${datastoreUri()}survey/archive.bin` },
  });
  step('data', { id: asset.id, bytes: megabytes * chunk.length });
  return [
    'scan.ts',
    'node scan.ts --data ${{inputs.archive}}',
    { archive: { jobInputType: 'uri_file', uri: asset.id ?? '', mode: 'Direct' } },
  ];
}

async function uploadCode(program: Program): Promise<string> {
  const source = readFileSync(join(import.meta.dirname, 'job', program));
  const hash = createHash('sha256').update(source).digest('hex');
  await container.getBlockBlobClient(`code/${hash}/${program}`).uploadData(source);
  const version = await ml.codeVersions.createOrUpdate(
    resourceGroup,
    workspace,
    `penguins-${program.replace('.ts', '')}`,
    hash.slice(0, 12),
    {
      properties: {
        codeUri: `${url}/${datastore.accountName}/${datastore.containerName}/code/${hash}`,
        properties: { hash_sha256: hash },
      },
    },
  );
  step('code', { id: version.id });
  return version.id ?? '';
}

/** What `core.getIDToken` of a GitHub Actions step does. */
async function idToken(): Promise<string> {
  const request = new URL(setting('ACTIONS_ID_TOKEN_REQUEST_URL'));
  request.searchParams.set('audience', 'api://AzureADTokenExchange');
  const response = await fetch(request, {
    headers: { authorization: `Bearer ${setting('ACTIONS_ID_TOKEN_REQUEST_TOKEN')}` },
  });
  const { value } = (await response.json()) as { value: string };
  return value;
}

function workspaceId(): string {
  return `/subscriptions/${setting('SUBSCRIPTION_ID')}/resourceGroups/${resourceGroup}/providers/Microsoft.MachineLearningServices/workspaces/${workspace}`;
}

function datastoreUri(): string {
  return 'azureml://datastores/workspaceblobstore/paths/';
}

function step(name: string, facts: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ step: name, ...facts }));
}

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`the CI run needs ${name}`);
  return value;
}
