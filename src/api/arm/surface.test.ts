import { AzureMachineLearningWorkspaces } from '@azure/arm-machinelearning';
import { BlobServiceClient } from '@azure/storage-blob';
import { readFileSync } from 'node:fs';
import { Agent, type Dispatcher, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWatch } from '../../lib/testing/processor-time.ts';
import { by } from '../../identity/testing/identity-room.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import { normalId, storageAccountId, workspaceId } from '../../workspace/resource-ids.ts';
import { until } from '../../workspace/testing/until.ts';
import { account, given, openMlHouse, workspace, type MlHouse } from './testing/ml-house.ts';

const { resourceGroup: group, name: ws } = workspace;
let house: MlHouse;
let alice: PrincipalRecord;
let mallory: PrincipalRecord;
let ml: AzureMachineLearningWorkspaces;
let agent: Agent;

function clientOf(person: PrincipalRecord): AzureMachineLearningWorkspaces {
  return new AzureMachineLearningWorkspaces(house.credentialOf(person), workspace.subscriptionId, {
    endpoint: house.publicUrl,
    credentialScopes: `${house.publicUrl}/.default`,
    tlsOptions: { ca: readFileSync(house.caCertificatePath, 'utf8') },
    retryOptions: { maxRetries: 0 },
  });
}

function blobsOf(person: PrincipalRecord): BlobServiceClient {
  const options = {
    tlsOptions: { ca: readFileSync(house.caCertificatePath, 'utf8') },
    retryOptions: { maxTries: 1 },
  };
  return new BlobServiceClient(`${house.publicUrl}/${account}`, house.credentialOf(person), options);
}

