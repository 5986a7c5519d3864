import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { LockstepClient } from '../../examples/four-day-training-job/lockstep-client.ts';
import { heldUpMilliseconds, startWatch } from '../../src/lib/testing/processor-time.ts';
import { newGuid, type DecisionId, type PrincipalId } from '../../src/lib/ids.ts';
import { systemAttribution } from '../../src/store/changes.ts';
import { readingBlob, writingBlob, putBlob, startPuppet, until, type PuppetJob } from './puppet-job.ts';
import { rawRequest } from './raw-request.ts';
import { recordedUnder } from './recorded.ts';
import { openScene, type Scene } from './scene.ts';

/** Two jobs of one owner and one submitter: only what each job itself was given keeps them apart. */
let scene: Scene;
let victim: PuppetJob;
let attacker: PuppetJob;
const resources = [
  'https://storage.azure.com',
  'https://management.azure.com',
  'https://ml.azure.com',
  'https://graph.microsoft.com',
  'api://lockstep',
];
const archive = Buffer.alloc(48 * 1024 * 1024, 'x');
const apiVersion = 'api-version=2024-10-01';

beforeAll(async () => {
  scene = await openScene();
  const { ci, account } = scene;
  for (const name of ['first', 'second']) {
    await putBlob(ci.client, `${account}/azureml-blobstore/${name}/data.csv`, `data of the ${name} job`);
  }
  await putBlob(ci.client, `${account}/azureml-blobstore/large/archive.bin`, archive);
  victim = await startPuppet(scene.house, ci, 'first', `${account}/azureml-blobstore/first/data.csv`);
  attacker = await startPuppet(scene.house, ci, 'second', `${account}/azureml-blobstore/second/data.csv`);
  await putBlob(victim.client, `${victim.output}/model/model.json`, 'model of the first job');
});
afterAll(async () => {
  for (const job of [victim, attacker]) await job.close();
  await scene.close();
});

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A refusal of policy: 403, with one recorded decision that names one policy. */
async function expectDenied(answer: Answer, action: string): Promise<void> {
  expect(answer.status, JSON.stringify(answer.body)).toBe(403);
  const text = JSON.stringify(answer.body);
  const decisionId = /dec_[0-9a-z]{26}/.exec(text)?.[0] ?? '';
  expect(text).toContain(action);
  const { ledger } = scene.house.lockstep.foundation;
  const decided = (await recordedUnder(ledger, decisionId)).filter(({ kind }) => kind === 'request.decided');
  expect(decided).toHaveLength(1);
  expect(decided[0]).toMatchObject({ allowed: false, policyId: 'default:missing-grant' });
  expect(decided[0]?.action).toBe(action);
}

describe('the environment of a job', () => {
  test('holds its own identity and no credential of anybody else', () => {
    const names = Object.keys(attacker.environment);
    const suspicious = names.filter((name) => /TOKEN|PASSWORD|ACTIONS_|GITHUB_|SECRET/.test(name));
    expect(suspicious.sort()).toEqual(['AZURE_TOKEN_CREDENTIALS', 'MSI_SECRET']);
    expect(attacker.environment['AZURE_TOKEN_CREDENTIALS']).toMatch(/^[A-Za-z]+$/);
    const text = JSON.stringify(attacker.environment);
    expect(text).not.toMatch(/eyJ[A-Za-z0-9_-]{10,}\./);
    expect(text).not.toContain(victim.environment.IDENTITY_HEADER);
    expect(attacker.environment.IDENTITY_HEADER).not.toBe(victim.environment.IDENTITY_HEADER);
  });
});

