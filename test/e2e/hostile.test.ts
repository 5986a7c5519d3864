import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { run } from '../../examples/four-day-training-job/processes.ts';
import { CredentialsFile } from '../../src/cli/connection/credentials.ts';
import { TokenIssuer } from '../../src/identity/tokens/issue.ts';
import { newGuid, type PrincipalId, type TenantId } from '../../src/lib/ids.ts';
import { putBlob, readingBlob, startPuppet, until, writingBlob, type PuppetJob } from './puppet-job.ts';
import { rawRequest, type RawRequest } from './raw-request.ts';
import { recordedSince } from './recorded.ts';
import { openScene, type Scene } from './scene.ts';

let scene: Scene;
let job: PuppetJob;

const arm = 'https://management.azure.com';
const storage = 'https://storage.azure.com';
const graph = 'https://graph.microsoft.com';
const secretText = 'Nest positions, not for publication.';
const closedText = 'CLOSED to this job.';
const apiVersion = 'api-version=2024-10-01';
const anyToken = /eyJ[A-Za-z0-9_-]{10,}\./;

beforeAll(async () => {
  scene = await openScene();
  const { house, ci, account } = scene;
  await putBlob(ci.client, `${account}/azureml-blobstore/open/data.csv`, 'open to this job');
  await putBlob(ci.client, `${account}/azureml-blobstore/closed/data.csv`, closedText);
  await putBlob(ci.client, `${account}/azureml-blobstore/open-not/data.csv`, closedText);
  job = await startPuppet(house, ci, 'walker', `${account}/azureml-blobstore/open/data.csv`);
});
afterAll(async () => {
  await job.release();
  await job.close();
  await scene.close();
});

const since = () => scene.house.lockstep.foundation.ledger.lastSequence();
const recorded = (sequence: number) => recordedSince(scene.house.lockstep.foundation.ledger, sequence);