async function fetchArm(
  path: string,
  options: {
    token?: string;
    method?: Dispatcher.HttpMethod;
    body?: unknown;
    headers?: Record<string, string>;
  } = {},
) {
  const { token, method = 'GET', body, headers = {} } = options;
  const response = await request(`${house.publicUrl}${path}`, {
    method,
    dispatcher: agent,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
}

const tokenOf = async (person: PrincipalRecord) =>
  (await house.credentialOf(person).getToken(`${house.publicUrl}/.default`)).token;

async function upload(path: string, content: string): Promise<void> {
  await blobsOf(alice)
    .getContainerClient('azureml-blobstore')
    .getBlockBlobClient(path)
    .upload(content, Buffer.byteLength(content));
}

const paths = 'azureml://datastores/workspaceblobstore/paths/';

/** The client drops the uri and mode of asset inputs; they are said in the job's properties as well. */
function inputProperties(more: Record<string, unknown>): Record<string, string> {
  const inputs = (more['inputs'] ?? {}) as Record<string, { uri?: string; mode?: string }>;
  return Object.fromEntries(
    Object.entries(inputs).flatMap(([name, { uri, mode }]) => [
      ...(uri === undefined ? [] : [[`lockstep.input.${name}.uri`, uri]]),
      ...(mode === undefined ? [] : [[`lockstep.input.${name}.mode`, mode]]),
    ]),
  ) as Record<string, string>;
}

/** What every job of these tests is made of. */
async function command(text: string, more: Record<string, unknown> = {}) {
  const environment = await ml.environmentVersions.createOrUpdate(group, ws, 'node', '1', {
    properties: { image: 'host' },
  });
  return {
    properties: {
      jobType: 'Command' as const,
      command: text,
      environmentId: environment.id ?? '',
      computeId: `${workspaceId(workspace)}/computes/local`,
      properties: inputProperties(more),
      ...more,
    },
  };
}

const finished = (name: string) =>
  until(async () => {
    const job = await ml.jobs.get(group, ws, name);
    return ['Completed', 'Failed', 'Canceled'].includes(job.properties.status ?? '') && job;
  }, `the job ${name} to end`);

async function logOf(name: string): Promise<string> {
  const reply = await fetchArm(
    `/history/v1.0${workspaceId(workspace)}/runs/${name}/logs/user_logs/std_log.txt?follow=true`,
    { token: await tokenOf(alice) },
  );
  return reply.text;
}

beforeAll(async () => {
  house = await openMlHouse({ pageSize: 2, maxRunning: 2 });
  alice = await house.room.person('Alice');
  mallory = await house.room.person('Mallory');
  await house.grant(alice, 'machineLearningDataScientist');
  await house.grant(alice, 'reader');
  await house.grant(alice, 'storageBlobDataContributor', storageAccountId(workspace, account));
  ml = clientOf(alice);
  agent = new Agent({ connect: { ca: readFileSync(house.caCertificatePath, 'utf8') } });
});

afterAll(async () => {
  await agent.close();
  await house.close();
});

describe('the resource manager, to its unmodified client', () => {
  it('shows the workspace, its datastores without credential, and its compute', async () => {
    const found = await ml.workspaces.get(group.toUpperCase(), ws.toLowerCase());
    expect(found).toMatchObject({ name: ws, id: workspaceId(workspace), provisioningState: 'Succeeded' });
    expect(found.discoveryUrl).toBe(`${house.publicUrl}/discovery`);
    const store = await ml.datastores.get(group, ws, 'workspaceblobstore');
    expect(store.properties).toMatchObject({
      datastoreType: 'AzureBlob',
      accountName: account,
      containerName: 'azureml-blobstore',
      protocol: 'https',
      isDefault: true,
      credentials: { credentialsType: 'None' },
    });
    const names: string[] = [];
    for await (const compute of ml.computeOperations.list(group, ws)) names.push(compute.name ?? '');
    expect(names).toEqual(['local']);
  });

  it('creates, reads, archives, lists and deletes assets, newest first and page by page', async () => {
    for (const version of ['1', '2', '3', '10', '4']) {
      const created = await ml.dataVersions.createOrUpdate(group, ws, 'Iris', version, {
        properties: { dataType: 'uri_file', dataUri: `${paths}iris/${version}.csv`, tags: { v: version } },
      });
      expect(created).toMatchObject({
        id: `${workspaceId(workspace)}/data/Iris/versions/${version}`,
        properties: { dataType: 'uri_file', dataUri: `${paths}iris/${version}.csv`, tags: { v: version } },
        systemData: { createdBy: 'Alice', createdByType: 'User' },
      });
    }
    const container = await ml.dataContainers.get(group, ws, 'iris');
    expect(container.properties).toMatchObject({
      dataType: 'uri_file',
      latestVersion: '4',
      nextVersion: '11',
    });
    await ml.dataVersions.createOrUpdate(group, ws, 'IRIS', '4', {
      properties: { dataType: 'uri_file', dataUri: `${paths}iris/4.csv`, isArchived: true },
    });
    const listed: string[] = [];
    for await (const version of ml.dataVersions.list(group, ws, 'iris')) listed.push(version.name ?? '');
    expect(listed).toEqual(['10', '3', '2', '1']);
    await ml.dataVersions.delete(group, ws, 'iris', '10');
    await expect(ml.dataVersions.get(group, ws, 'iris', '10')).rejects.toMatchObject({
      statusCode: 404,
      code: 'ResourceNotFound',
    });
    await ml.dataContainers.delete(group, ws, 'iris');
    await expect(ml.dataVersions.get(group, ws, 'iris', '1')).rejects.toMatchObject({ statusCode: 404 });
  });

  it('never lets a version become something else', async () => {
    const version = { properties: { dataType: 'uri_file' as const, dataUri: `${paths}fixed/a.csv` } };
    await ml.dataVersions.createOrUpdate(group, ws, 'fixed', '1', version);
    await ml.dataVersions.createOrUpdate(group, ws, 'fixed', '1', version);
    await expect(
      ml.dataVersions.createOrUpdate(group, ws, 'fixed', '1', {
        properties: { dataType: 'uri_file', dataUri: `${paths}fixed/b.csv` },
      }),
    ).rejects.toMatchObject({ statusCode: 409, code: 'ImmutablePropertyModified' });
    await expect(
      ml.datastores.createOrUpdate(group, ws, 'workspaceblobstore', {
        properties: {
          datastoreType: 'AzureBlob',
          accountName: account,
          containerName: 'azureml',
          credentials: { credentialsType: 'None' },
        },
      }),
    ).rejects.toMatchObject({ statusCode: 409 });
  });

  it('refuses data that is elsewhere, or whose path is not in normal form', async () => {
    for (const dataUri of [
      'https://evil.example/x',
      'https://labstore.blob.core.windows.net/c/x',
      'wasbs://c@labstore.blob.core.windows.net/x',
      `${paths}a/../b`,
      `${paths}a//b`,
      'azureml://datastores/nowhere/paths/x',
      `${house.publicUrl}/otherstore/c/x`,
    ]) {
      await expect(
        ml.dataVersions.createOrUpdate(group, ws, 'elsewhere', '1', {
          properties: { dataType: 'uri_file', dataUri },
        }),
      ).rejects.toMatchObject({ statusCode: 400, code: 'ValidationError' });
    }
  });

  it('tells a caller without a role just what is missing, in Azure’s words', async () => {
    const refused = await clientOf(mallory)
      .datastores.get(group, ws, 'workspaceblobstore')
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ statusCode: 403, code: 'AuthorizationFailed' });
    const { message } = refused as Error;
    expect(message).toContain(
      `The client 'Mallory' with object id '${mallory.id}' does not have authorization to perform action ` +
        `'Microsoft.MachineLearningServices/workspaces/datastores/read' over scope ` +
        `'${normalId(workspaceId(workspace))}/datastores/workspaceblobstore' or the scope is invalid. ` +
        `If access was recently granted, please refresh your credentials.`,
    );
    expect(message).toMatch(/lockstep explain dec_[0-9a-z]{26}/);
  });
});