describe('a second job on what is the first job’s', () => {
  const blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs';

  test('each reads what is its own', async () => {
    for (const job of [victim, attacker]) {
      const path = `${scene.account}/azureml-blobstore/${job.name}/data.csv`;
      expect(await job.client.send('GET', path, undefined, readingBlob)).toMatchObject({
        status: 200,
        body: `data of the ${job.name} job`,
      });
    }
  });

  test.each<[string, string, string]>([
    ['reads its data', 'GET', 'read'],
    ['asks for its data’s properties', 'HEAD', 'read'],
    ['overwrites its data', 'PUT', 'write'],
    ['deletes its data', 'DELETE', 'delete'],
  ])('%s: 403', async (_what, method, action) => {
    for (const path of [
      `${scene.account}/azureml-blobstore/first/data.csv`,
      `${victim.output}/model/model.json`,
    ]) {
      const body = method === 'PUT' ? Buffer.from('overwritten') : undefined;
      const answer = await attacker.client.send(
        method,
        path,
        body,
        method === 'PUT' ? writingBlob : readingBlob,
      );
      if (method === 'HEAD') expect(answer.status).toBe(403);
      else await expectDenied(answer, `${blobs}/${action}`);
      const present = await victim.client.send('GET', path, undefined, readingBlob);
      expect(present.body).toMatch(/of the first job$/);
    }
  });

  test('lists its outputs, or the container that both write to: 403', async () => {
    for (const prefix of ['', '&prefix=ExperimentRun/', '&prefix=ExperimentRun/dcid.first/']) {
      const path = `${scene.account}/azureml?restype=container&comp=list${prefix}`;
      const answer = await attacker.client.send('GET', path, undefined, readingBlob);
      await expectDenied(answer, `${blobs}/read`);
      expect(String(answer.body)).not.toContain('model.json');
    }
  });

  test('copies its data to its own output: 403', async () => {
    const target = `${attacker.output}/stolen`;
    const source = `${scene.house.url}${scene.account}/azureml-blobstore/first/data.csv`;
    const answer = await attacker.client.send('PUT', target, undefined, {
      ...writingBlob,
      'x-ms-copy-source': source,
      'x-ms-copy-source-authorization': `Bearer ${await attacker.token('https://storage.azure.com')}`,
    });
    expect(answer.status).not.toBe(201);
    expect(answer.status).not.toBe(202);
    expect((await attacker.client.send('GET', target, undefined, readingBlob)).status).toBe(404);
  });

  test('reads its definition or its log: 403, though its own are open to it', async () => {
    const action = 'Microsoft.MachineLearningServices/workspaces/jobs/read';
    await expectDenied(await attacker.client.send('GET', `${victim.id}?${apiVersion}`), action);
    await expectDenied(
      await attacker.client.send('GET', `/history/v1.0${victim.id.replace('/jobs/', '/runs/')}/details`),
      action,
    );
    expect((await attacker.client.send('GET', `${attacker.id}?${apiVersion}`)).status).toBe(200);
    const own = `/history/v1.0${attacker.id.replace('/jobs/', '/runs/')}/details`;
    expect((await attacker.client.send('GET', own)).status).toBe(200);
  });

  test('cancels, deletes or changes its run: 403, and it runs on', async () => {
    const workspace = 'Microsoft.MachineLearningServices/workspaces';
    const path = victim.id;
    await expectDenied(
      await attacker.client.send('POST', `${path}/cancel?${apiVersion}`, {}),
      `${workspace}/jobs/cancel/action`,
    );
    await expectDenied(
      await attacker.client.send('DELETE', `${path}?${apiVersion}`),
      `${workspace}/jobs/delete`,
    );
    await expectDenied(
      await attacker.client.send('PUT', `${path}?${apiVersion}`, { properties: { displayName: 'mine' } }),
      `${workspace}/jobs/write`,
    );
    expect(await victim.status()).toBe('Running');
  });

  test('changes its models, or a person’s: 403; adds a version to them, and changes its own', async () => {
    const workspace = victim.id.replace(/\/jobs\/.*/, '');
    const models = `${workspace}/models`;
    const modelUri = (job: PuppetJob) => `${scene.house.url}${job.output}/model`;
    const put = (job: PuppetJob, path: string, properties: object) =>
      job.client.send('PUT', `${models}/${path}?${apiVersion}`, { properties });
    const created = await put(victim, 'tides/versions/1', {
      modelUri: modelUri(victim),
      tags: { by: 'first' },
    });
    expect(created.status).toBe(201);
    for (const [path, properties] of [
      ['tides/versions/1', { modelUri: modelUri(victim), tags: { by: 'second' }, isArchived: true }],
      ['tides', { description: 'mine now', isArchived: true }],
    ] as const) {
      const answer = await put(attacker, path, properties);
      expect(answer.status, JSON.stringify(answer.body)).toBe(403);
      expect(JSON.stringify(answer.body)).toContain('AssetOfAnotherCreator');
    }
    const kept = await victim.client.send('GET', `${models}/tides/versions/1?${apiVersion}`);
    expect(kept.body).toMatchObject({ properties: { tags: { by: 'first' }, isArchived: false } });
    expect((await put(attacker, 'tides/versions/2', { modelUri: modelUri(attacker) })).status).toBe(201);
    const forged = { modelUri: modelUri(attacker), jobName: victim.name };
    expect((await put(attacker, 'tides/versions/3', forged)).status).toBe(400);
    const signed = { modelUri: modelUri(attacker), jobName: attacker.name };
    expect((await put(attacker, 'tides/versions/3', signed)).status).toBe(201);
    const again = { modelUri: modelUri(attacker), tags: { stage: 'done' } };
    expect((await put(attacker, 'tides/versions/2', again)).status).toBe(200);
    expect((await put(victim, 'tides', { description: 'of the first job' })).status).toBe(200);
  });

  test('asks at the first job’s identity endpoint with its own secret: 403', async () => {
    const address = `${victim.environment.IDENTITY_ENDPOINT}?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com`;
    const { statusCode, body } = await request(address, {
      headers: { 'x-identity-header': attacker.environment.IDENTITY_HEADER },
    });
    expect(statusCode).toBe(403);
    expect(await body.text()).not.toContain('eyJ');
  });
});

