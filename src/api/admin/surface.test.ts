import { checkParsePolicySet } from '@cedar-policy/cedar-wasm/nodejs';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { loadConfig } from '../../config/load.ts';
import { initialise } from '../../init.ts';
import { startWatch } from '../../lib/testing/processor-time.ts';
import { newGuid, type PrincipalId } from '../../lib/ids.ts';
import { createLog } from '../../lib/log.ts';
import { startLockstep, type Lockstep } from '../../main.ts';
import { roleIds } from '../../policy/built-in-roles.ts';
import { systemAttribution, type PrincipalRecord } from '../../store/changes.ts';
import { deleteRoleAssignment, putRoleAssignment } from '../../store/role-assignments.ts';
import { ownScope } from '../own-actions.ts';

const home = mkdtempSync(join(tmpdir(), 'lockstep-admin-'));
let lockstep: Lockstep;
let agent: Agent;
let auditor: PrincipalRecord;
let auditorToken: string;
let auditorRole: string;
let mallory: PrincipalRecord;
let malloryToken: string;

beforeAll(async () => {
  const port = await freePort();
  const rules = [{ methods: ['GET'], path: '/api/*', action: 'Contoso.Tracker/runs/read' }];
  const grafana = { kind: 'web', upstream: 'http://127.0.0.1:9', scope: 'workspace', rules };
  writeFileSync(join(home, 'config.json'), JSON.stringify({ connections: { grafana } }));
  const config = {
    ...loadConfig({ home, environment: {} }),
    listen: { host: '127.0.0.1', port },
    limits: { ...loadConfig({ home, environment: {} }).limits, drainSeconds: 1 },
  };
  const log = createLog('silent');
  await initialise(config, log);
  lockstep = await startLockstep(config, log);
  agent = new Agent({ connect: { ca: readFileSync(join(home, 'tls', 'authority.pem'), 'utf8') } });
  auditor = await person('Auditor');
  mallory = await person('Mallory');
  auditorRole = await assign(auditor.id, roleIds.lockstepAdministrator, ownScope);
  auditorToken = await tokenFor(auditor);
  malloryToken = await tokenFor(mallory);
});
afterAll(async () => {
  await agent.destroy();
  await lockstep.drain();
  rmSync(home, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const by = () => systemAttribution(lockstep.foundation.tenantId, 'tests');

function person(displayName: string): Promise<PrincipalRecord> {
  const userPrincipalName = `${displayName.toLowerCase()}@lab.example`;
  return lockstep.foundation.directory.createUser(by(), { displayName, userPrincipalName });
}

async function assign(
  principalId: PrincipalId,
  roleDefinitionId: string,
  scope: string,
  condition: string | null = null,
): Promise<string> {
  const id = newGuid();
  const assignment = { id, scope, roleDefinitionId, principalId, principalType: 'User' as const, condition };
  await lockstep.foundation.ledger.commit(by(), (tx, record) =>
    putRoleAssignment(tx, record, {
      ...assignment,
      description: '',
      createdOn: '2027-01-01T00:00:00Z',
      createdBy: 'tests',
    }),
  );
  return id;
}

async function tokenFor(subject: PrincipalRecord, audience = 'api://lockstep'): Promise<string> {
  const { token } = await lockstep.identity.tokenIssuer.issue({
    subject,
    audience,
    lifetimeSeconds: 600,
    chain: [{ kind: 'user', id: subject.id, name: subject.displayName }],
    authorities: [subject.id],
    clientId: newGuid(),
    idType: 'user',
  });
  return token;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

async function call(
  token: string | null,
  method: 'GET' | 'POST',
  path: string,
  json?: unknown,
): Promise<Answer> {
  const { statusCode, headers, body } = await request(lockstep.url + path, {
    method,
    dispatcher: agent,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  const text = await body.text();
  return {
    status: statusCode,
    text,
    json: headers['content-type'] === 'application/json' ? (JSON.parse(text) as Record<string, unknown>) : {},
  };
}

const errorOf = (answer: Answer) => answer.json['error'] as Record<string, string>;

test('anyone may read the discovery document, and nobody anything else', async () => {
  const open = await call(null, 'GET', '/lockstep/v1/discovery');
  expect(open.json).toMatchObject({ product: 'lockstep', publicUrl: lockstep.url });
  for (const path of [
    '/me',
    '/status',
    '/sessions',
    '/events',
    '/decisions/dec_01jz0000000000000000000000',
  ]) {
    const answer = await call(null, 'GET', `/admin/v1${path}`);
    expect([path, answer.status, errorOf(answer)['code']]).toEqual([path, 401, 'authentication_required']);
  }
});

test('a token for the resource manager is not one for the admin API', async () => {
  const { token } = await lockstep.identity.tokenIssuer.issue({
    subject: auditor,
    audience: 'https://management.azure.com',
    lifetimeSeconds: 600,
    chain: [{ kind: 'user', id: auditor.id, name: 'Auditor' }],
    authorities: [auditor.id],
    clientId: newGuid(),
    idType: 'user',
  });
  expect((await call(token, 'GET', '/admin/v1/me')).status).toBe(401);
});

test('me tells roles held through nested groups, and how', async () => {
  const { directory } = lockstep.foundation;
  const outer = await directory.createGroup(by(), { displayName: 'outer' });
  const inner = await directory.createGroup(by(), { displayName: 'inner' });
  await directory.addMember(by(), outer.id, inner.id);
  await directory.addMember(by(), inner.id, mallory.id);
  await assign(outer.id, roleIds.reader, '/subscriptions/s1');
  const me = await call(malloryToken, 'GET', '/admin/v1/me');
  expect(me.json['groups']).toMatchObject([{ displayName: 'inner' }, { displayName: 'outer' }]);
  expect(me.json['roleAssignments']).toMatchObject([
    { roleName: 'Reader', scope: '/subscriptions/s1', through: { displayName: 'outer' } },
  ]);
});

test('a denial tells its decision; the party to it may read it, a stranger learns nothing, an auditor all', async () => {
  const denied = await call(malloryToken, 'GET', '/admin/v1/events');
  expect(denied.status).toBe(403);
  const { decisionId = '', ...error } = errorOf(denied);
  expect(error).toMatchObject({
    code: 'access_denied',
    policyId: 'default:missing-grant',
    action: 'Lockstep.Access/events/read',
  });
  const own = await call(malloryToken, 'GET', `/admin/v1/decisions/${decisionId}`);
  expect(own.json).toMatchObject({
    decision: { id: decisionId, allowed: false, decidedFor: { displayName: 'Mallory' } },
    explanation: {
      allowed: false,
      authorities: [{ remedy: { missing: { name: 'Lockstep.Access/events/read' } } }],
    },
  });
  const stranger = await tokenFor(await person('Stranger'));
  const real = await call(stranger, 'GET', `/admin/v1/decisions/${decisionId}`);
  const made = await call(stranger, 'GET', '/admin/v1/decisions/dec_01jz0000000000000000000000');
  const bare = ({ status, text }: Answer) => [status, text.replaceAll(/(dec|req)_\w{26}/g, '')];
  expect(bare(real)).toEqual(bare(made));
  expect(real.status).toBe(403);
  expect((await call(auditorToken, 'GET', `/admin/v1/decisions/${decisionId}`)).status).toBe(200);
  for (const id of ['dec_01jz0000000000000000000000', "dec_' or 1=1", '..%2Fme']) {
    const answer = await call(auditorToken, 'GET', `/admin/v1/decisions/${encodeURIComponent(id)}`);
    expect([400, 404]).toContain(answer.status);
  }
});

test('the explanation of a request that nothing describes says which it was, and what would describe it', async () => {
  const visitor = await tokenFor(mallory, 'api://lockstep/connections/grafana');
  const unknown = async (token: string, path: string) => {
    const [decisionId = ''] = /dec_\w{26}/.exec((await call(token, 'POST', path)).text) ?? [];
    return (await call(malloryToken, 'GET', `/admin/v1/decisions/${decisionId}`)).json;
  };
  expect(await unknown(visitor, '/connections/grafana/api/admin?secret=1')).toMatchObject({
    decision: { allowed: false, reason: 'unknown-route' },
    explanation: null,
    undescribed: {
      method: 'POST',
      path: '/connections/grafana/api/admin',
      surface: 'web:grafana',
      advice: expect.stringContaining('a rule in connections.grafana.rules would describe it') as string,
    },
  });
  expect(await unknown(malloryToken, '/admin/v1/nothing')).toMatchObject({
    undescribed: {
      method: 'POST',
      path: '/admin/v1/nothing',
      surface: 'admin',
      advice: expect.not.stringContaining('rules') as string,
    },
  });
});

test('an explanation follows policy: once the right is given, it says that it would be allowed now', async () => {
  const curious = await person('Curious');
  const token = await tokenFor(curious);
  const { decisionId = '' } = errorOf(await call(token, 'GET', '/admin/v1/events'));
  await assign(curious.id, roleIds.lockstepAuditor, ownScope);
  const { json } = await call(token, 'GET', `/admin/v1/decisions/${decisionId}`);
  expect(json).toMatchObject({ decision: { allowed: false }, explanation: { allowed: true } });
});

test('check tells conditions the time and the names in the scope, and nothing of a request that is not made', async () => {
  const account = '/subscriptions/s1/resourcegroups/g/providers/microsoft.storage/storageaccounts/store';
  const container = `${account}/blobservices/default/containers/datasets`;
  const blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs';
  const asker = await person('Asker');
  const token = await tokenFor(asker);
  await assign(
    asker.id,
    roleIds.storageBlobDataReader,
    container,
    `@Resource[${blobs}:path] StringStartsWith 'Open/' AND @Environment[UtcNow] DateTimeGreaterThan '2020-01-01T00:00:00Z'`,
  );
  const may = async (scope: string) =>
    (await call(token, 'POST', '/admin/v1/check', { action: `${blobs}/read`, scope })).json['decision'];
  expect(await may(`${container}/blobs/%4fpen/a.csv`)).toMatchObject({ allowed: true });
  expect(await may(`${container}/blobs/open/a.csv`)).toMatchObject({ allowed: false });
  expect(await may(`${container}/blobs/%zz`)).toMatchObject({ allowed: false });
  expect(await may(container)).toMatchObject({ allowed: false });
});

test('check answers as the pipeline would, and does nothing', async () => {
  const { snapshot } = lockstep;
  const before = snapshot.version;
  const question = { action: 'Lockstep.Access/users/delete', scope: ownScope };
  const no = await call(malloryToken, 'POST', '/admin/v1/check', question);
  const yes = await call(auditorToken, 'POST', '/admin/v1/check', question);
  expect([no.json, yes.json]).toMatchObject([
    { decision: { allowed: false } },
    { decision: { allowed: true } },
  ]);
  expect(snapshot.version - before).toBeLessThan(10);
  expect(snapshot.principal(mallory.id)).toMatchObject({ id: mallory.id, enabled: true });
});

test.each([
  [
    { action: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/reed', scope: '/' },
    200,
    'containers/blobs/read?',
  ],
  [{ action: 'jobs', scope: '/' }, 400, 'is not an operation'],
  [{ action: 'a/*/read', scope: '/' }, 400, 'is not an operation'],
  [
    { action: 'Lockstep.Access/users/read', scope: 'subscriptions/s' },
    400,
    'Did you mean `/subscriptions/s`?',
  ],
  [{ action: 'Lockstep.Access/users/read', scope: '/a/../b' }, 400, 'is not a scope'],
  [{ action: 'Lockstep.Access/users/read', scop: '/' }, 400, 'scop'],
])('check of %j is answered with %i and what may have been meant', async (question, status, text) => {
  const answer = await call(malloryToken, 'POST', '/admin/v1/check', question);
  expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(text)]);
});

test('check knows what the rule of a connection and a role of one’s own ask for, and offers no grant of what none does', async () => {
  const check = async (action: string) =>
    (await call(malloryToken, 'POST', '/admin/v1/check', { action, scope: '/subscriptions/s' })).json as {
      known: boolean;
      warnings: string[];
      explanation: { authorities: { remedy: { request: object | null } }[] };
    };
  for (const action of ['contoso.tracker/RUNS/read', 'Lockstep.Access/users/read']) {
    const { known, warnings, explanation } = await check(action);
    expect([known, warnings]).toEqual([true, []]);
    expect(explanation.authorities[0]?.remedy.request).not.toBeNull();
  }
  const { known, warnings, explanation } = await check('Contoso.Tracker/runs/wite');
  expect([known, warnings]).toEqual([false, [expect.stringContaining('Nothing here asks for')]]);
  expect(explanation.authorities[0]?.remedy.request).toBeNull();
});

test('asking about somebody else needs the right, and tells nothing of who exists without it', async () => {
  const question = { action: 'Lockstep.Access/users/read', scope: ownScope };
  for (const principal of [auditor.id, 'auditor@lab.example', 'nobody@lab.example', newGuid()]) {
    const answer = await call(malloryToken, 'POST', '/admin/v1/check', { ...question, principal });
    expect([answer.status, errorOf(answer)['action']]).toEqual([
      403,
      'Lockstep.Access/decisions/check/action',
    ]);
  }
  const own = await call(malloryToken, 'POST', '/admin/v1/check', {
    ...question,
    principal: 'MALLORY@lab.example',
  });
  expect(own.status).toBe(200);
  const other = await call(auditorToken, 'POST', '/admin/v1/check', { ...question, principal: mallory.id });
  expect(other.json).toMatchObject({ decision: { allowed: false, decidedFor: { displayName: 'Mallory' } } });
  expect(
    (await call(auditorToken, 'POST', '/admin/v1/check', { ...question, principal: newGuid() })).status,
  ).toBe(404);
});

test('events are read in pages; a receipt is for the parties of the event and for auditors', async () => {
  await call(malloryToken, 'GET', '/admin/v1/me');
  const page = await call(auditorToken, 'GET', '/admin/v1/events?after=0&limit=3');
  expect(
    page.text
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { sequence: number }).sequence),
  ).toEqual([1, 2, 3]);
  expect((await call(auditorToken, 'GET', '/admin/v1/events?after=x')).status).toBe(400);
  const all = await call(auditorToken, 'GET', '/admin/v1/events?after=0&limit=100000');
  const last = all.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: LoggedEvent });
  const idOf = (name: string) =>
    last.findLast(({ event }) => event.unmapped.lockstep.chain.at(-1)?.name === name)?.event.metadata.uid ??
    '';
  expect((await call(malloryToken, 'GET', `/admin/v1/events/${idOf('Mallory')}/receipt`)).text).toMatch(
    /^c2sp\.org\/tlog-proof@v1\n/,
  );
  expect((await call(malloryToken, 'GET', `/admin/v1/events/${idOf('Auditor')}/receipt`)).status).toBe(403);
  expect(
    (await call(malloryToken, 'GET', '/admin/v1/events/evt_01jz0000000000000000000000/receipt')).status,
  ).toBe(403);
  expect((await call(auditorToken, 'GET', `/admin/v1/events/${idOf('Mallory')}/receipt`)).status).toBe(200);

  // The same by its place in the log, which every receipt tells.
  const at = (index: string) => `/admin/v1/ledger/entries/${index}/receipt`;
  const indexOf = async (name: string) =>
    /^index (\d+)$/m.exec(
      (await call(auditorToken, 'GET', `/admin/v1/events/${idOf(name)}/receipt`)).text,
    )?.[1] ?? '';
  const [own, others] = [await indexOf('Mallory'), await indexOf('Auditor')];
  expect((await call(malloryToken, 'GET', at(own))).text).toMatch(
    new RegExp(`^c2sp\\.org/tlog-proof@v1\\nextra .*\\nindex ${own}\\n`),
  );
  expect((await call(auditorToken, 'GET', at(others))).status).toBe(200);
  for (const index of [others, '99999999', 'x', '-1', '01', '1e3', '9007199254740993']) {
    expect((await call(malloryToken, 'GET', at(index))).status).toBe(403);
    if (index !== others) expect((await call(auditorToken, 'GET', at(index))).status).toBe(404);
  }
});

test('what is known of somebody is erased only by whoever may, and disclosed only to auditors', async () => {
  await call(malloryToken, 'GET', '/admin/v1/me');
  const ofMallory = async () =>
    foundIn(await call(auditorToken, 'GET', `/admin/v1/events?person=${mallory.id}`)).at(-1);
  const uid = (await ofMallory())?.event.metadata.uid ?? '';
  const disclosures = `/admin/v1/events/${uid}/disclosures`;
  expect((await call(malloryToken, 'GET', disclosures)).text).toContain('Lockstep.Access/events/read');
  expect((await call(auditorToken, 'GET', disclosures)).json).toMatchObject({
    event: uid,
    disclosures: expect.arrayContaining([expect.objectContaining({ value: 'Mallory' })]) as unknown,
  });
  const missing = '/admin/v1/events/evt_01jz0000000000000000000000/disclosures';
  expect((await call(auditorToken, 'GET', missing)).status).toBe(404);

  const erase = '/admin/v1/ledger/erase';
  expect(await call(malloryToken, 'POST', erase, { person: mallory.id })).toMatchObject({ status: 403 });
  expect((await call(malloryToken, 'POST', erase, { person: mallory.id })).text).toContain(
    'Lockstep.Access/ledger/erase/action',
  );
  for (const wrong of [{}, { person: mallory.id, id: mallory.id }, { person: mallory.id, also: 1 }]) {
    expect((await call(auditorToken, 'POST', erase, wrong)).status).toBe(400);
  }
  expect((await call(auditorToken, 'POST', erase, { person: 'Nobody at all' })).status).toBe(404);
  // What is recorded as the id of an erasure stays for ever: a name is not taken for one.
  expect((await call(auditorToken, 'POST', erase, { id: 'Mallory Mallet' })).status).toBe(400);
  expect((await call(auditorToken, 'POST', erase, { id: 'gone@corp.test' })).json).toMatchObject({ keys: 0 });
  const ofAddress = await call(auditorToken, 'GET', '/admin/v1/events?action=person.erased');
  expect(ofAddress.text).toContain('"person":"address"');
  expect(ofAddress.text).not.toContain('gone@corp.test');
  const erased = await call(auditorToken, 'POST', erase, { person: mallory.id });
  expect(erased).toMatchObject({
    status: 200,
    json: { id: mallory.id, complete: true, stillKnown: true },
  });
  expect((erased.json as { keys: number }).keys).toBeGreaterThan(0);
  expect((await call(auditorToken, 'GET', disclosures)).text).not.toContain('Mallory');
  const after = await call(auditorToken, 'GET', `/admin/v1/events?id=${uid}`);
  expect(after.text).toContain(mallory.id);
  expect(after.text).not.toContain('"Mallory"');
  const [said] = foundIn(await call(auditorToken, 'GET', '/admin/v1/events?action=person.erased'));
  expect(said?.event).toMatchObject({ unmapped: { lockstep: { change: { person: mallory.id } } } });
});

test('old rows are removed only by whoever may, and it is said how many', async () => {
  const before = { before: '2020-01-01T00:00:00Z' };
  expect((await call(malloryToken, 'POST', '/admin/v1/ledger/prune', before)).text).toContain(
    'Lockstep.Access/ledger/prune/action',
  );
  expect((await call(auditorToken, 'POST', '/admin/v1/ledger/prune', { before: 'x' })).status).toBe(400);
  expect(await call(auditorToken, 'POST', '/admin/v1/ledger/prune', before)).toMatchObject({
    status: 200,
    json: { firstIndex: 0, rows: 0 },
  });
  expect(
    await call(auditorToken, 'POST', '/admin/v1/ledger/prune', { ...before, archive: true }),
  ).toMatchObject({
    status: 200,
    json: { firstIndex: 0, rows: 0, archive: { firstIndex: 0, entries: 0 } },
  });
  const [said] = foundIn(await call(auditorToken, 'GET', '/admin/v1/events?action=lifecycle.prune'));
  expect(said?.event).toMatchObject({ unmapped: { lockstep: { detail: { rows: '0' } } } });
});

test('the key of the log is exchanged only by whoever may; everyone signed in sees which keys there are', async () => {
  const exchange = '/admin/v1/ledger/keys/exchange';
  expect((await call(malloryToken, 'POST', exchange, {})).text).toContain(
    'Lockstep.Access/ledger/exchangeKey/action',
  );
  for (const wrong of [
    { overlapDays: -1 },
    { compromised: false },
    { compromised: true, overlapDays: 1 },
    { now: 1 },
  ])
    expect((await call(auditorToken, 'POST', exchange, wrong)).status).toBe(400);
  const [before] = logKeysIn(await call(malloryToken, 'GET', '/admin/v1/ledger/keys'));
  expect(before).toMatchObject({ state: 'signing', endsAt: null });
  // Not a whole number of milliseconds.
  const [newest, older] = logKeysIn(
    await call(auditorToken, 'POST', exchange, { overlapDays: 1.000_000_001 }),
  );
  expect([newest, older]).toMatchObject([
    { state: 'signing', endsAt: null },
    { ...before, endsAt: expect.any(String) as string },
  ]);
  const answer = await call(malloryToken, 'GET', '/lockstep/v1/discovery');
  expect(answer.json).toMatchObject({
    ledger: { verifierKey: newest?.verifierKey, verifierKeys: [newest?.verifierKey, before?.verifierKey] },
  });
  expect((await call(auditorToken, 'POST', exchange, {})).status).toBe(409);
});

function logKeysIn({
  json,
}: {
  json: unknown;
}): { verifierKey: string; state: string; endsAt: string | null }[] {
  return (json as { keys: { verifierKey: string; state: string; endsAt: string | null }[] }).keys;
}

interface LoggedEvent {
  readonly metadata: { readonly uid: string };
  readonly unmapped: { readonly lockstep: { readonly chain: readonly { readonly name: string }[] } };
}

function foundIn(answer: Answer): { sequence: number; event: LoggedEvent }[] {
  const lines = answer.text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as { sequence: number; event: LoggedEvent });
}