describe('the resource manager, on the wire', () => {
  it('asks for a token with a challenge that Azure’s clients understand', async () => {
    const reply = await fetchArm(`${workspaceId(workspace)}?api-version=2022-10-01`);
    expect(reply.status).toBe(401);
    expect(reply.headers['www-authenticate']).toMatch(
      /^Bearer authorization_uri="https:\/\/localhost:\d+\/[0-9a-f-]{36}\/oauth2\/authorize"/,
    );
  });

  it('wants an api-version, whichever', async () => {
    const token = await tokenOf(alice);
    const without = await fetchArm(workspaceId(workspace), { token });
    expect(without.status).toBe(400);
    expect(JSON.parse(without.text)).toMatchObject({ error: { code: 'MissingApiVersionParameter' } });
    const roles = `${workspaceId(workspace)}/providers/Microsoft.Authorization/roleAssignments`;
    for (const [path, status] of [
      [roles, 400],
      [`${roles}?api-version=`, 400],
      [`${roles}?api-version=2022-04-01`, 200],
    ] as const) {
      expect([path, (await fetchArm(path, { token })).status]).toEqual([path, status]);
    }
    expect(
      (await fetchArm(`${workspaceId(workspace)}?api-version=2031-01-01-preview`, { token })).status,
    ).toBe(200);
  });

  it.each(['/subscriptions/x/unknown', '/providers/Contoso.Nothing/x/y', '/tenants/x'])(
    'denies %s, which nothing describes',
    async (path) => {
      const reply = await fetchArm(`${path}?api-version=1`, { token: await tokenOf(alice) });
      expect(reply.status).toBe(403);
    },
  );

  it('refuses a path that would be decided and served differently', async () => {
    const token = await tokenOf(alice);
    for (const name of ['a%2Fb', 'a%2f..', '%2e%2e', 'a%00b', 'a%5cb']) {
      const reply = await fetchArm(`${workspaceId(workspace)}/data/${name}?api-version=1`, { token });
      expect([name, reply.status]).toEqual([name, expect.not.stringMatching(/^2/)]);
      expect(reply.status).toBeGreaterThanOrEqual(400);
      expect(reply.status).toBeLessThan(500);
    }
  });

  it('names the member of a body that is wrong', async () => {
    const reply = await fetchArm(`${workspaceId(workspace)}/jobs/bad?api-version=1`, {
      token: await tokenOf(alice),
      method: 'PUT',
      body: { properties: { jobType: 'Sweep' } },
    });
    expect(reply.status).toBe(400);
    expect(reply.text).toContain('jobType');
  });

  it('tells of its addresses as one cloud or as a list of clouds, as the version of the API has it', async () => {
    const asked = async (version: string) =>
      JSON.parse((await fetchArm(`/metadata/endpoints?api-version=${version}`)).text) as unknown;
    const one = await asked('2022-09-01');
    expect(one).toMatchObject({ name: 'Lockstep', resourceManager: house.publicUrl });
    expect(await asked('2019-05-01')).toEqual([one]);
  });

  it('lists the providers that it names one by one', async () => {
    const reader = await house.room.person('Rita');
    await house.grant(reader, 'reader', `/subscriptions/${workspace.subscriptionId}`);
    const token = await tokenOf(reader);
    for (const at of ['', `/subscriptions/${workspace.subscriptionId}`]) {
      const { value } = JSON.parse((await fetchArm(`${at}/providers?api-version=1`, { token })).text) as {
        value: { id: string; namespace: string }[];
      };
      expect(value.map(({ namespace }) => namespace)).toContain('Microsoft.Authorization');
      for (const provider of value) {
        expect(JSON.parse((await fetchArm(`${provider.id}?api-version=1`, { token })).text)).toEqual(
          provider,
        );
      }
    }
  });

  it('lists to each only the subscriptions that it may read, or holds a role in', async () => {
    await house.grant(alice, 'reader', `/subscriptions/${workspace.subscriptionId}`);
    const bob = await house.room.person('Bob');
    await house.grant(bob, 'reader', normalId(workspaceId(workspace)));
    const carol = await house.room.person('Carol');
    await house.grant(carol, 'reader', '/subscriptions/another/resourcegroups/ml');
    const list = async (person: PrincipalRecord) =>
      JSON.parse((await fetchArm('/subscriptions?api-version=1', { token: await tokenOf(person) })).text) as {
        value: { subscriptionId: string }[];
      };
    expect((await list(alice)).value.map((entry) => entry.subscriptionId)).toEqual([
      workspace.subscriptionId,
    ]);
    expect((await list(bob)).value).toMatchObject([{ subscriptionId: workspace.subscriptionId }]);
    for (const stranger of [mallory, carol]) expect((await list(stranger)).value).toEqual([]);
  });
});