describe('the managed identity endpoint of a job', () => {
  const query = 'api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com';

  async function ask(headers: Record<string, string>): Promise<{ status: number; text: string }> {
    const { statusCode, body } = await request(`${attacker.environment.IDENTITY_ENDPOINT}?${query}`, {
      headers,
    });
    return { status: statusCode, text: await body.text() };
  }

  test('gives a token to who has the secret', async () => {
    const { status, text } = await ask({ 'x-identity-header': attacker.environment.IDENTITY_HEADER });
    expect(status).toBe(200);
    expect(text).toContain('eyJ');
  });

  test.each<[string, (secret: string) => Record<string, string>]>([
    ['without the secret', () => ({})],
    ['with a wrong secret', (secret) => ({ 'x-identity-header': `${secret.slice(0, -1)}_` })],
    ['with an empty secret', () => ({ 'x-identity-header': '' })],
    ['with the secret in the other dialect’s header', (secret) => ({ secret })],
    ['through a proxy', (secret) => ({ 'x-identity-header': secret, 'x-forwarded-for': '203.0.113.9' })],
    ['through a gateway', (secret) => ({ 'x-identity-header': secret, via: '1.1 gateway' })],
    ['from a web page', (secret) => ({ 'x-identity-header': secret, origin: 'https://evil.example' })],
  ])('refuses a request %s', async (_what, headers) => {
    const { status, text } = await ask(headers(attacker.environment.IDENTITY_HEADER));
    expect(status).toBe(403);
    expect(text).not.toContain('eyJ');
    expect(text).not.toContain(attacker.environment.IDENTITY_HEADER);
  });

  test.each(['evil.example', 'localhost', '127.0.0.1', '169.254.169.254'])(
    'refuses the foreign Host %s',
    async (host) => {
      const { hostname, port, pathname } = new URL(attacker.environment.IDENTITY_ENDPOINT);
      const socket = connect(Number(port), hostname);
      socket.write(
        `GET ${pathname}?${query} HTTP/1.1\r\nHost: ${host}\r\nX-IDENTITY-HEADER: ${attacker.environment.IDENTITY_HEADER}\r\nConnection: close\r\n\r\n`,
      );
      let text = '';
      for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
      expect(text).toMatch(/^HTTP\/1\.1 403 /);
      expect(text).not.toContain('eyJ');
    },
  );

  test('listens on loopback only', () => {
    expect(new URL(attacker.environment.IDENTITY_ENDPOINT).hostname).toBe('127.0.0.1');
  });
});