test('a search finds by any combination, newest first and page by page, people by name; nobody else may', async () => {
  await call(malloryToken, 'GET', '/admin/v1/me');
  const denied = await call(malloryToken, 'GET', '/admin/v1/events?person=mallory@lab.example');
  expect(denied.status).toBe(403);
  const denial = 'person=MALLORY@lab.example&decision=deny&action=Lockstep.Access/events/*';
  const [newest] = foundIn(await call(auditorToken, 'GET', `/admin/v1/events?${denial}`));
  expect(newest?.event).toMatchObject({
    unmapped: { lockstep: { decisionId: errorOf(denied)['decisionId'], allowed: false } },
  });
  expect(await call(auditorToken, 'GET', `/admin/v1/events?${denial}&person=x`)).toMatchObject({
    status: 400,
  });

  // Its end comes into the feed a moment after its answer.
  const [asked] = foundIn(
    await call(auditorToken, 'GET', `/admin/v1/events?person=${mallory.id}&decision=allow`),
  );
  const { decisionId } = z
    .object({ unmapped: z.object({ lockstep: z.object({ decisionId: z.string() }) }) })
    .parse(asked?.event).unmapped.lockstep;
  await vi.waitUntil(
    async () => foundIn(await call(auditorToken, 'GET', `/admin/v1/events?id=${decisionId}`)).length === 2,
    { timeout: 30_000 },
  );

  const everything = `/admin/v1/events?person=${mallory.id}&limit=`;
  const whole = foundIn(await call(auditorToken, 'GET', `${everything}1000`)).map(({ sequence }) => sequence);
  expect(whole).toEqual(whole.toSorted((a, b) => b - a));
  const pages: number[] = [];
  let path = `${everything}2`;
  for (;;) {
    const { headers, body } = await request(lockstep.url + path, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${auditorToken}` },
    });
    const page = foundIn({ status: 200, text: await body.text(), json: {} });
    expect(page.length).toBeLessThanOrEqual(2);
    pages.push(...page.map(({ sequence }) => sequence));
    const next = /^<(.*)>; rel="next"$/.exec(String(headers['link'] ?? ''))?.[1];
    if (next === undefined) break;
    path = next;
  }
  expect(pages).toEqual(whole);
  const cursor = new URL(path, lockstep.url).searchParams.get('cursor') ?? '';
  expect(cursor).not.toBe('');
  const other = await call(auditorToken, 'GET', `/admin/v1/events?person=${auditor.id}&cursor=${cursor}`);
  expect(other).toMatchObject({ status: 400, text: expect.stringContaining('another search') as string });

  const byDecision = foundIn(
    await call(auditorToken, 'GET', `/admin/v1/events?id=${errorOf(denied)['decisionId']}`),
  );
  expect(byDecision.map(({ sequence }) => sequence)).toContain(newest?.sequence);
  const none = await call(auditorToken, 'GET', '/admin/v1/events?until=2020-01-01');
  expect(none).toMatchObject({ status: 200, text: '' });
});

test.each([
  ['persn=x', 'persn is not known here'],
  ['person=nobody@lab.example', 'There is no person named nobody@lab.example'],
  ['job=no-such-job', 'There is no job named no-such-job'],
  ['decision=maybe', 'decision must be allow or deny'],
  ['resource=subscriptions/s', 'resource must be a scope'],
  ['resource=/subscriptions/*', 'without `*`'],
  ['action=*/read', 'action must be an operation'],
  ['since=7d', 'since must be a day or a time'],
  ['since=2027-02-31T99:00:00Z', 'since is no time of the calendar'],
  ['since=2027-02-02&until=2027-02-01', 'since must lie before until'],
  ['decision=deny&limit=1001', 'limit must be from 1 to 1000'],
  ['decision=deny&limit=0', 'limit must be from 1 to 1000'],
  ['decision=deny&cursor=eA', 'cursor is not one that was given out here'],
  ['decision=deny&after=3', 'follow=true only'],
  ['follow=true&cursor=eA', 'cursor is for a search'],
  ['__proto__=1', '__proto__ is not known here'],
])('a search for %s is refused and says why', async (query, why) => {
  const answer = await call(auditorToken, 'GET', `/admin/v1/events?${query}`);
  expect([400, 404]).toContain(answer.status);
  expect(answer.text).toContain(why);
});

test('a follower sees what happens, is listed, can be cut by another only with the right, and ends with its role', async () => {
  const controller = new AbortController();
  const { body } = await request(
    `${lockstep.url}/admin/v1/events?follow=true&after=${lockstep.foundation.ledger.lastSequence()}`,
    {
      dispatcher: agent,
      headers: { authorization: `Bearer ${auditorToken}` },
      signal: controller.signal,
    },
  );
  body.on('error', () => undefined);
  const lines = createInterface({ input: body })[Symbol.asyncIterator]();
  await call(malloryToken, 'GET', '/admin/v1/me');
  let seen = '';
  while (!seen.includes('"name":"Mallory"')) seen = ((await lines.next()) as { value: string }).value;

  const { json } = await call(auditorToken, 'GET', '/admin/v1/sessions');
  const streams = (json['value'] as { id: string; kind: string; operation: string }[]).filter(
    ({ kind }) => kind === 'stream',
  );
  const id = streams.find(({ operation }) => operation === 'Lockstep.Access/events/read')?.id ?? '';
  expect(id).not.toBe('');
  expect((await call(malloryToken, 'GET', '/admin/v1/sessions')).text).not.toContain(id);
  expect((await call(malloryToken, 'GET', '/admin/v1/sessions?all=true')).status).toBe(403);
  expect((await call(malloryToken, 'POST', `/admin/v1/sessions/${id}/cut`)).status).toBe(403);
  expect((await call(malloryToken, 'POST', '/admin/v1/sessions/req_nothing/cut')).status).toBe(403);

  const sinceCut = startWatch();
  const role = lockstep.snapshot.roleAssignment(auditorRole);
  await lockstep.foundation.ledger.commit(by(), async (tx, record) => {
    if (role !== undefined) await deleteRoleAssignment(tx, record, role);
  });
  await new Promise((resolve) => body.once('close', resolve));
  expect(sinceCut()).toBeLessThan(1000);
  controller.abort();
  auditorRole = await assign(auditor.id, roleIds.lockstepAdministrator, ownScope);
});

test('a one-time link is for enabled people, by those who have the right to make one', async () => {
  expect((await call(malloryToken, 'POST', `/admin/v1/users/${auditor.id}/sign-in-link`)).status).toBe(403);
  const fresh = await person('Fresh');
  const { json } = await call(auditorToken, 'POST', `/admin/v1/users/${fresh.id}/sign-in-link`);
  expect(json['url']).toMatch(/\/signin\/link\?code=[\w-]{43}$/);
  const gone = await person('Gone');
  await lockstep.foundation.directory.setEnabled(by(), gone.id, false);
  expect((await call(auditorToken, 'POST', `/admin/v1/users/${gone.id}/sign-in-link`)).status).toBe(409);
  expect((await call(auditorToken, 'POST', `/admin/v1/users/${newGuid()}/sign-in-link`)).status).toBe(404);
});

test('nobody makes a link that signs them in as somebody whose roles they may not assign', async () => {
  const owner = await person('Olga');
  await assign(owner.id, roleIds.owner, '/');
  const refused = await call(auditorToken, 'POST', `/admin/v1/users/${owner.id}/sign-in-link`);
  expect(refused.status).toBe(403);
  expect(refused.text).toContain('Microsoft.Authorization/roleAssignments/write');
  const ownerToken = await tokenFor(owner);
  const link = await call(ownerToken, 'POST', `/admin/v1/users/${auditor.id}/sign-in-link`);
  expect(link.status).toBe(200);
});

test('every answer is kept out of caches, and an unknown route is denied', async () => {
  const { headers, body } = await request(`${lockstep.url}/admin/v1/me`, {
    dispatcher: agent,
    headers: { authorization: `Bearer ${malloryToken}` },
  });
  await body.dump();
  expect(headers['cache-control']).toBe('no-store');
  expect((await call(auditorToken, 'GET', '/admin/v1/nothing')).status).toBe(403);
});

test('exports the policy for Cedar to whoever may see all of it, and to nobody else', async () => {
  const path = '/admin/v1/policy/export?format=cedar';
  expect((await call(malloryToken, 'GET', path)).status).toBe(403);
  const partly = await call(auditorToken, 'GET', path);
  expect(partly.status).toBe(403);
  expect(partly.text).toContain('Microsoft.Authorization/roleAssignments/read');

  const reader = await person('Rhea');
  const role = await assign(reader.id, roleIds.reader, '/');
  const readerToken = await tokenFor(reader);
  const { status, json } = await call(readerToken, 'GET', path);
  expect(status).toBe(200);
  expect(json['policies']).toContain(`@id("roleAssignment:${role}")`);
  expect(json['version']).toBeGreaterThanOrEqual(lockstep.snapshot.version);
  expect(checkParsePolicySet({ staticPolicies: json['policies'] as string })).toEqual({ type: 'success' });
  expect((await call(readerToken, 'GET', '/admin/v1/policy/export?format=rego')).status).toBe(400);
});