describe('a job', () => {
  it('reads its input and code as itself, with the chain on record, and ends with its lease', async () => {
    await upload('penguins/penguins.csv', 'a,b\n1,2\n');
    await upload(
      'code/main.mjs',
      `import { readFileSync } from 'node:fs';
      console.log(readFileSync(process.argv[2], 'utf8'), process.argv[3]);`,
    );
    const data = await ml.dataVersions.createOrUpdate(group, ws, 'penguins', '1', {
      properties: { dataType: 'uri_file', dataUri: `${paths}penguins/penguins.csv` },
    });
    const code = await ml.codeVersions.createOrUpdate(group, ws, 'main', '1', {
      properties: { codeUri: `${house.publicUrl}/${account}/azureml-blobstore/code` },
    });
    const submitted = await ml.jobs.createOrUpdate(
      group,
      ws,
      'reader-1',
      await command('node main.mjs ${{inputs.table}} ${{inputs.note}}', {
        codeId: code.id,
        inputs: {
          table: { jobInputType: 'uri_file', uri: data.id, mode: 'Download' },
          note: { jobInputType: 'literal', value: 'it\'s $(touch pwned); `x` "q"' },
        },
        displayName: 'Reads penguins',
        tags: { kind: 'test' },
      }),
    );
    expect(submitted.properties).toMatchObject({
      status: 'Queued',
      displayName: 'Reads penguins',
      jobType: 'Command',
    });
    const job = await finished('reader-1');
    const log = await logOf('reader-1');
    expect(log).toBe('a,b\n1,2\n it\'s $(touch pwned); `x` "q"\n');
    expect(job.properties).toMatchObject({ status: 'Completed', properties: { 'lockstep.exitCode': '0' } });
    expect(house.leases.list()).toEqual([]);
    const reads = house.facts.filter(
      (fact) =>
        fact.kind === 'request.decided' && fact.surface === 'blob' && fact.attribution.leaseId !== null,
    );
    expect(reads.length).toBeGreaterThanOrEqual(2);
    expect(given(reads[0], 'a read').attribution.chain.map((actor) => [actor.kind, actor.name])).toEqual([
      ['user', 'Alice'],
      ['job', 'reader-1'],
    ]);
    const renewals = house.facts.filter(
      (fact) => fact.kind === 'authentication' && fact.activity === 'token-renewal',
    );
    expect(renewals.length).toBeGreaterThan(0);
  });

  it('is refused where its submitter may not read its input', async () => {
    await house.grant(mallory, 'machineLearningDataScientist');
    const body = await command('cat ${{inputs.x}}', {
      inputs: { x: { jobInputType: 'uri_file', uri: `${paths}penguins/penguins.csv`, mode: 'Download' } },
    });
    await expect(clientOf(mallory).jobs.createOrUpdate(group, ws, 'theft', body)).rejects.toMatchObject({
      statusCode: 403,
      code: 'AuthorizationFailed',
      message: expect.stringContaining('containers/blobs/read') as string,
    });
    await expect(ml.jobs.get(group, ws, 'theft')).rejects.toMatchObject({ statusCode: 404 });
  });

  it.each([
    [{ computeId: 'gpu-cluster' }, "There is no compute 'gpu-cluster' in this workspace. It has: local."],
    [{ environmentId: 'azureml:nowhere:7' }, "There is no environment 'nowhere' of version '7'"],
    [{ codeId: 'azureml:nocode:7' }, "There is no code 'nocode' of version '7'"],
    [{ inputs: { x: { jobInputType: 'uri_file', uri: 'azureml:nodata:1' } } }, "There is no data 'nodata'"],
    [{ command: 'echo ${{inputs.y}}' }, '${{inputs.y}} names nothing'],
    [{ distribution: { distributionType: 'PyTorch' } }, 'Distributed jobs are not supported'],
    [{ environmentVariables: { LD_PRELOAD: '/tmp/x.so' } }, "'LD_PRELOAD'"],
    [{ limits: { jobLimitsType: 'Command', timeout: 'P1M' } }, 'PT1H30M'],
    [
      { inputs: { x: { jobInputType: 'uri_file', uri: `${paths}a`, mode: 'ReadWriteMount' } } },
      "the mode 'ReadWriteMount'",
    ],
  ])('is refused with a sentence that names what is wrong: %j', async (more, sentence) => {
    const body = await command('echo hello', more);
    await expect(ml.jobs.createOrUpdate(group, ws, 'wrong', body as never)).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringContaining(sentence) as string,
    });
  });

  it('is changed only in what may change, and never run twice', async () => {
    const body = await command('echo once');
    await ml.jobs.createOrUpdate(group, ws, 'once', body);
    await finished('once');
    const renamed = { properties: { ...body.properties, displayName: 'Renamed', isArchived: true } };
    expect((await ml.jobs.createOrUpdate(group, ws, 'ONCE', renamed)).properties).toMatchObject({
      displayName: 'Renamed',
      status: 'Completed',
    });
    await expect(
      ml.jobs.createOrUpdate(group, ws, 'once', {
        properties: { ...body.properties, command: 'echo twice' },
      }),
    ).rejects.toMatchObject({ statusCode: 409, code: 'JobPropertyImmutable' });
    expect(await logOf('once')).toBe('once\n');
  });

  it('streams its log while it runs, and is canceled through the client’s poller', async () => {
    await ml.jobs.createOrUpdate(group, ws, 'long', await command('echo first; sleep 60'));
    await until(
      async () => (await ml.jobs.get(group, ws, 'long')).properties.status === 'Running',
      'it to run',
    );
    const following = logOf('long');
    const started = Date.now();
    await ml.jobs.beginCancelAndWait(group, ws, 'long', { updateIntervalInMs: 50 });
    expect((await ml.jobs.get(group, ws, 'long')).properties.status).toBe('Canceled');
    expect(await following).toBe('first\n');
    expect(Date.now() - started).toBeLessThan(8_000);
  });

  it('is canceled, not lost, when that is asked while it is only just starting', async () => {
    await ml.jobs.createOrUpdate(group, ws, 'hasty', await command('sleep 60'));
    await until(
      async () => (await ml.jobs.get(group, ws, 'hasty')).properties.status !== 'Queued',
      'it to leave the queue',
    );
    await ml.jobs.beginCancelAndWait(group, ws, 'hasty', { updateIntervalInMs: 50 });
    const { properties } = await ml.jobs.get(group, ws, 'hasty');
    expect(properties).toMatchObject({ status: 'Canceled' });
    expect(properties.properties).not.toHaveProperty('lockstep.errorCode');
  });

  it('waits its turn, and is canceled at once while it waits', async () => {
    for (const name of ['busy-1', 'busy-2', 'waiting']) {
      await ml.jobs.createOrUpdate(group, ws, name, await command('sleep 60'));
    }
    await until(
      async () => (await ml.jobs.get(group, ws, 'busy-2')).properties.status === 'Running',
      'it to run',
    );
    expect((await ml.jobs.get(group, ws, 'waiting')).properties.status).toBe('Queued');
    for (const name of ['waiting', 'busy-1', 'busy-2']) {
      await ml.jobs.beginCancelAndWait(group, ws, name, { updateIntervalInMs: 50 });
    }
    expect((await ml.jobs.get(group, ws, 'waiting')).properties.status).toBe('Canceled');
    expect(await logOf('waiting')).toBe('');
  });

  it('is taken up again by a new scheduler, also one that ended meanwhile', async () => {
    await ml.jobs.createOrUpdate(group, ws, 'survivor', await command('sleep 0.4; exit 9'));
    await until(
      async () => (await ml.jobs.get(group, ws, 'survivor')).properties.status === 'Running',
      'it to run',
    );
    await house.restartScheduler();
    expect((await finished('survivor')).properties).toMatchObject({
      status: 'Failed',
      properties: { 'lockstep.exitCode': '9' },
    });
  });

  it('is stopped, with the reason, when its owner loses the right', async () => {
    const bob = await house.room.person('Bob');
    const team = await house.room.directory.createGroup(by, { displayName: 'Team' });
    await house.room.directory.addMember(by, team.id, bob.id);
    await house.grant(team, 'machineLearningDataScientist');
    await clientOf(bob).jobs.createOrUpdate(group, ws, 'bobs', await command('echo on; sleep 60'));
    await until(
      async () => (await ml.jobs.get(group, ws, 'bobs')).properties.status === 'Running',
      'it to run',
    );
    await house.room.directory.removeMember(by, team.id, bob.id);
    for (const lease of house.leases.list()) await house.leases.recheck(lease);
    const job = await finished('bobs');
    expect(job.properties).toMatchObject({
      status: 'Failed',
      properties: { 'lockstep.errorCode': 'JobIdentityEnded' },
    });
  });

  it('is deleted with what it was granted, but not while it runs', async () => {
    await ml.jobs.createOrUpdate(group, ws, 'doomed', await command('sleep 60'));
    await expect(ml.jobs.beginDeleteAndWait(group, ws, 'doomed')).rejects.toMatchObject({ statusCode: 409 });
    await ml.jobs.beginCancelAndWait(group, ws, 'doomed', { updateIntervalInMs: 50 });
    const id = given((await ml.jobs.get(group, ws, 'doomed')).properties.properties, 'properties')[
      'lockstep.principalId'
    ];
    await ml.jobs.beginDeleteAndWait(group, ws, 'doomed');
    await expect(ml.jobs.get(group, ws, 'doomed')).rejects.toMatchObject({ statusCode: 404 });
    const grants = await house.room.store.db
      .selectFrom('role_assignments')
      .selectAll()
      .where('principal_id', '=', given(id, 'the principal'))
      .execute();
    expect(grants).toEqual([]);
  });

  it('has a log link that opens just that log, for a while, to whoever holds it', async () => {
    await ml.jobs.createOrUpdate(group, ws, 'linked', await command('echo linked'));
    await finished('linked');
    const details = JSON.parse(
      (
        await fetchArm(`/history/v1.0${workspaceId(workspace)}/runs/linked/details`, {
          token: await tokenOf(alice),
        })
      ).text,
    ) as { status: string; logFiles: Record<string, string> };
    expect(details.status).toBe('Completed');
    const link = new URL(given(details.logFiles['user_logs/std_log.txt'], 'a link'));
    const path = `${link.pathname}${link.search}`;
    expect(await fetchArm(path)).toMatchObject({ status: 200, text: 'linked\n' });
    const once = given((await ml.jobs.get(group, ws, 'once')).properties.properties, 'properties')[
      'lockstep.principalId'
    ];
    const mine = link.pathname.split('/')[4] ?? '';
    for (const forged of [
      path.replace(mine, String(once)),
      path.replace('std_log.txt', 'other.txt'),
      path.replace(/se=\d+/, 'se=99999999999'),
      path.replace(/sig=..../, 'sig=AAAA'),
      `${path}&se=99999999999`,
      link.pathname,
    ]) {
      expect([forged, (await fetchArm(forged)).status]).toEqual([forged, 403]);
    }
  });
});