describe('a job that reaches for more', () => {
  test('submits a job: denied', async () => {
    const answer = await attacker.client.send('PUT', `${attacker.id}-child?${apiVersion}`, {
      properties: { jobType: 'Command', command: 'true', environmentId: 'node-azure', computeId: 'local' },
    });
    await expectDenied(answer, 'Microsoft.MachineLearningServices/workspaces/jobs/write');
  });

  test('gives itself a role, or its owner one: denied', async () => {
    const me = z
      .object({ appid: z.string(), oid: z.string() })
      .parse(claimsOf(await attacker.token('https://management.azure.com')));
    for (const principalId of [me.appid, me.oid]) {
      const path = `${scene.cast.scopes.fieldNotes}/providers/Microsoft.Authorization/roleAssignments/${newGuid()}?api-version=2022-04-01`;
      const roleDefinitionId =
        '/providers/Microsoft.Authorization/roleDefinitions/2a2b9908-6ea1-4ae2-8e65-a410df84e7d1';
      const answer = await attacker.client.send('PUT', path, {
        properties: { roleDefinitionId, principalId },
      });
      await expectDenied(answer, 'Microsoft.Authorization/roleAssignments/write');
    }
  });

  test('joins a group, makes a user, gives the application a secret: denied', async () => {
    const { appid } = z
      .object({ appid: z.string() })
      .parse(claimsOf(await attacker.token(resources[3] ?? '')));
    const { cast } = scene;
    await expectDenied(
      await attacker.client.send('POST', `/v1.0/groups/${cast.engineers}/members/$ref`, {
        '@odata.id': `https://graph.microsoft.com/v1.0/directoryObjects/${appid}`,
      }),
      'Lockstep.Access/groups/write',
    );
    await expectDenied(
      await attacker.client.send('POST', '/v1.0/users', {
        displayName: 'Mallory',
        userPrincipalName: 'mallory@palmer.example',
        accountEnabled: true,
        passwordProfile: { password: 'a long enough password' },
      }),
      'Lockstep.Access/users/write',
    );
    await expectDenied(
      await attacker.client.send('POST', `/v1.0/applications/${cast.ci.id}/addPassword`, {}),
      'Lockstep.Access/applications/write',
    );
  });

  test('reads the ledger’s events, everybody’s sessions, others’ rights: denied', async () => {
    await expectDenied(await attacker.client.send('GET', '/admin/v1/events'), 'Lockstep.Access/events/read');
    await expectDenied(
      await attacker.client.send('GET', '/admin/v1/sessions?all=true'),
      'Lockstep.Access/sessions/read',
    );
    await expectDenied(
      await attacker.client.send('POST', '/admin/v1/check', {
        principal: 'grace@palmer.example',
        action: 'Microsoft.Storage/storageAccounts/read',
        scope: '/',
      }),
      'Lockstep.Access/decisions/check/action',
    );
  });
});

describe('a job on what is its owner’s own', () => {
  test('sees and cuts no sign-in of its owner and no stream of another job', async () => {
    const { house, cast } = scene;
    const { foundation, identity } = house.lockstep;
    const { session } = await identity.sessions.open(systemAttribution(foundation.tenantId, 'test'), {
      principalId: cast.ada as PrincipalId,
      authenticationMethods: ['pwd'],
      sourceAddress: '203.0.113.7',
      userAgent: 'a browser',
    });
    const seen = await attacker.client.send('GET', '/admin/v1/sessions');
    expect(seen.status).toBe(200);
    expect(JSON.stringify(seen.body)).not.toContain(session.id);
    await expectDenied(
      await attacker.client.send('POST', `/admin/v1/sessions/${session.id}/cut`),
      'Lockstep.Access/sessions/cut/action',
    );
    expect(identity.sessions.find(session.id)).not.toBeNull();
  });

  test('reads the decisions and receipts that it had a part in, not those of its owner’s other jobs', async () => {
    const denied = async (job: PuppetJob) => {
      const answer = await job.client.send('GET', '/admin/v1/events');
      return /dec_[0-9a-z]{26}/.exec(JSON.stringify(answer.body))?.[0] ?? '';
    };
    const eventOf = async (decision: string) => {
      const { ledger } = scene.house.lockstep.foundation;
      const [event] = await ledger.eventsByDecision(decision as DecisionId);
      return event?.id ?? '';
    };
    const [own, other] = [await denied(attacker), await denied(victim)];
    expect((await attacker.client.send('GET', `/admin/v1/decisions/${own}`)).status).toBe(200);
    await expectDenied(
      await attacker.client.send('GET', `/admin/v1/decisions/${other}`),
      'Lockstep.Access/decisions/read',
    );
    const receipt = (id: string) => attacker.client.send('GET', `/admin/v1/events/${id}/receipt`);
    expect((await receipt(await eventOf(own))).status).toBe(200);
    await expectDenied(await receipt(await eventOf(other)), 'Lockstep.Access/events/read');
  });
});

