import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../config/load.ts';
import { initialise } from '../../init.ts';
import { newGuid } from '../../lib/ids.ts';
import { createLog } from '../../lib/log.ts';
import { startLockstep, type Lockstep } from '../../main.ts';
import { roleIds } from '../../policy/built-in-roles.ts';
import { systemAttribution } from '../../store/changes.ts';
import { putRoleAssignment } from '../../store/role-assignments.ts';
import { ownScope } from '../own-actions.ts';

const secret = 'upstream-secret-4711';
const home = mkdtempSync(join(tmpdir(), 'lockstep-connections-'));
/** What the upstream has not answered yet. */
const held: ServerResponse[] = [];
const upstream: Server = createServer((_request, response) => void held.push(response));
let lockstep: Lockstep;
let agent: Agent;
let operator: TokenFor;
let reader: TokenFor;
let member: TokenFor;
let user: TokenFor;

/** A token for Lockstep itself, or for one of its connections. */
type TokenFor = (connection?: string) => Promise<string>;

const shown = z.strictObject({
  value: z.array(
    z.strictObject({
      name: z.string(),
      kind: z.string(),
      scope: z.string(),
      browserUrl: z.url(),
      programUrl: z.url(),
      requests: z.number(),
      waiting: z.number(),
      webSockets: z.number(),
      addresses: z.array(
        z.strictObject({
          address: z.string(),
          state: z.enum(['not-tried', 'up', 'failing', 'down', 'probing', 'unhealthy']),
          failures: z.number().nullable(),
          failureLimit: z.number().nullable(),
          askedAgainAt: z.iso.datetime().nullable(),
          lastError: z.string().nullable(),
          since: z.iso.datetime(),
          outstanding: z.number(),
        }),
      ),
    }),
  ),
  configurationChangedAt: z.iso.datetime().nullable(),
});
const told = z.looseObject({ connections: z.unknown() });

function listening(server: Server): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
}

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeAll(async () => {
  const [port, down, up] = [await freePort(), await freePort(), await listening(upstream)];
  writeFileSync(join(home, 'credential'), `Bearer ${secret}\n`, { mode: 0o600 });
  const common = {
    kind: 'web',
    credential: { header: 'authorization', value: { file: join(home, 'credential') } },
    rules: [{ methods: ['GET'], path: '/*', action: 'Contoso.Lab/pages/read' }],
  };
  const path = join(home, 'config.json');
  const config = {
    listen: { host: '127.0.0.1', port },
    limits: { drainSeconds: 1 },
    connections: {
      lab: {
        ...common,
        scope: '/providers/contoso.lab',
        upstream: `http://127.0.0.1:${up}`,
        concurrency: { requests: 1 },
      },
      broken: {
        ...common,
        scope: '/providers/contoso.broken',
        upstream: [`http://127.0.0.1:${down}`],
        circuit: { failures: 2, openSeconds: 300, longestSeconds: 300 },
      },
    },
  };
  writeFileSync(path, JSON.stringify(config));
  const loaded = loadConfig({ home, environment: {} });
  const log = createLog('silent');
  await initialise(loaded, log);
  lockstep = await startLockstep(loaded, log);
  agent = new Agent({ connect: { ca: readFileSync(join(home, 'tls', 'authority.pem'), 'utf8') } });
  operator = await somebody('Operator', roleIds.lockstepAdministrator, ownScope);
  reader = await somebody('Reader', roleIds.reader, '/subscriptions/s');
  member = await somebody('Member', null, ownScope);
  user = await somebody('User', roleIds.contributor, '/');
});
afterAll(async () => {
  await agent.destroy();
  await lockstep.drain();
  upstream.closeAllConnections();
  upstream.close();
  rmSync(home, { recursive: true, force: true });
});

/** A new person with one role, or none. */
async function somebody(displayName: string, role: string | null, scope: string): Promise<TokenFor> {
  const { foundation, identity } = lockstep;
  const by = systemAttribution(foundation.tenantId, 'tests');
  const userPrincipalName = `${displayName.toLowerCase()}@lab.example`;
  const subject = await foundation.directory.createUser(by, { displayName, userPrincipalName });
  if (role !== null) {
    await foundation.ledger.commit(by, (tx, record) =>
      putRoleAssignment(tx, record, {
        id: newGuid(),
        scope,
        roleDefinitionId: role,
        principalId: subject.id,
        principalType: 'User',
        condition: null,
        description: '',
        createdOn: '2027-01-01T00:00:00Z',
        createdBy: 'tests',
      }),
    );
  }
  return async (connection) => {
    const { token } = await identity.tokenIssuer.issue({
      subject,
      audience: `api://lockstep${connection === undefined ? '' : `/connections/${connection}`}`,
      lifetimeSeconds: 600,
      chain: [{ kind: 'user', id: subject.id, name: displayName }],
      authorities: [subject.id],
      clientId: newGuid(),
      idType: 'user',
    });
    return token;
  };
}