const identityProgram = `
import { AzureMachineLearningWorkspaces } from '@azure/arm-machinelearning';
import { DefaultAzureCredential } from '@azure/identity';
import { BlobClient, BlockBlobClient } from '@azure/storage-blob';
const [input, output, foreign] = process.argv.slice(2);
const credential = new DefaultAzureCredential();
const say = (facts) => console.log(JSON.stringify(facts));
const status = async (work) => { try { await work(); return 200; } catch (error) { return error.statusCode ?? String(error); } };
say({ read: (await new BlobClient(input, credential).downloadToBuffer()).toString() });
const put = (url) => status(() => new BlockBlobClient(url, credential, { retryOptions: { maxTries: 1 } }).uploadData(Buffer.from('m')));
say({ own: await put(output + '/model.json'), foreign: await put(foreign), overInput: await put(input) });
const ml = new AzureMachineLearningWorkspaces(credential, process.env.AZUREML_ARM_SUBSCRIPTION, {
  endpoint: process.env.LOCKSTEP_URL, credentialScopes: process.env.LOCKSTEP_URL + '/.default', retryOptions: { maxRetries: 0 } });
const where = [process.env.AZUREML_ARM_RESOURCEGROUP, process.env.AZUREML_ARM_WORKSPACE_NAME];
const model = await ml.modelVersions.createOrUpdate(...where, 'penguins', '1', {
  properties: { modelUri: output + '/model.json', modelType: 'custom_model', jobName: process.env.AZUREML_RUN_ID } });
say({ model: model.id });
say({ submit: await status(() => ml.jobs.createOrUpdate(...where, 'child', { properties: {
  jobType: 'Command', command: 'true', environmentId: 'azureml:node:1', computeId: 'local' } })) });
const { token } = await credential.getToken('https://storage.azure.com/.default');
say({ token });
`;