describe('after the end of a job', () => {
  test('each of its tokens is refused at every API within a second, though unexpired', async () => {
    const { house, ci, account } = scene;
    const job = await startPuppet(house, ci, 'short', `${account}/azureml-blobstore/first/data.csv`);
    const tokens = new Map<string, string>();
    for (const resource of resources) tokens.set(resource, await job.token(resource));
    const asJob = async (resource: string, path: string) => {
      const client = new LockstepClient(house.url, house.ca, async () => tokens.get(resource) ?? '');
      const answer = await client.send('GET', path, undefined, readingBlob);
      await client.close();
      return answer;
    };
    const uses: readonly (readonly [string, string])[] = [
      ['https://storage.azure.com', `${account}/azureml-blobstore/first/data.csv`],
      ['https://management.azure.com', `${job.id}?${apiVersion}`],
      ['https://ml.azure.com', `${job.id}?${apiVersion}`],
      ['https://graph.microsoft.com', '/v1.0/me'],
      ['api://lockstep', '/admin/v1/me'],
    ];
    for (const [resource, path] of uses) expect((await asJob(resource, path)).status, path).toBe(200);
    const heldUp = heldUpMilliseconds();
    await job.release();
    const { endedAt } = await house.lockstep.foundation.store.db
      .selectFrom('jobs')
      .select('ended_at as endedAt')
      .where('name', '=', 'short')
      .executeTakeFirstOrThrow();
    for (const [resource, path] of uses) {
      const { status, body } = await asJob(resource, path);
      expect([401, 403], path).toContain(status);
      expect(JSON.stringify(body)).not.toContain('data of the first job');
      const { exp } = z.object({ exp: z.number() }).parse(claimsOf(tokens.get(resource) ?? ''));
      expect(exp * 1000).toBeGreaterThan(Date.now());
    }
    expect(Date.now() - Number(endedAt) - (heldUpMilliseconds() - heldUp)).toBeLessThan(1000);
    await expect(job.token('https://storage.azure.com')).rejects.toThrow(/ECONNREFUSED|answered 403/);
    await job.close();
  });

  test('the secret of a lease renews while the lease runs, and never again after it', async () => {
    const { house, cast } = scene;
    const { foundation, identity } = house.lockstep;
    const by = systemAttribution(foundation.tenantId, 'test');
    const jobId = newGuid() as PrincipalId;
    const job = { id: jobId, displayName: 'by-hand', sponsorId: cast.ada as PrincipalId };
    const lease = await foundation.ledger.commit(by, async (tx, record) => {
      await foundation.directory.createJobPrincipal(tx, record, job);
      const opened = await identity.leases.open(tx, record, {
        jobId,
        jobScope: `${cast.scopes.workspace.toLowerCase()}/jobs/by-hand`,
        ownerId: job.sponsorId,
        submitterId: job.sponsorId,
        chain: [
          { kind: 'user', id: job.sponsorId, name: 'Ada Byron' },
          { kind: 'job', id: jobId, name: 'by-hand' },
        ],
      });
      return opened.lease;
    });
    const secret = await identity.leases.start(by, lease.id);
    const renew = (presented: string) =>
      rawRequest(house, `/lockstep/v1/leases/${lease.id}/token`, {
        method: 'POST',
        token: presented,
        headers: ['Content-Type: application/json'],
        body: JSON.stringify({ resource: 'https://storage.azure.com' }),
      });
    expect((await renew(`${secret.slice(0, -1)}_`)).status).toBe(403);
    expect((await renew(secret)).status).toBe(200);
    await identity.leases.end(by, lease.id, 'completed');
    const { status, text } = await renew(secret);
    expect(status).toBe(403);
    expect(text).toContain('lease_ended');
    expect(text).not.toContain('eyJ');
    expect(text).not.toContain(secret);
  });
});