async function get(who: TokenFor | null, path: string, method: 'GET' | 'POST' = 'GET') {
  const token = await who?.(/^\/connections\/(\w+)/.exec(path)?.[1]);
  const { statusCode, body } = await request(lockstep.url + path, {
    method,
    dispatcher: agent,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  return { status: statusCode, text: await body.text() };
}

async function connections() {
  const { status, text } = await get(operator, '/admin/v1/connections');
  expect(status).toBe(200);
  expect(text).not.toContain(secret);
  expect(text.toLowerCase()).not.toContain('authorization');
  const { value } = shown.parse(JSON.parse(text));
  return Object.fromEntries(value.map((connection) => [connection.name, connection]));
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > limit) throw new Error('the condition never came true');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('connections are shown to whoever may see them at Lockstep itself, and to nobody else', async () => {
  expect((await get(operator, '/admin/v1/connections')).status).toBe(200);
  // Contributor is every management action at the root: Lockstep's own are among them.
  expect((await get(user, '/admin/v1/connections')).status).toBe(200);
  for (const who of [reader, member]) {
    const refused = await get(who, '/admin/v1/connections');
    expect(refused.status).toBe(403);
    expect(refused.text).toContain('Lockstep.Access/connections/read');
    expect(refused.text).not.toContain('127.0.0.1');
    expect(refused.text).not.toContain('broken');
  }
  expect((await get(null, '/admin/v1/connections')).status).toBe(401);
  expect((await get(operator, '/admin/v1/connections', 'POST')).status).toBeGreaterThanOrEqual(400);
});

test('a connection that nobody has used is told with its kind, its place and its addresses, and as nothing more', async () => {
  const { lab } = await connections();
  const { port } = upstream.address() as AddressInfo;
  expect(lab).toEqual({
    name: 'lab',
    kind: 'web',
    scope: '/providers/contoso.lab',
    browserUrl: lockstep.url.replace('//localhost', '//lab.localhost') + '/',
    programUrl: `${lockstep.url}/connections/lab`,
    requests: 0,
    waiting: 0,
    webSockets: 0,
    addresses: [
      {
        address: `http://127.0.0.1:${port}`,
        state: 'not-tried',
        failures: null,
        failureLimit: null,
        askedAgainAt: null,
        lastError: null,
        since: expect.any(String) as string,
        outstanding: 0,
      },
    ],
  });
});

test('what is under way, and what waits for it, is counted until it ends', async () => {
  const first = get(user, '/connections/lab/slow');
  await until(async () => held.length === 1);
  expect(await connections()).toMatchObject({
    lab: { requests: 1, waiting: 0, addresses: [{ state: 'not-tried', outstanding: 1 }] },
  });
  // The one place at that connection, and the one share of it, are taken: somebody else waits.
  const other = await somebody('Other', roleIds.contributor, '/providers/contoso.lab');
  const second = get(other, '/connections/lab/slow');
  await until(async () => (await connections())['lab']?.waiting === 1);
  held[0]?.end('x');
  expect((await first).status).toBe(200);
  await until(async () => held.length === 2);
  held[1]?.end('y');
  expect((await second).status).toBe(200);
  expect(await connections()).toMatchObject({
    lab: { requests: 0, waiting: 0, addresses: [{ state: 'up', outstanding: 0 }] },
  });
});

test('an address that fails is told as such at once, and then as one that is not asked, until when and why', async () => {
  const before = Date.now();
  const fail = async () => {
    expect((await get(user, '/connections/broken/x')).status).toBeGreaterThanOrEqual(502);
    const { broken } = await connections();
    return broken?.addresses[0];
  };
  const lastError = expect.stringContaining('ECONNREFUSED') as string;
  const once = { state: 'failing', failures: 1, failureLimit: 2, askedAgainAt: null, lastError };
  expect(await fail()).toMatchObject(once);
  await fail();
  const address = await fail();
  expect(address).toMatchObject({ state: 'down', failures: null, failureLimit: null, lastError });
  expect(Date.parse(address?.askedAgainAt ?? '')).toBeGreaterThan(before + 100_000);
  expect(Date.parse(address?.since ?? '')).toBeGreaterThanOrEqual(before - 1);
  const status = told.parse(JSON.parse((await get(operator, '/admin/v1/status')).text));
  expect(status.connections).toEqual({ configured: 2, unavailable: 1 });
});

test('a configuration that was changed since the start is told as one that is not in use yet', async () => {
  const changedAt = async () => {
    const { text } = await get(operator, '/admin/v1/connections');
    return shown.parse(JSON.parse(text)).configurationChangedAt;
  };
  expect(await changedAt()).toBeNull();
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(home, 'config.json'), later, later);
  expect(await changedAt()).toBe(later.toISOString());
});

test('a program that mistypes a connection is led to one at which it has a role, a stranger to nothing', async () => {
  const generic = 'This path is not described here, so it is denied.';
  const said = async (path: string, token: string | null) => {
    const answer = await request(lockstep.url + path, {
      dispatcher: agent,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    });
    const body = z.object({ error: z.object({ message: z.string() }) }).parse(await answer.body.json());
    return [answer.statusCode, body.error.message];
  };
  expect(await said('/connections/borken/x', await user())).toEqual([
    403,
    'There is no connection `borken`. Did you mean `broken`?',
  ]);
  // Of a token for another connection the bearer is known, too.
  expect(await said('/connections/labb/x', await user('lab'))).toEqual([
    403,
    'There is no connection `labb`. Did you mean `lab`?',
  ]);
  expect(await said('/connections/borken/x', await member())).toEqual([
    403,
    'There is no connection `borken`.',
  ]);
  expect(await said('/connections/borken/x', null)).toEqual([403, generic]);
  expect(await said('/connections/lab', await user('lab'))).toEqual([
    403,
    'The paths of connection `lab` begin with /connections/lab/.',
  ]);
});