describe('the identity of a job', () => {
  it('does what the job declared and no more, and nothing once the job has ended', async () => {
    await upload('survey/table.csv', 'x,y');
    await upload('identity/main.mjs', identityProgram);
    const code = await ml.codeVersions.createOrUpdate(group, ws, 'identity', '1', {
      properties: { codeUri: `${paths}identity` },
    });
    const foreign = `${house.publicUrl}/${account}/azureml/ExperimentRun/dcid.reader-1/model/stolen`;
    await ml.jobs.createOrUpdate(
      group,
      ws,
      'itself',
      await command(`node main.mjs \${{inputs.table}} \${{outputs.model}} ${foreign}`, {
        codeId: code.id,
        inputs: { table: { jobInputType: 'uri_file', uri: `${paths}survey/table.csv`, mode: 'Direct' } },
        outputs: { model: { jobOutputType: 'uri_folder' } },
      }),
    );
    const job = await finished('itself');
    const log = await logOf('itself');
    expect([log, job.properties.status]).toEqual([log, 'Completed']);
    const said = Object.assign(
      {},
      ...log
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ) as Record<string, unknown>;
    expect(said).toMatchObject({
      read: 'x,y',
      own: 200,
      foreign: 403,
      overInput: 403,
      model: `${workspaceId(workspace)}/models/penguins/versions/1`,
      submit: 403,
    });
    const model = await ml.modelVersions.get(group, ws, 'penguins', '1');
    expect(model).toMatchObject({
      systemData: { createdBy: 'itself', createdByType: 'ManagedIdentity' },
      properties: { jobName: 'itself' },
    });
    const after = await request(`${house.publicUrl}/${account}/azureml-blobstore/survey/table.csv`, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${String(said['token'])}`, 'x-ms-version': '2024-11-04' },
    });
    expect(after.statusCode).toBe(401);
    await after.body.dump();
  });

  it('ends, and the job is reported lost, when the process beside the job is killed', async () => {
    await ml.jobs.createOrUpdate(group, ws, 'orphan', await command('sleep 60'));
    await until(
      async () => (await ml.jobs.get(group, ws, 'orphan')).properties.status === 'Running',
      'it to run',
    );
    const row = await house.room.store.db
      .selectFrom('jobs')
      .selectAll()
      .where('name', '=', 'orphan')
      .executeTakeFirstOrThrow();
    const sinceKilled = startWatch();
    process.kill(given(row.pid, 'a pid'), 'SIGKILL');
    const job = await finished('orphan');
    expect(sinceKilled()).toBeLessThan(1_000);
    expect(job.properties).toMatchObject({
      status: 'Failed',
      properties: { 'lockstep.errorCode': 'JobLost' },
    });
    expect(house.leases.list()).toEqual([]);
  });
});

describe('the endpoint of a lease', () => {
  it('gives nothing to a wrong secret, a foreign lease or a lease that has ended', async () => {
    await ml.jobs.createOrUpdate(group, ws, 'target', await command('sleep 60'));
    await until(
      async () => (await ml.jobs.get(group, ws, 'target')).properties.status === 'Running',
      'it to run',
    );
    const lease = given(house.leases.list()[0], 'a lease');
    const ask = (secret: string, id: string = lease.id, resource = 'https://storage.azure.com') =>
      fetchArm(`/lockstep/v1/leases/${id}/token`, {
        method: 'POST',
        token: secret,
        body: { resource },
      });
    for (const reply of [
      await ask('x'.repeat(43)),
      await ask('x'.repeat(43), 'lea_00000000000000000000000000'),
      await ask('x'.repeat(43), lease.id, 'jane.doe@example.org'),
      await fetchArm(`/lockstep/v1/leases/${lease.id}/exit`, {
        method: 'POST',
        token: 'y'.repeat(43),
        body: {},
      }),
      await fetchArm(`/lockstep/v1/leases/${lease.id}/token`, {
        method: 'POST',
        body: { resource: 'https://x' },
      }),
    ]) {
      expect(reply.status).toBe(403);
      expect(reply.text).not.toContain('access_token');
    }
    expect((await ml.jobs.get(group, ws, 'target')).properties.status).toBe('Running');
    await ml.jobs.beginCancelAndWait(group, ws, 'target', { updateIntervalInMs: 50 });
    const refusals = house.facts.filter(
      (fact) => fact.kind === 'authentication' && fact.activity === 'token-renewal' && !fact.succeeded,
    );
    expect(refusals.length).toBeGreaterThanOrEqual(2);
    // What a stranger asks for is typed text: in the detail, which can be erased.
    expect(refusals.some((fact) => JSON.stringify(fact).includes('jane.doe'))).toBe(true);
    for (const refusal of refusals)
      expect(JSON.stringify({ ...refusal, detail: {} })).not.toMatch(/jane|storage\.azure/);
  });
});