describe('when those in whose name a job acts are gone', () => {
  /** Reads the archive as slowly as a scan; resolves when the stream breaks with what `elapsed` tells. */
  async function streamUntilCut(
    token: string,
    path: string,
    begun: () => void,
    elapsed: () => number,
  ): Promise<number> {
    const agent = new Agent({ connect: { ca: scene.house.ca } });
    const { body, statusCode } = await request(`${scene.house.url}${path}`, {
      dispatcher: agent,
      headers: { ...readingBlob, authorization: `Bearer ${token}` },
    });
    expect(statusCode).toBe(200);
    let bytes = 0;
    try {
      for await (const chunk of body) {
        bytes += (chunk as Buffer).length;
        const hasBegun = bytes > 2_000_000;
        if (hasBegun) begun();
        // What the kernel still holds when the stream is cut is read first: not so slowly that it takes a second.
        await pause(hasBegun ? 1 : 10);
      }
    } catch {
      return elapsed();
    } finally {
      await agent.destroy();
    }
    throw new Error(`the stream was not cut: ${bytes} bytes came`);
  }

  async function watch(name: string, end: (job: PuppetJob) => Promise<unknown>): Promise<PuppetJob> {
    const { house, ci, account } = scene;
    const data = `${account}/azureml-blobstore/large/archive.bin`;
    const job = await startPuppet(house, ci, name, data);
    const token = await job.token('https://storage.azure.com');
    const begun = Promise.withResolvers<void>();
    let since = () => Infinity;
    const cut = streamUntilCut(token, data, begun.resolve, () => since());
    await Promise.race([begun.promise, cut]);
    since = startWatch();
    await end(job);
    const next = await rawRequest(house, data, { token, method: 'HEAD' });
    expect(next.status).toBe(401);
    expect(since()).toBeLessThan(1000);
    expect(await cut).toBeLessThan(1000);
    // The endpoint may hand out again what it has, which is dead; it gets nothing new.
    await expect(job.token('https://ml.azure.com')).rejects.toThrow(/answered 403|ECONNREFUSED/);
    return job;
  }

  afterEach(async () => {
    await scene.house.admin.change(
      'PATCH',
      `/v1.0/users/${scene.cast.ada}`,
      { accountEnabled: true },
      [200, 204],
    );
  });

  test('the owner is disabled: the next request is refused, the stream cut, renewal refused, and so stays', async () => {
    const { house, ci, cast } = scene;
    const user = `/v1.0/users/${cast.ada}`;
    const job = await watch('disabled-owner', () =>
      house.admin.change('PATCH', user, { accountEnabled: false }, [200, 204]),
    );
    const { status, description } = await ci.exchange(await ci.assertion());
    expect([status, description]).toEqual([400, expect.stringMatching(/AADSTS7000112/)]);
    await house.admin.change('PATCH', user, { accountEnabled: true }, [200, 204]);
    await expect(job.token('https://graph.microsoft.com')).rejects.toThrow(/answered 403|ECONNREFUSED/);
    await until(async () => /Failed|Canceled/.test(await job.status()));
    await job.close();
  });

  test('the submitting application is deleted: likewise, and its own tokens with it', async () => {
    const { house, ci, cast } = scene;
    const own = await ci.token('https://storage.azure.com');
    const job = await watch('deleted-application', () =>
      house.admin.change('DELETE', `/v1.0/applications/${cast.ci.id}`, undefined, [204]),
    );
    const path = `${scene.account}/azureml-blobstore/first/data.csv`;
    expect((await rawRequest(house, path, { token: own })).status).toBe(401);
    expect((await ci.exchange(await ci.assertion())).status).not.toBe(200);
    await until(async () => /Failed|Canceled/.test(await job.status()));
    await job.close();
  });
});

function claimsOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
}