describe('the token of a CI run', () => {
  test('is exchanged once: the second time it is refused as replayed, and a fresh one passes', async () => {
    const { ci } = scene;
    const before = since();
    const assertion = await ci.assertion();
    expect((await ci.exchange(assertion)).status).toBe(200);
    const again = await ci.exchange(assertion);
    expect(again).toMatchObject({ status: 401, token: '', error: 'invalid_client' });
    expect(again.description).toMatch(/^AADSTS5000819: /);
    expect((await ci.exchange(assertion, storage)).status).toBe(401);
    expect((await ci.exchange(await ci.assertion())).status).toBe(200);
    const outcomes = (await recorded(before)).filter(({ activity }) => activity === 'token-issue');
    expect(outcomes.map(({ failureCode }) => failureCode)).toEqual([
      null,
      'assertion_replayed',
      'assertion_replayed',
      null,
    ]);
  });

  test('presented ten times at once, is exchanged once', async () => {
    const assertion = await scene.ci.assertion();
    const answers = await Promise.all(Array.from({ length: 10 }, () => scene.ci.exchange(assertion)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(9);
  });

  test('of another environment is refused, with what was expected beside what came', async () => {
    const assertion = await scene.ci.assertion('staging');
    const { status, description } = await scene.ci.exchange(assertion);
    expect(status).toBe(401);
    expect(description).toMatch(/^AADSTS700213: /);
    expect(description).toContain("environment: expected 'production', presented 'staging'");
    expect(description).not.toMatch(/repository_id: expected/);
    expect(description).not.toContain(assertion.split('.')[2]);
    expect(description).not.toMatch(anyToken);
  });

  test('of a fork is refused, claim by claim', async () => {
    const { status, description } = await scene.ci.exchange(await scene.ci.assertion('fork'));
    expect(status).toBe(401);
    expect(description).toContain("repository_id: expected '4242', presented '666'");
    expect(description).toContain("repository_owner_id: expected '4200', presented '667'");
    expect(description).toContain("environment: expected 'production', presented nothing");
    expect(description).toContain("ref: expected 'refs/heads/main', presented nothing");
  });

  test('for another audience is refused', async () => {
    const { status, description } = await scene.ci.exchange(
      await scene.ci.assertion('production', 'https://github.com/palmer'),
    );
    expect(status).toBe(401);
    expect(description).toMatch(/^AADSTS700212: /);
    expect(description).toContain(
      "aud: expected 'api://AzureADTokenExchange', presented 'https://github.com/palmer'",
    );
  });

  test('signed by another key under the same key id is refused, and tells nothing of what would fit', async () => {
    const genuine = await scene.ci.assertion('staging');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { kid = '' } = decodeProtectedHeader(genuine);
    for (const environment of ['production', 'staging']) {
      const forged = await new SignJWT({ ...decodeJwt(genuine), environment, jti: newGuid() })
        .setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' })
        .sign(privateKey);
      const { status, description } = await scene.ci.exchange(forged);
      expect(status).toBe(401);
      expect(description).not.toContain('expected');
      expect(description).not.toMatch(anyToken);
    }
  });

  test('of another environment stops the unmodified client, which shows why', async () => {
    const { house, issuer, cast } = scene;
    const { requestUrl = '', requestToken = '' } = issuer.runs['staging'] ?? {};
    const { place } = house.stage;
    const finished = await run(
      join(import.meta.dirname, '..', '..', 'examples', 'four-day-training-job', 'ci-run.ts'),
      [],
      {
        NODE_EXTRA_CA_CERTS: house.stage.caFile,
        ACTIONS_ID_TOKEN_REQUEST_URL: requestUrl,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
        LOCKSTEP_URL: house.url,
        TENANT_ID: place.tenantId,
        CLIENT_ID: cast.ci.appId,
        SUBSCRIPTION_ID: place.subscriptionId,
        RESOURCE_GROUP: place.resourceGroup,
        WORKSPACE: place.workspace,
        SCENARIO: 'train',
        JOB_NAME: 'never',
      },
    );
    expect(finished.exitCode).not.toBe(0);
    expect(finished.stdout).toBe('');
    expect(finished.stderr).toContain("environment: expected 'production', presented 'staging'");
    expect(finished.stderr).not.toMatch(anyToken);
  });

  test('never stands in the ledger', async () => {
    for (const { text } of await recorded(0)) expect(text).not.toMatch(anyToken);
  });
});

describe('a forged identity header', () => {
  const administrator = () =>
    scene.house.lockstep.foundation.directory.userBySignInName('admin@lockstep.local');

  test.each([
    'x-ms-client-principal',
    'x-ms-client-principal-id',
    'x-ms-client-principal-name',
    'x-forwarded-user',
    'x-forwarded-email',
    'x-forwarded-access-token',
    'x-remote-user',
    'remote_user',
    'x-lockstep-principal',
    'x-lockstep-assertion',
    'x-lockstep-chain',
    'x_lockstep_principal',
    'x_ms_client_principal',
    'x_forwarded_user',
    'x-ms-oid',
    'x-original-url',
    'x-http-method-override',
  ])('%s changes nothing at any API, signed in or not', async (name) => {
    const admin = await administrator();
    const principal = Buffer.from(
      JSON.stringify({ auth_typ: 'aad', claims: [{ typ: 'oid', val: admin?.id }], oid: admin?.id }),
    ).toString('base64');
    const values = [admin?.id ?? '', admin?.signInName ?? '', principal, 'DELETE', '/admin/v1/events'];
    const { house, ci, account, cast } = scene;
    const uses: readonly (readonly [string, string | undefined, number])[] = [
      [`${account}/field-notes/nests/positions.csv`, undefined, 401],
      [`${account}/field-notes/nests/positions.csv`, await ci.token(storage), 403],
      [`${cast.scopes.workspace}?${apiVersion}`, undefined, 401],
      [
        `${cast.scopes.fieldNotes}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01`,
        await ci.token(arm),
        403,
      ],
      ['/admin/v1/events', undefined, 401],
      ['/admin/v1/events', await ci.token('api://lockstep'), 403],
      ['/v1.0/users', await ci.token(graph), 403],
    ];
    for (const [path, token, status] of uses) {
      for (const value of values) {
        const sent = { headers: [`${name}: ${value}`], ...(token === undefined ? {} : { token }) };
        const answer = await rawRequest(house, path, sent);
        // Blob takes no `x-ms-` header that it does not know.
        const strict = path.startsWith(account) && answer.text.includes('UnsupportedHeader');
        expect(`${path} ${answer.status}`).toBe(`${path} ${strict ? 400 : status}`);
        expect(answer.text).not.toContain(secretText);
      }
    }
  });

  test('is not who /admin/v1/me answers for', async () => {
    const admin = await administrator();
    const { house, ci, cast } = scene;
    const token = await ci.token('api://lockstep');
    const headers = [
      'x-ms-client-principal-id',
      'x-forwarded-user',
      'x-lockstep-principal',
      'x_lockstep_chain',
    ];
    const { status, text } = await rawRequest(house, '/admin/v1/me', {
      token,
      headers: headers.map((name) => `${name}: ${admin?.id ?? ''}`),
    });
    expect(status).toBe(200);
    expect(text).toContain(cast.ci.id);
    expect(text).not.toContain(admin?.id);
  });

  test('a second Authorization header is refused, whoever it names', async () => {
    const { house, ci } = scene;
    const token = await ci.token('api://lockstep');
    const better = await house.stage.token('api://lockstep');
    for (const [first, second] of [
      [token, better],
      [better, token],
    ] as const) {
      const headers = [`Authorization: Bearer ${second}`];
      expect((await rawRequest(house, '/admin/v1/events', { token: first, headers })).status).toBe(400);
    }
  });
});

/** From the folder `open` of the job, or from anywhere, to what it was not given. */
const tricks: readonly string[] = [
  '/field-notes/nests/positions.csv',
  '/azureml-blobstore/closed/data.csv',
  '/azureml-blobstore/open-not/data.csv',
  '/azureml-blobstore/open/../closed/data.csv',
  '/azureml-blobstore/open/..%2fclosed/data.csv',
  '/azureml-blobstore/open/..%2Fclosed%2Fdata.csv',
  '/azureml-blobstore/open/%2e%2e/closed/data.csv',
  '/azureml-blobstore/open/%2e%2e%2fclosed%2fdata.csv',
  '/azureml-blobstore/open/.%2e/closed/data.csv',
  '/azureml-blobstore/open/%252e%252e/closed/data.csv',
  '/azureml-blobstore/open/..%252fclosed%252fdata.csv',
  '/azureml-blobstore/open/..;/closed/data.csv',
  '/azureml-blobstore/open;/../closed/data.csv',
  '/azureml-blobstore/open/..\\closed\\data.csv',
  '/azureml-blobstore/open/..%5cclosed%5cdata.csv',
  '/azureml-blobstore/open/%c0%ae%c0%ae/closed/data.csv',
  '/azureml-blobstore/open/data.csv/../../closed/data.csv',
  '/azureml-blobstore//closed/data.csv',
  '/azureml-blobstore/./closed/data.csv',
  '/azureml-blobstore/CLOSED/data.csv',
  '/azureml-blobstore/Open/../closed/data.csv',
  '/AZUREML-BLOBSTORE/closed/data.csv',
  '/azureml-blobstore/closed%00/data.csv',
  '/azureml-blobstore/closed/data.csv%00/open/data.csv',
  '/azureml-blobstore/open/data.csv%00',
  '/azureml-blobstore/closed/data.csv.',
  '/azureml-blobstore/closed./data.csv',
  '/azureml-blobstore/closed/data.csv%20',
  '/azureml-blobstore/closed/data.csv/',
  '/azureml-blobstore/open/../../field-notes/nests/positions.csv',
  '/azureml-blobstore/..%2ffield-notes/nests/positions.csv',
  '/azureml-blobstore/%2e%2e/field-notes/nests/positions.csv',
  '/azureml-blobstore%2f..%2ffield-notes/nests/positions.csv',
  '/azureml-blobstore;/../field-notes/nests/positions.csv',
  '/field-notes%2fnests/positions.csv',
  '/field-notes%2fnests%2fpositions.csv',
  '/Field-Notes/nests/positions.csv',
  '/FIELD-NOTES/nests/positions.csv',
  '/%66ield-notes/nests/positions.csv',
  '/field-notes./nests/positions.csv',
  '/field-notes;x=1/nests/positions.csv',
  '//field-notes/nests/positions.csv',
  '/./field-notes/nests/positions.csv',
  '/field-notes/nests/positions.csv#/azureml-blobstore/open/data.csv',
  '/field-notes/nests/positions.csv?snapshot=2026-01-01T00:00:00.0000000Z',
  '/field-notes/nests/positions.csv?comp=metadata',
  '/field-notes/nests/positions.csv?sv=2025-11-05&sr=b&sp=r&sig=AAAA',
  '/field-notes?restype=container&comp=list',
  '/field-notes?restype=container&comp=list&prefix=nests/',
  '?comp=list',
];

describe('a path trick against the blobs', () => {
  const targets = (account: string): string[] => {
    const { host } = new URL(scene.house.url);
    return [
      ...tricks.map((trick) => account + trick),
      `https://${host}${account}/field-notes/nests/positions.csv`,
      `https://evil.example${account}/field-notes/nests/positions.csv`,
      `/${account}/field-notes/nests/positions.csv`,
      `//${host}${account}/field-notes/nests/positions.csv`,
      `${account.toUpperCase()}/field-notes/nests/positions.csv`,
      `${account.replace('/l', '/%6c')}/field-notes/nests/positions.csv`,
      `${account}%2ffield-notes/nests/positions.csv`,
      `${account}./field-notes/nests/positions.csv`,
      `/x/..${account}/field-notes/nests/positions.csv`,
      `${account.slice(1)}/field-notes/nests/positions.csv`,
      `${account}/field-notes/nests/positions.csv\0`,
      `${account}/azureml-blobstore/\0/../closed/data.csv`,
    ];
  };

  /** Sends it, and sees that it was answered with a refusal, recorded, and decided at no scope that is not ours. */
  async function refused(target: string, sent: RawRequest, forbidden: RegExp): Promise<void> {
    const before = since();
    const { status, text } = await rawRequest(scene.house, target, sent);
    const what = `${sent.method ?? 'GET'} ${target}`;
    expect(text, what).not.toContain(secretText);
    if (forbidden.test(closedText)) expect(text, what).not.toContain(closedText);
    expect([400, 401, 403, 404, 405], `${what}: ${text}`).toContain(status);
    const decided = (await recorded(before)).filter(({ kind }) => kind === 'request.decided');
    expect(decided.length, what).toBe(1);
    const [{ allowed, scope = '' } = {}] = decided;
    if (allowed === true) expect(scope, what).not.toMatch(forbidden);
  }

  test('with the job’s token yields nothing, and every one is in the ledger', async () => {
    const token = await job.token(storage);
    const forbidden = /field-notes|closed|CLOSED|open-not/;
    for (const target of targets(scene.account)) await refused(target, { token }, forbidden);
  });

  test('with the CI run’s token yields nothing of the field notes, and every one is in the ledger', async () => {
    const token = await scene.ci.token(storage);
    for (const target of targets(scene.account).filter((each) => /field-notes/i.test(each)))
      await refused(target, { token }, /field-notes/i);
  });

  test('overwrites and deletes nothing', async () => {
    const token = await job.token(storage);
    const forbidden = /field-notes|closed|CLOSED|open-not/;
    for (const target of targets(scene.account)) {
      await refused(
        target,
        { token, method: 'PUT', body: 'overwritten', headers: ['x-ms-blob-type: BlockBlob'] },
        forbidden,
      );
      await refused(target, { token, method: 'DELETE' }, forbidden);
    }
    const { account, ci, house } = scene;
    const notes = await house.admin.send(
      'GET',
      `${account}/field-notes/nests/positions.csv`,
      undefined,
      readingBlob,
    );
    expect(notes.body).toContain(secretText);
    for (const folder of ['closed', 'open-not']) {
      const path = `${account}/azureml-blobstore/${folder}/data.csv`;
      expect((await ci.client.send('GET', path, undefined, readingBlob)).body).toBe(closedText);
    }
  });

  const submit = (name: string, uri: string) => {
    const { workspace } = scene.cast.scopes;
    return scene.ci.client.send('PUT', `${workspace}/jobs/${name}?${apiVersion}`, {
      properties: {
        jobType: 'Command',
        computeId: `${workspace}/computes/local`,
        environmentId: `${workspace}/environments/node-azure/versions/1`,
        command: 'cat ${{inputs.data}}',
        inputs: { data: { jobInputType: 'uri_file', uri, mode: 'Download' } },
      },
    });
  };

  test.each([
    '{url}/field-notes/nests/positions.csv',
    '{url}/azureml-blobstore/%2e%2e/field-notes/nests/positions.csv',
    '{url}/azureml-blobstore/..%2ffield-notes/nests/positions.csv',
    '{url}/azureml-blobstore%2f..%2ffield-notes/nests/positions.csv',
    'azureml://datastores/workspaceblobstore/paths/../field-notes/nests/positions.csv',
    'azureml://jobs/../outputs/artifacts/paths/../../field-notes/nests/positions.csv',
  ])('in the input of a job, %s, is refused with the job', async (uri) => {
    const url = `${scene.house.url}${scene.account}`;
    const answer = await submit('thief', uri.replace('{url}', url));
    expect([400, 403]).toContain(answer.status);
    expect(JSON.stringify(answer.body)).not.toContain(secretText);
  });

  test('in the input of a job, percent-encoded where nothing decodes it, is a name that does not exist', async () => {
    const encoded = 'azureml://datastores/workspaceblobstore/paths/%2e%2e/field-notes/nests/positions.csv';
    const before = since();
    expect((await submit('literal', encoded)).status).toBe(201);
    const path = `${scene.cast.scopes.workspace}/jobs/literal?${apiVersion}`;
    await until(async () => /"status":"Failed"/.test(JSON.stringify(await scene.house.admin.get(path))));
    const granted = (await recorded(before)).filter(({ change }) => change?.kind === 'role-assignment.put');
    expect(granted.length).toBeGreaterThan(0);
    for (const { text } of granted) expect(text).not.toContain('containers/field-notes');
  });
});

describe('a token that is not one of ours, or not for here', () => {
  const me = '/admin/v1/me';
  const lockstepApi = 'api://lockstep';

  async function refusedAt(path: string, token: string): Promise<void> {
    const { status, text } = await rawRequest(scene.house, path, { token });
    expect(status, text).toBe(401);
    expect(text).not.toContain(token);
  }

  function withHeader(token: string, header: object): { head: string; payload: string; signature: string } {
    const [, payload = '', signature = ''] = token.split('.');
    return { head: Buffer.from(JSON.stringify(header)).toString('base64url'), payload, signature };
  }

  test('of another issuer or another tenant, signed by our own key, is refused', async () => {
    const { foundation, identity } = scene.house.lockstep;
    const { tenantId, clock } = foundation;
    const admin = await foundation.directory.userBySignInName('admin@lockstep.local');
    if (admin === null) throw new Error('there is no administrator');
    const other = newGuid() as TenantId;
    const issuer = `${scene.house.url}/${tenantId}/v2.0`;
    const request = {
      subject: admin,
      audience: lockstepApi,
      lifetimeSeconds: 60,
      chain: [{ kind: 'user' as const, id: admin.id, name: 'Administrator' }],
      authorities: [admin.id],
      clientId: newGuid(),
      idType: 'user' as const,
    };
    const issue = async (as: { issuer: string; tenantId: TenantId }) =>
      (await new TokenIssuer({ keys: identity.signingKeys, clock, ...as }).issue(request)).token;
    expect((await rawRequest(scene.house, me, { token: await issue({ issuer, tenantId }) })).status).toBe(
      200,
    );
    for (const as of [
      { issuer, tenantId: other },
      { issuer: `${scene.house.url}/${other}/v2.0`, tenantId },
      { issuer: `${scene.house.url}/${other}/v2.0`, tenantId: other },
      { issuer: `${issuer}/`, tenantId },
      { issuer: issuer.replace('https:', 'http:'), tenantId },
    ]) {
      await refusedAt(me, await issue(as));
    }
    const stranger = {
      ...request,
      chain: [...request.chain],
      subject: { ...admin, id: newGuid() as PrincipalId },
    };
    stranger.chain[0] = { kind: 'user', id: stranger.subject.id, name: 'Stranger' };
    const { token } = await new TokenIssuer({ keys: identity.signingKeys, clock, issuer, tenantId }).issue(
      stranger,
    );
    const answer = await rawRequest(scene.house, '/admin/v1/events', { token });
    expect([401, 403]).toContain(answer.status);
  });

  test('without a signature, with another algorithm, or bringing its own key is refused', async () => {
    const genuine = await scene.house.stage.token(lockstepApi);
    expect((await rawRequest(scene.house, me, { token: genuine })).status).toBe(200);
    const { kid = '' } = decodeProtectedHeader(genuine);
    const none = withHeader(genuine, { alg: 'none', typ: 'JWT', kid });
    await refusedAt(me, `${none.head}.${none.payload}.`);
    await refusedAt(me, `${none.head}.${none.payload}.${none.signature}`);

    const { keys } = scene.house.lockstep.identity.signingKeys.publicJwks();
    const published = keys.find((key) => key.kid === kid);
    const pem = createPublicKey({ key: { ...published }, format: 'jwk' });
    const hs = withHeader(genuine, { alg: 'HS256', typ: 'JWT', kid });
    for (const secret of [
      pem.export({ type: 'spki', format: 'pem' }),
      pem.export({ type: 'spki', format: 'der' }),
      JSON.stringify(published),
    ]) {
      const mac = createHmac('sha256', secret).update(`${hs.head}.${hs.payload}`).digest('base64url');
      await refusedAt(me, `${hs.head}.${hs.payload}.${mac}`);
    }

    const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = own.publicKey.export({ format: 'jwk' });
    for (const header of [
      { kid },
      { kid, jwk: jwk as Record<string, string> },
      { kid, jku: `${scene.issuer.issuer}/jwks` },
      { kid: 'mine', x5u: `${scene.issuer.issuer}/jwks` },
    ]) {
      const forged = await new SignJWT(decodeJwt(genuine))
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...header })
        .sign(own.privateKey);
      await refusedAt(me, forged);
    }
  });

  test('with one claim changed is refused', async () => {
    const [head = '', payload = '', signature = ''] = (await scene.ci.token(lockstepApi)).split('.');
    const admin = await scene.house.lockstep.foundation.directory.userBySignInName('admin@lockstep.local');
    const claims = z.looseObject({}).parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
    for (const change of [
      { oid: admin?.id, sub: admin?.id },
      { lockstep_auth: [admin?.id] },
      { exp: Number(claims['exp']) + 1 },
    ]) {
      const changed = Buffer.from(JSON.stringify({ ...claims, ...change })).toString('base64url');
      await refusedAt(me, `${head}.${changed}.${signature}`);
    }
  });

  test('the CI issuer’s own token, and Lockstep’s ID token, are no access tokens', async () => {
    await refusedAt(me, await scene.ci.assertion());
    await refusedAt(me, await scene.ci.assertion('production', lockstepApi));
    const { house } = scene;
    const file = new CredentialsFile(house.stage.cli['LOCKSTEP_CONFIG_HOME'] ?? '');
    const account = (await file.read()).servers[house.url];
    if (account?.kind !== 'person') throw new Error('the administrator is not signed in');
    const agent = new Agent({ connect: { ca: house.ca } });
    const answer = await request(`${house.url}/${house.stage.place.tenantId}/oauth2/v2.0/token`, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: account.clientId,
        refresh_token: account.refreshToken ?? '',
        scope: `openid profile ${arm}/.default`,
      }).toString(),
    });
    const tokens = z
      .object({ id_token: z.string(), access_token: z.string() })
      .parse(await answer.body.json());
    await agent.close();
    const armPath = `${scene.cast.scopes.workspace}?${apiVersion}`;
    expect((await rawRequest(house, armPath, { token: tokens.access_token })).status).toBe(200);
    for (const path of [me, armPath, `${scene.account}/field-notes/nests/positions.csv`])
      await refusedAt(path, tokens.id_token);
  });

  test('for one API is refused at every other', async () => {
    const { ci, account, cast } = scene;
    const paths: Readonly<Record<string, string>> = {
      [storage]: `${account}/azureml-blobstore/open/data.csv`,
      [arm]: `${cast.scopes.workspace}?${apiVersion}`,
      [lockstepApi]: me,
      [graph]: '/v1.0/users',
    };
    for (const [audience, home] of Object.entries(paths)) {
      const token = await ci.token(audience);
      expect((await rawRequest(scene.house, home, { token })).status).not.toBe(401);
      for (const [other, path] of Object.entries(paths)) {
        // The directory is Lockstep's own: it takes tokens for Lockstep as well as for Graph.
        const welcome = other === audience || (audience === lockstepApi && other === graph);
        if (!welcome) await refusedAt(path, token);
      }
    }
  });

  test('in the address or a form instead of the header counts for nothing', async () => {
    const token = await scene.house.stage.token(lockstepApi);
    expect((await rawRequest(scene.house, `${me}?access_token=${token}`)).status).toBe(401);
  });
});

describe('an administrator without a data role', () => {
  test('neither reads, nor lists, nor writes, nor deletes blobs; the refusal names the data action', async () => {
    const { house, account } = scene;
    const blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs';
    const path = `${account}/azureml-blobstore/open/data.csv`;
    const uses: readonly (readonly [string, string, Buffer | undefined, string])[] = [
      ['GET', path, undefined, 'read'],
      ['GET', `${account}/azureml-blobstore?restype=container&comp=list`, undefined, 'read'],
      ['PUT', path, Buffer.from('overwritten'), 'write'],
      ['DELETE', path, undefined, 'delete'],
    ];
    for (const [method, target, body, action] of uses) {
      const answer = await house.admin.send(
        method,
        target,
        body,
        method === 'PUT' ? writingBlob : readingBlob,
      );
      expect(answer.status, `${method} ${target}`).toBe(403);
      expect(answer.body).toContain('AuthorizationPermissionMismatch');
      expect(answer.body).toContain(`${blobs}/${action}`);
      expect(answer.body).toMatch(/dec_[0-9a-z]{26}/);
    }
    const present = await scene.ci.client.send('GET', path, undefined, readingBlob);
    expect(present.body).toBe('open to this job');
  });
});
