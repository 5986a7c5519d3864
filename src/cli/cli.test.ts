import { createInterface } from 'node:readline';
import { validate } from '@cedar-policy/cedar-wasm/nodejs';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { Agent } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { LinkBrowser } from './connection/link-browser.ts';
import { serve, Terminal, type Server } from './testing/terminal.ts';

// Each step is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

let server: Server;
let agent: Agent;
let admin: Terminal;
let bea: Terminal;
const terminals: Terminal[] = [];

function terminal(environment: Readonly<Record<string, string>> = {}): Terminal {
  const one = new Terminal({ LOCKSTEP_URL: server.url, LOCKSTEP_CA: server.caFile, ...environment });
  terminals.push(one);
  return one;
}

beforeAll(async () => {
  server = await serve();
  agent = new Agent({ connect: { ca: readFileSync(server.caFile, 'utf8') } });
  admin = terminal();
  bea = terminal();
});
afterAll(async () => {
  for (const one of terminals) one.dispose();
  await agent.destroy();
  await server.stop();
});

test('whoever is not signed in is told so, with exit code 4', async () => {
  const run = await admin.lockstep('whoami');
  expect([run.code, run.stdout]).toEqual([4, '']);
  expect(run.stderr).toContain('lockstep login');
});

test('a server that picks its port has no address by its configuration, and whoever asks is told so', async () => {
  const local = terminal({ LOCKSTEP_URL: '', LOCKSTEP_HOME: server.home });
  const run = await local.lockstep('whoami');
  expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('login --server')]);
});

test('an authority that is not trusted is named, with the way to trust it, and exit code 6', async () => {
  const stranger = new Terminal({ LOCKSTEP_URL: server.url });
  const run = await stranger.lockstep('whoami');
  stranger.dispose();
  expect(run.code).toBe(6);
  expect(run.stderr).toMatch(/is not trusted[\s\S]*--ca FILE/);
});

test('a closed port is exit code 6, plain http is refused before anything is sent', async () => {
  expect((await admin.lockstep('whoami', '--server', 'https://127.0.0.1:1')).code).toBe(6);
  expect((await admin.lockstep('whoami', '--server', 'http://127.0.0.1:1')).code).toBe(2);
});

test('a one-time link signs in once, and leaves credentials that only their owner can read', async () => {
  const run = await admin.lockstep('login', '--link', server.signIn);
  expect([run.code, run.stderr]).toEqual([0, '']);
  expect(run.stdout).toMatch(/^signed in {2}admin@/);
  const file = join(admin.directory, 'config', 'credentials.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const again = await bea.lockstep('login', '--link', server.signIn);
  expect(again.code).toBe(4);
  expect(await admin.json('whoami')).toMatchObject({
    principal: { kind: 'user' },
    roleAssignments: [{ roleName: 'Owner', scope: '/', through: { displayName: 'Administrator' } }],
  });
});

test('without a link it waits for a browser on loopback, and listens to the reply of its own sign-in alone', async () => {
  const { url } = (await admin.json('user', 'link', 'admin@lockstep.local')) as { url: string };
  const browser = new LinkBrowser(server.url, agent, 'Mozilla/5.0');
  await browser.press(await browser.open(new URL(url)));
  const desk = terminal();
  const child = desk.start('login', '--json');
  const address = await printedAddress(child);
  const callback = new URL(address.searchParams.get('redirect_uri') ?? '');
  for (const forged of ['?code=x&state=y', '?error=access_denied', '']) {
    expect((await fetch(callback.href + forged)).status).toBe(404);
  }
  expect((await browser.open(address)).html).toContain('Signed in');
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
  expect((await desk.lockstep('whoami')).code).toBe(0);
  await expect(fetch(callback)).rejects.toThrow();
});

async function printedAddress(child: ChildProcess): Promise<URL> {
  let text = '';
  for await (const chunk of child.stderr ?? []) {
    text += String(chunk);
    const address = /^ +(https:\S+)\n/m.exec(text)?.[1];
    if (address !== undefined) return new URL(address);
  }
  throw new Error(`no address was printed: ${text}`);
}

test('a server without connections says where they are configured', async () => {
  const run = await admin.lockstep('connections');
  expect([run.code, run.stderr]).toEqual([0, '']);
  expect(run.stdout).toMatch(
    /^No connection is configured\.\n.*config\.json.*\n.*start the server again\.\n$/,
  );
});

test('a link of another server is not followed', async () => {
  const run = await bea.lockstep('login', '--link', 'https://evil.example/signin/link?code=x');
  expect(run.code).toBe(2);
  expect(run.stderr).toContain('https://evil.example');
});

test('a person, a group, a role: then the person may, and it is said why', async () => {
  await admin.json('user', 'create', 'bea@lab.example', '--name', 'Bea Carlson');
  await admin.json('group', 'create', 'ml-research');
  await admin.json('group', 'add', 'ml-research', 'bea@lab.example');
  await admin.json('role', 'assign', '--role', 'azureml data scientist', '--assignee', 'ml-research');
  expect(await admin.json('group', 'list', 'ml-research')).toMatchObject([{ displayName: 'Bea Carlson' }]);
  const { url } = (await admin.json('user', 'link', 'bea@lab.example')) as { url: string };
  expect((await bea.lockstep('login', '--link', url)).code).toBe(0);
  const check = await bea.lockstep('check', 'Microsoft.MachineLearningServices/workspaces/jobs/write');
  expect([check.code, check.stderr]).toEqual([0, '']);
  expect(check.stdout).toContain(
    'yes  Bea Carlson: AzureML Data Scientist at workspace, held through ml-research, allows it.',
  );
});

test('attributes are set, shown and removed; a pair without its set is refused', async () => {
  const set = (...pairs: string[]) =>
    admin.lockstep('principal', 'attributes', 'set', 'bea@lab.example', ...pairs);
  expect((await set('Ml.Purpose=research', 'Ml.Gpus=4', 'Ml.Projects=["a","b"]')).code).toBe(0);
  const show = () => admin.json('principal', 'attributes', 'show', 'bea@lab.example');
  expect(await show()).toEqual({ 'Ml.Purpose': 'research', 'Ml.Gpus': 4, 'Ml.Projects': ['a', 'b'] });
  expect((await set('Ml.Gpus=', 'Ml.Projects=')).code).toBe(0);
  expect(await show()).toEqual({ 'Ml.Purpose': 'research' });
  expect((await set('Purpose=research')).code).toBe(2);
});

test('a denial names action, scope, policy and decision; explain says what would allow it and who can grant it', async () => {
  const run = await bea.lockstep('user', 'list');
  expect([run.code, run.stdout]).toEqual([3, '']);
  expect(run.stderr).toContain('No role assignment allows this to Bea Carlson.');
  expect(run.stderr).toMatch(
    /action +Lockstep\.Access\/users\/read\n +scope +\/providers\/lockstep\.access\n +policy +default:missing-grant/,
  );
  const id = /decision +(dec_\w{26})/.exec(run.stderr)?.[1] ?? '';
  expect(run.stderr).toContain(`lockstep explain ${id}`);
  const explained = await bea.lockstep('explain', id);
  expect([explained.code, explained.stderr]).toEqual([0, '']);
  expect(explained.stdout).toMatch(
    /What would allow it, for Bea Carlson:\n {2}role {2}.*Lockstep Administrator/,
  );
  expect(explained.stdout).toMatch(/WHO CAN GRANT IT.*\nAdministrator/);
  // She cannot give roles: what she is left with is what she can do.
  expect(explained.stdout).toMatch(
    new RegExp(
      `An administrator would run:\\nlockstep role assign .*\\n\\nAsk for it: lockstep requests ask ${id} --reason '…'\\n$`,
    ),
  );
  expect((await bea.lockstep('requests', 'ask', id, '--reason', 'To invite people.')).code).toBe(0);
  const toAdministrator = await admin.lockstep('explain', id);
  expect(toAdministrator.stdout).toMatch(/\n\nlockstep role assign .*\n$/);
  expect(toAdministrator.stdout).not.toMatch(/would run|Ask for it/);
});

test('who is denied through a group is told through which', async () => {
  for (const name of ['night-shift', 'contractors']) await admin.json('group', 'create', name);
  await admin.json('group', 'add', 'contractors', 'night-shift');
  await admin.json('group', 'add', 'night-shift', 'bea@lab.example');
  const where = ['--scope', 'container:nights'];
  const about = ['--name', 'No nights', '--principal', 'contractors', '--action', '*/read'];
  const denied = (await admin.json('deny', 'create', ...about, ...where)) as { name: string };
  const action = 'Microsoft.Storage/storageAccounts/blobServices/containers/read';
  const check = await bea.lockstep('check', action, ...where);
  expect(check.stdout).toContain(
    'the deny assignment “No nights” at container:nights, through night-shift → contractors, forbids it',
  );
  await admin.json('deny', 'delete', denied.name, ...where);
});

test('who looks into the log explains a denial by the id of its event or of its request', async () => {
  const denied = await bea.lockstep('app', 'list');
  const id = /decision +(dec_\w{26})/.exec(denied.stderr)?.[1] ?? '';
  const found = await admin.lockstep('ledger', 'search', id, '--json');
  const { event } = JSON.parse(found.stdout) as {
    event: { metadata: { uid: string; correlation_uid: string } };
  };
  const byDecision = await admin.lockstep('explain', id);
  expect(byDecision.stdout).toContain(id);
  for (const named of [event.metadata.uid, event.metadata.correlation_uid]) {
    expect(await admin.lockstep('explain', named)).toEqual(byDecision);
  }
  const none = await admin.lockstep('explain', 'req_01jz0000000000000000000000');
  expect([none.code, none.stderr]).toEqual([5, expect.stringContaining('No decision belongs to req_01jz')]);
  expect((await bea.lockstep('explain', event.metadata.uid)).code).toBe(3);
});

test('a check tells who cannot grant what is missing that an administrator would, and of nothing to ask for', async () => {
  const check = await bea.lockstep(
    'check',
    'Lockstep.Access/users/read',
    '--scope',
    '/providers/lockstep.access',
  );
  expect(check.stdout).toMatch(/An administrator would run:\nlockstep role assign .*\n$/);
});

test('a conditional role, a custom role and a deny assignment are made, seen, explained and ended', async () => {
  const action = 'Microsoft.Storage/storageAccounts/blobServices/containers/read';
  const check = () => bea.lockstep('check', action, '--scope', 'container:conditional');
  const condition = "@Environment[UtcNow] DateTimeLessThan '2020-01-01T00:00:00.0Z'";
  const where = ['--scope', 'container:conditional'];
  const given = (await admin.json(
    'role',
    'assign',
    '--role',
    'Storage Blob Data Reader',
    '--assignee',
    'bea@lab.example',
    ...where,
    '--condition',
    condition,
  )) as { name: string; properties: { condition: string } };
  expect(given.properties.condition).toBe(condition);
  const refused = await check();
  expect(refused.code).not.toBe(0);
  expect(refused.stdout).toContain('its condition is not true here');
  expect(refused.stdout).toMatch(
    /meet it, or give the role without any:\n\nAn administrator would run:\nlockstep role assign --role .* --scope container:conditional\n/,
  );
  const broken = await admin.lockstep(
    'role',
    'assign',
    '--role',
    'Reader',
    '--assignee',
    'bea@lab.example',
    '--condition',
    '@Resource[x',
  );
  expect(broken.code).not.toBe(0);
  expect(broken.stderr).toContain('character 0 (at `@Resource[x`)');
  const role = ['--role', 'Storage Blob Data Reader', '--assignee', 'bea@lab.example'];
  const twice = await admin.lockstep('role', 'assign', ...role, ...where);
  expect(twice.stderr).toContain('lockstep role remove ID --scope container:conditional');
  const cut = await admin.lockstep('role', 'remove', given.name.slice(0, 8), ...where);
  expect([cut.code, cut.stderr]).toEqual([2, expect.stringContaining('not the id of a role assignment')]);
  // Azure's message names the assignment without hyphens.
  await admin.json('role', 'remove', given.name.replaceAll('-', ''), ...where);
  expect(await admin.json('role', 'list', ...where, '--assignee', 'bea@lab.example')).not.toMatchObject([
    { name: given.name },
  ]);

  const file = join(mkdtempSync(join(tmpdir(), 'lockstep-role-')), 'role.json');
  writeFileSync(
    file,
    JSON.stringify({
      roleName: 'Container lister',
      permissions: [{ actions: [action] }],
      assignableScopes: ['/'],
    }),
  );
  const nowhere = `${file}.nowhere`;
  const lister = { roleName: 'Container lister', permissions: [{ actions: [action] }] };
  writeFileSync(nowhere, JSON.stringify({ ...lister, assignableScopes: ['/subscriptions/6f0c…'] }));
  const lost = await admin.lockstep('role', 'definition', 'create', '--file', nowhere);
  expect([lost.code, lost.stderr]).toEqual([2, expect.stringContaining('Nothing can lie at')]);
  await admin.json('role', 'definition', 'create', '--file', file);
  await admin.json('role', 'assign', '--role', 'Container lister', '--assignee', 'bea@lab.example', ...where);
  expect((await check()).code).toBe(0);
  expect((await admin.lockstep('role', 'definition', 'show', 'container lister')).stdout).toContain(action);

  // Assignable in another subscription alone, it is in no list of this one's.
  const far = { ...lister, roleName: 'Far lister' };
  const other = ['/subscriptions/00000000-0000-4000-8000-0000000000aa'];
  const define = (scopes: readonly string[]) => {
    writeFileSync(file, JSON.stringify({ ...far, assignableScopes: scopes }));
    return admin.json('role', 'definition', 'create', '--file', file) as Promise<{ name: string }>;
  };
  const first = await define(other);
  const give = ['role', 'assign', '--role', 'Far lister', '--assignee', 'bea@lab.example', ...where];
  const ungiven = await admin.lockstep(...give);
  expect([ungiven.code, ungiven.stderr]).toEqual([5, expect.stringContaining('--scope /')]);
  expect((await define(['/'])).name).toBe(first.name);
  await admin.json(...give);

  const denied = (await admin.json(
    'deny',
    'create',
    '--name',
    'incident 42',
    '--everyone',
    '--except',
    'admin@lockstep.local',
    '--action',
    '*',
    ...where,
  )) as { name: string };
  const under = await check();
  expect(under.code).not.toBe(0);
  expect(under.stdout).toContain('incident 42');
  expect(under.stdout).toContain(`lockstep deny delete ${denied.name} --scope container:conditional`);
  const denials = await admin.lockstep('deny', 'list', ...where);
  expect(denials.stdout).toMatch(/incident 42 +\* +everyone +1 principal/);
  const whole = await admin.lockstep('deny', 'show', denied.name, ...where);
  expect(whole.stdout).toMatch(/to +everyone\nexcept +Administrator/);
  await admin.json('deny', 'delete', denied.name, ...where);
  expect((await check()).code).toBe(0);

  // A directory of a notebook server, `Team B`: as the guide and every explanation write it.
  const directory = ['--scope', 'workspace/computes/nb/directories/%54eam%20%42'];
  const there = (await admin.json(
    'deny',
    'create',
    '--name',
    'B',
    '--everyone',
    '--except',
    'admin@lockstep.local',
    '--action',
    '*/delete',
    ...directory,
  )) as { name: string; properties: { scope: string } };
  expect(there.properties.scope).toMatch(/\/directories\/%54eam%20%42$/);
  expect((await admin.lockstep('deny', 'list', ...directory)).stdout).toContain('%54eam%20%42');
  await admin.json('deny', 'delete', there.name, ...directory);
  const reading = (await admin.json(
    'role',
    'assign',
    '--role',
    'Reader',
    '--assignee',
    'bea@lab.example',
    ...directory,
  )) as { name: string };
  expect((await admin.lockstep('role', 'list', ...directory)).stdout).toContain('%54eam%20%42');
  await admin.json('role', 'remove', reading.name, ...directory);
  expect((await admin.lockstep('role', 'list', ...directory)).stdout).not.toContain('%54eam%20%42');
});

test('management groups are made, shown as a tree, moved, given a subscription and a role, and deleted', async () => {
  const groups = (...words: string[]) => admin.json('management-group', ...words);
  await groups('create', 'research', '--display-name', 'Research');
  await groups('create', 'vision', '--parent', 'research');
  await groups('add-subscription', 'vision');
  const shown = await admin.lockstep('management-group', 'show', 'research');
  expect(shown.stdout).toMatch(
    /^beneath {2}[0-9a-f-]{36}\nresearch \(Research\)\n {2}vision\n {4}subscription [0-9a-f-]{36}\n$/,
  );
  expect((await admin.lockstep('management-group', 'list')).stdout).toContain('Tenant Root Group');

  const action = 'Microsoft.Resources/subscriptions/read';
  const check = async () => (await bea.lockstep('check', action, '--scope', 'subscription')).code;
  expect(await check()).not.toBe(0);
  const scope = ['--scope', 'management-group:vision'];
  await admin.json('role', 'assign', '--role', 'Reader', '--assignee', 'bea@lab.example', ...scope);
  expect(await check()).toBe(0);
  expect((await admin.lockstep('role', 'list')).stdout).toContain('management-group:vision');
  await groups('move', 'vision');
  const full = await admin.lockstep('management-group', 'delete', 'vision');
  expect(full.code).not.toBe(0);
  expect(full.stderr).toContain('not empty');
  expect((await bea.lockstep('management-group', 'remove-subscription', 'vision')).stderr).toContain(
    'managementGroups/subscriptions/delete',
  );
  await groups('remove-subscription', 'vision');
  expect(await check()).not.toBe(0);
  await groups('delete', 'vision');
  await groups('delete', 'research');
});

test('the whole policy is exported for Cedar, in files for their owner only; not to whoever may not see it all', async () => {
  const out = join(admin.directory, 'policy');
  const written = (await admin.json('policy', 'export', '--out', out)) as {
    files: string[];
    policies: number;
  };
  expect(written.files.map((file) => file.slice(out.length + 1))).toEqual([
    'policies.cedar',
    'entities.json',
    'schema.cedarschema.json',
    'notes.json',
  ]);
  expect(written.files.map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600, 0o600, 0o600]);
  const [policies = '', , schema = ''] = written.files.map((file) => readFileSync(file, 'utf8'));
  expect(policies.match(/^@id\(/gm)).toHaveLength(written.policies);
  const validated = validate({ schema: JSON.parse(schema) as never, policies: { staticPolicies: policies } });
  expect(validated).toMatchObject({ type: 'success', validationErrors: [] });

  const refused = await bea.lockstep('policy', 'export', '--out', join(bea.directory, 'policy'));
  expect(refused.code).toBe(3);
  expect(refused.stderr).toContain('Lockstep.Access/policy/export/read');
});

test('check says so where only a real request could tell what a condition asks for', async () => {
  const action = 'Microsoft.MachineLearningServices/workspaces/write';
  const role = ['--role', 'Contributor', '--assignee', 'bea@lab.example'];
  const jobs = 'Microsoft.MachineLearningServices/workspaces/jobs';
  const given = (await admin.json(
    'role',
    'assign',
    ...role,
    '--condition',
    `@Request[${jobs}:gpuCount] NumericLessThanEquals 8`,
  )) as { name: string };
  const run = await bea.lockstep('check', action);
  expect([run.code, run.stderr]).toEqual([3, expect.stringContaining('what only a real request tells')]);
  await admin.json('role', 'remove', given.name);
  expect((await bea.lockstep('check', action)).stderr).toBe('');
});

test('who may give roles but not read the directory is told to name people by object id', async () => {
  const role = ['--role', 'Role Based Access Control Administrator', '--assignee', 'bea@lab.example'];
  const given = (await admin.json('role', 'assign', ...role)) as { name: string };
  const run = await bea.lockstep('role', 'assign', '--role', 'Reader', '--assignee', 'admin@lockstep.local');
  expect([run.code, run.stderr]).toEqual([3, expect.stringContaining('Name them by object id')]);
  await admin.json('role', 'remove', given.name);
});

test('the last administrator is told who else must be one before they go', async () => {
  const bare = await admin.lockstep(
    'deny',
    'create',
    '--name',
    'oops',
    '--everyone',
    '--action',
    '*',
    '--scope',
    '/',
  );
  expect(bare.code).not.toBe(0);
  expect(bare.stderr).toContain('exclude somebody');
});

test('under --json a failure is one line of JSON on standard error, and standard output stays empty', async () => {
  const run = await bea.lockstep('user', 'list', '--json');
  expect([run.code, run.stdout, run.stderr.trim().split('\n').length]).toEqual([3, '', 1]);
  expect(JSON.parse(run.stderr)).toMatchObject({
    error: {
      code: 'Authorization_RequestDenied',
      exitCode: 3,
      decisionId: expect.stringMatching(/^dec_/) as unknown,
    },
  });
});

test('under --json a wrong command line is one line of JSON too', async () => {
  for (const line of [['frobnicate'], ['job'], ['job', 'list', 'extra'], ['whoami', '--typo']]) {
    const run = await bea.lockstep(...line, '--json');
    expect([run.code, run.stdout, run.stderr.trim().split('\n').length]).toEqual([2, '', 1]);
    expect(JSON.parse(run.stderr)).toMatchObject({ error: { code: 'usage', exitCode: 2 } });
  }
});

test('a token for a resource is printed alone, so that another client can be given it', async () => {
  const run = await bea.lockstep('token', '--resource', 'https://management.azure.com');
  expect([run.code, run.stderr]).toEqual([0, '']);
  expect(run.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  expect((await bea.lockstep('token')).code).toBe(2);
  const unknown = await bea.lockstep('token', '--connection', 'no-such');
  expect([unknown.code, unknown.stderr]).toEqual([
    5,
    expect.stringContaining('Is there `connections.no-such` in the configuration of the server'),
  ]);
});

test('a token that is handed on has three quarters of its hour left; commands go on with what they have', async () => {
  const file = join(bea.directory, 'config', 'credentials.json');
  const resource = 'https://management.azure.com';
  const leave = (minutes: number) => {
    const text = readFileSync(file, 'utf8').replaceAll(
      /"expiresAt": ?\d+/g,
      `"expiresAt":${Date.now() + minutes * 60_000}`,
    );
    writeFileSync(file, text, { mode: 0o600 });
  };
  const handedOn = async () => (await bea.lockstep('token', '--resource', resource)).stdout;
  const kept = () => JSON.stringify(JSON.parse(readFileSync(file, 'utf8')));
  const first = await handedOn();
  expect((await bea.lockstep('whoami')).code).toBe(0);
  leave(46);
  expect(await handedOn()).toBe(first);
  leave(44);
  const before = kept();
  expect((await bea.lockstep('whoami')).code).toBe(0);
  expect(kept()).toBe(before);
  expect(await handedOn()).not.toBe(first);
});

test('another’s decision is refused alike whether it exists or not', async () => {
  const denied = await bea.lockstep('group', 'list');
  const id = /decision +(dec_\w{26})/.exec(denied.stderr)?.[1] ?? '';
  const { url } = await invite('eve@lab.example');
  const eve = terminal();
  await eve.lockstep('login', '--link', url);
  const real = await eve.lockstep('explain', id);
  const made = await eve.lockstep('explain', 'dec_01jz0000000000000000000000');
  const shape = (text: string) => text.replaceAll(/dec_\w{26}/g, 'dec');
  expect([real.code, shape(real.stderr)]).toEqual([made.code, shape(made.stderr)]);
  expect(real.code).toBe(3);
  expect((await admin.lockstep('explain', id)).code).toBe(0);
  expect((await admin.lockstep('explain', 'dec_01jz0000000000000000000000')).code).toBe(5);
});

async function invite(signInName: string): Promise<{ url: string }> {
  await admin.json('user', 'create', signInName);
  return (await admin.json('user', 'link', signInName)) as { url: string };
}

test.each([
  [
    ['check', 'Microsoft.MachineLearningServices/workspaces/jobs/wite'],
    /Did you mean Microsoft\.MachineLearningServices\/workspaces\/jobs\/write\?/,
  ],
  [['check', 'jobs'], /is not an operation/],
  [['role', 'assign', '--role', 'Ownr', '--assignee', 'ml-research'], /Did you mean `Owner`\?/],
  [
    ['role', 'assign', '--role', 'Owner', '--assignee', 'nobody'],
    /There is no group or application named `nobody`[^]*lockstep user list/,
  ],
  [
    ['role', 'assign', '--role', 'Owner', '--assignee', 'beea@lab.example'],
    /There is no person named `beea@lab\.example`[^]*Did you mean `bea@lab\.example`\?/,
  ],
  [['user', 'link', 'zed@lab.example'], /There is no person named [^]*lockstep user list/],
  [['role', 'list', '--assignee', 'bea'], /Did you mean `bea@lab\.example`\?/],
  [['group', 'list', 'ml-reserch'], /Did you mean `ml-research`\?/],
  [['chek'], /Did you mean check\?/],
  [['role', 'list', '--scope', 'workspce'], /`workspce` is not a scope/],
  [['explain', 'x'], /is not a decision id/],
])('lockstep %j says what is wrong and what may have been meant', async (args, expected) => {
  const run = await admin.lockstep(...args);
  expect(run.code).not.toBe(1);
  expect(run.stdout + run.stderr).toMatch(expected);
});

test('a check of what nothing asks for says so first, and offers no grant of it', async () => {
  const run = await bea.lockstep('check', 'workspaces/jobs/write');
  expect(run.code).toBe(3);
  expect(run.stdout).toMatch(
    /^Nothing here asks for workspaces\/jobs\/write[^\n]*\. Did you mean Microsoft\.MachineLearningServices\/workspaces\/jobs\/write\?\n/,
  );
  expect(run.stdout).not.toMatch(/role assign |What would allow it|WHO CAN GRANT/);
  const unlike = await bea.lockstep('check', 'Contoso.Nothing/at/all', '--scope', 'subscription');
  expect([unlike.code, unlike.stdout]).toEqual([3, expect.not.stringMatching(/role assign |Did you mean/)]);
});

test('a job file is submitted with its code, streamed to its end, and shown', async () => {
  await admin.json(
    'role',
    'assign',
    '--role',
    'Storage Blob Data Contributor',
    '--assignee',
    'ml-research',
    '--scope',
    'storage',
  );
  mkdirSync(join(bea.directory, 'src'));
  writeFileSync(
    join(bea.directory, 'src', 'train.mjs'),
    'console.log("rate", process.argv[2]); console.error("to stderr");',
  );
  writeFileSync(join(bea.directory, 'src', 'empty.txt'), '');
  const file = bea.file(
    'job.yml',
    'command: node train.mjs ${{inputs.rate}}\ncode: ./src\nenvironment: node\ninputs:\n  rate: 0.5\n',
  );
  const run = await bea.lockstep('job', 'submit', file, '--name', 'first', '--stream');
  expect(run.stdout).toContain('rate 0.5');
  expect(run.code).toBe(0);
  expect(run.stderr).toMatch(/src: 2 files, .*\n[\s\S]*first {2}Completed/);
  const again = await bea.lockstep('job', 'submit', file, '--name', 'second', '--stream');
  expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('src: unchanged, nothing sent')]);
  expect(await bea.json('job', 'list')).toMatchObject([{ name: 'second' }, { name: 'first' }]);
  expect((await bea.lockstep('job', 'show', 'first')).stdout).toMatch(
    /^job +first\n(.*\n)*status +Completed/,
  );
});

test('a job that fails ends as exit code 8, one that is canceled too, one that does not exist as 5', async () => {
  const failed = await bea.lockstep(
    'job',
    'submit',
    '--command',
    'exit 3',
    '--environment',
    'node',
    '--stream',
  );
  expect(failed.code).toBe(8);
  const running = (await bea.json(
    'job',
    'submit',
    '--command',
    'sleep 60',
    '--environment',
    'node',
    '--tag',
    'purpose=sleep',
  )) as {
    name: string;
    properties: { tags: unknown };
  };
  expect(running.properties.tags).toEqual({ purpose: 'sleep' });
  const watching = bea.lockstep('job', 'stream', running.name);
  expect((await bea.lockstep('job', 'cancel', running.name)).code).toBe(0);
  expect((await watching).code).toBe(8);
  expect((await bea.lockstep('job', 'show', 'no-such-job')).code).toBe(5);
  expect(failed.stderr).toContain('The command exited with code 3.');
  expect(await bea.json('job', 'cancel', running.name)).toEqual({
    canceling: null,
    name: running.name,
    status: 'Canceled',
  });
});

test('a job file with a typing error is refused before anything is uploaded, naming the member', async () => {
  const run = await bea.lockstep('job', 'submit', bea.file('bad.yml', 'comand: x\nenvironment: node\n'));
  expect(run.code).toBe(2);
  expect(run.stderr).toContain('Did you mean `command`?');
});

test('the log verifies over the wire, from its directory and by receipt; one changed byte does not', async () => {
  const whole = (await admin.json('ledger', 'verify')) as { verifierKey: string; size: number };
  expect(whole.size).toBeGreaterThan(10);
  const copy = join(admin.directory, 'ledger');
  const served = join(server.home, 'ledger');
  await admin.json('ledger', 'copy', copy, served, '--key', whole.verifierKey);
  const local = ['ledger', 'verify', copy, '--key', whole.verifierKey];
  expect((await admin.lockstep(...local)).code).toBe(0);
  expect((await admin.lockstep('ledger', 'verify', copy)).code).toBe(2);
  expect((await admin.lockstep('ledger', 'verify', copy, '--key', 'no-key')).code).toBe(2);
  const tail = await admin.lockstep('ledger', 'tail', '--lines', '5', '--json');
  const { event } = JSON.parse(tail.stdout.split('\n')[0] ?? '') as { event: { metadata: { uid: string } } };
  await admin.json('ledger', 'receipt', event.metadata.uid, '--out', 'event.tlog-proof');

  const offline = new Terminal({ LOCKSTEP_URL: 'https://127.0.0.1:1' });
  const receipt = readFileSync(join(admin.directory, 'event.tlog-proof'), 'utf8');
  const proof = ['ledger', 'verify', '--key', whole.verifierKey, '--receipt'];
  expect((await offline.lockstep(...proof, offline.file('good', receipt))).code).toBe(0);
  const forged = receipt.replace(
    /^extra (.)/m,
    (_line, first: string) => `extra ${first === 'A' ? 'B' : 'A'}`,
  );
  expect((await offline.lockstep(...proof, offline.file('forged', forged))).code).toBe(7);
  offline.dispose();

  const bundles = join(copy, 'tile', 'entries');
  for (const name of readdirSync(bundles, { recursive: true, encoding: 'utf8' })) {
    const path = join(bundles, name);
    if (statSync(path).isDirectory()) continue;
    const content = readFileSync(path);
    content[100] = (content[100] ?? 0) ^ 1;
    chmodSync(path, 0o600);
    writeFileSync(path, content);
  }
  const broken = await admin.lockstep(...local);
  expect(broken.code).toBe(7);
  expect(broken.stderr).toContain('does not verify');
});

test('events are found by a job’s name, by person and action, and by an id alone; not by whoever may not', async () => {
  const lines = (text: string) => text.split('\n').filter((line) => line !== '');
  const found = async (...args: readonly string[]) => {
    const { code, stdout } = await admin.lockstep('ledger', 'search', ...args, '--json');
    expect(code).toBe(0);
    return lines(stdout).map((line) => JSON.parse(line) as FoundLine);
  };
  const ofJob = await found('--job', 'first', '--all');
  const codes = ofJob.map(({ event }) => event.metadata.event_code);
  expect(codes).toContain('lease.opened');
  expect(codes).toContain('lease.ended');
  expect(await found('--job', 'first', '--limit', '3')).toEqual(ofJob.slice(0, 3));
  expect(await found('--job', 'first', '--until', '2020-01-01')).toEqual([]);
  const opened = ofJob.find(({ event }) => event.metadata.event_code === 'lease.opened')?.event;
  const { decisionId } = opened?.unmapped.lockstep ?? { decisionId: '' };
  const submission = await found(decisionId);
  expect(submission.map(({ event }) => event.metadata.event_code)).toContain('request.decided');
  expect((await found(opened?.metadata.uid ?? '')).map(({ event }) => event.metadata.uid)).toEqual(
    expect.arrayContaining(submission.map(({ event }) => event.metadata.uid)),
  );

  const denied = await bea.lockstep('ledger', 'search', '--since', '1h');
  expect(denied).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('Lockstep.Access/events/read') as string,
  });
  const shown = await admin.lockstep(
    'ledger',
    'search',
    '--action',
    'Lockstep.Access/events/*',
    '--decision',
    'deny',
  );
  expect(shown.stdout).toMatch(/^WHEN +EVENT +WHO +WHAT/);
  expect(shown.stdout).toMatch(/denied +Lockstep\.Access\/events\/read/);
  const tail = await admin.lockstep('ledger', 'tail', '--lines', '1', '--decision', 'deny', '--json');
  expect(lines(tail.stdout)).toHaveLength(1);
  const operations = (text: string) =>
    lines(text).map((line) => (JSON.parse(line) as FoundLine).event.unmapped.lockstep.operation);
  const discovery = 'Lockstep.Access/discovery/read';
  const usual = await admin.lockstep('ledger', 'tail', '--lines', '30', '--json');
  expect(operations(usual.stdout)).toHaveLength(30);
  expect(operations(usual.stdout)).not.toContain(discovery);
  const whole = await admin.lockstep('ledger', 'tail', '--lines', '30', '--all', '--json');
  expect(operations(whole.stdout)).toContain(discovery);
  const asked = await admin.lockstep('ledger', 'tail', '--lines', '2', '--action', discovery, '--json');
  expect(operations(asked.stdout)).toEqual([discovery, discovery]);
  const ends = await found('--action', 'request.ended', '--limit', '5');
  expect(ends.map(({ event }) => event.metadata.event_code)).toEqual(Array(5).fill('request.ended'));
  // One column for the id, wherever it is looked for.
  const tailed = await admin.lockstep('ledger', 'tail', '--lines', '1');
  expect(tailed.stdout.indexOf('evt_')).toBe(lines(shown.stdout)[1]?.indexOf('evt_'));
  expect((await admin.lockstep('ledger', 'search', '--since', 'yesterday')).code).toBe(2);
  expect((await admin.lockstep('ledger', 'prune')).code).toBe(2);
  expect(await admin.json('ledger', 'prune', '--keep', '400d')).toMatchObject({ firstIndex: 0, rows: 0 });
  expect((await admin.lockstep('ledger', 'search', '--person', 'nobody@lab.example')).code).toBe(5);
});

interface FoundLine {
  readonly event: {
    readonly metadata: { readonly uid: string; readonly event_code: string };
    readonly unmapped: { readonly lockstep: { readonly decisionId: string; readonly operation?: string } };
  };
}

test('decisions are made again from the log, all of a copy or one by its id', async () => {
  const denied = await bea.lockstep('ledger', 'tail');
  const id = /dec_[0-9a-z]{26}/.exec(denied.stderr)?.[0] ?? '';
  const { verifierKey } = (await admin.json('ledger', 'verify')) as { verifierKey: string };
  await vi.waitUntil(async () => (await admin.lockstep('explain', id, '--replay')).code !== 5, {
    timeout: 30_000,
  });
  const one = await admin.lockstep('explain', id, '--replay');
  expect([one.code, one.stdout]).toEqual([0, expect.stringContaining('says the same again')]);

  const copy = join(admin.directory, 'replayed');
  const offline = new Terminal({ LOCKSTEP_URL: 'https://127.0.0.1:1' });
  await offline.json('ledger', 'copy', copy, join(server.home, 'ledger'), '--key', verifierKey);
  const run = await offline.lockstep('ledger', 'replay', copy, '--key', verifierKey, '--json');
  expect([run.code, run.stderr]).toEqual([0, '']);
  const counted = JSON.parse(run.stdout) as Record<string, number>;
  expect(counted).toMatchObject({ differs: 0, 'cannot-be-told': 0, decisions: [] });
  expect(counted['same']).toBeGreaterThan(20);
  const absent = 'dec_01jz0000000000000000000000';
  const missing = await offline.lockstep(
    'ledger',
    'replay',
    copy,
    '--key',
    verifierKey,
    '--decision',
    absent,
  );
  expect(missing.code).toBe(5);
  offline.dispose();
  expect((await bea.lockstep('explain', id, '--replay')).code).toBe(3);
});

test('a sign-in is listed and ended by its owner, not by another; what rested on it stops', async () => {
  const { url } = await invite('cut@lab.example');
  const cut = terminal();
  await cut.lockstep('login', '--link', url);
  const [session] = (await cut.json('sessions')) as { id: string; kind: string }[];
  expect(session).toMatchObject({ kind: 'sign-in', current: true });
  expect((await cut.lockstep('sessions')).stdout).toMatch(
    /\nses_\w+ +sign-in \(this one\) +cut +command line +/,
  );
  const other = await bea.lockstep('sessions', 'cut', session?.id ?? '');
  const unknown = await bea.lockstep('sessions', 'cut', 'ses_01jz0000000000000000000000');
  expect([other.code, unknown.code]).toEqual([3, 3]);
  expect((await admin.lockstep('sessions', 'cut', session?.id ?? '')).code).toBe(0);
  expect((await cut.lockstep('whoami')).code).toBe(4);
});

test('streams are followed as they open and end, and cut', async () => {
  const watching = admin.start('sessions', 'follow', '--all', '--sign-ins', '--json');
  const told: { what: string; at: string; session: { id: string; operation: string; kind: string } }[] = [];
  createInterface({ input: watching.stdout ?? process.stdin }).on('line', (line) => {
    told.push(JSON.parse(line) as (typeof told)[number]);
  });
  // What is open by then is told as such: the stream is to open after that.
  await vi.waitUntil(() => told.some(({ what }) => what === 'open'), { timeout: 30_000 });
  const stream = admin.start('ledger', 'tail', '--follow', '--lines', '0');
  const gone = new Promise((resolve) => stream.once('close', resolve));
  const found = (what: string) =>
    told.find((one) => one.what === what && one.session.operation === 'Lockstep.Access/events/read');
  await vi.waitUntil(() => found('opened') !== undefined, { timeout: 30_000 });
  const { id, kind } = found('opened')?.session ?? { id: '', kind: '' };
  expect([kind, (await bea.lockstep('sessions', 'cut', id)).code]).toEqual(['stream', 3]);
  expect(found('opened')?.at).toMatch(/^\d{4}-.*Z$/);
  const listed = await admin.lockstep('sessions', 'list');
  expect(listed.stdout).toMatch(new RegExp(`\\n${id} +stream +Administrator +directory +`));
  expect(listed.stdout).toMatch(/ sign-in +Administrator +browser, command line +/);
  const cut = await admin.lockstep('sessions', 'cut', id);
  expect([cut.code, cut.stderr]).toEqual([0, '']);
  const { credential } = (await admin.json('whoami')) as { credential: { sessionId: string } };
  expect(cut.stdout).toContain('Administrator is still signed in and may open it again.');
  expect(cut.stdout).toContain(`\`lockstep sessions cut ${credential.sessionId}\``);
  const names = /`lockstep (role list --assignee \S+ --scope directory)`/.exec(cut.stdout)?.[1] ?? '';
  expect((await admin.lockstep(...names.split(' '))).stdout).toMatch(/\nOwner /);
  await vi.waitUntil(() => found('ended')?.session.id === id, { timeout: 30_000 });
  await gone;
  const me = ((await admin.json('whoami')) as { principal: { id: string } }).principal.id;
  const decision = /under (dec_\w+)/.exec(cut.stdout)?.[1] ?? '';
  // The end of the stream says who ended it, and is found by the decision that let them, beside that.
  await vi.waitUntil(
    async () => (await admin.lockstep('ledger', 'search', decision)).stdout.includes(`cut (by ${me}) 200`),
    { timeout: 30_000 },
  );
  expect((await admin.lockstep('ledger', 'search', id)).stdout).toContain('Lockstep.Access/sessions/cut');
  watching.kill('SIGINT');
  expect(await new Promise((resolve) => watching.once('close', resolve))).toBe(0);
  expect((await bea.lockstep('sessions', 'follow', '--all')).code).toBe(3);
});

test('what was open already is told with the time at which it began', async () => {
  const watching = admin.start('sessions', 'follow', '--sign-ins');
  const lines: string[] = [];
  createInterface({ input: watching.stdout ?? process.stdin }).on('line', (line) => lines.push(line));
  const own = /^(\S+ \S+Z) {2}open {4}(ses_\w+) {2}Administrator {2}sign-in \(this one\) {2}command line$/;
  await vi.waitUntil(() => lines.some((line) => own.test(line)), { timeout: 30_000 });
  const [, at, id] = own.exec(lines.find((line) => own.test(line)) ?? '') ?? [];
  const session = ((await admin.json('sessions')) as { id: string; startedAt: string }[]).find(
    (one) => one.id === id,
  );
  expect(session?.startedAt.replace('T', ' ').slice(0, 19)).toBe(at?.slice(0, 19));
  watching.kill('SIGINT');
  expect(await new Promise((resolve) => watching.once('close', resolve))).toBe(0);
});

test('a disabled person is refused on the next command', async () => {
  const { url } = await invite('leaver@lab.example');
  const leaver = terminal();
  await leaver.lockstep('login', '--link', url);
  expect((await leaver.lockstep('whoami')).code).toBe(0);
  expect((await admin.lockstep('user', 'disable', 'leaver@lab.example')).code).toBe(0);
  expect((await leaver.lockstep('whoami')).code).toBe(4);
});

test('an application signs in with a secret from a file that is read anew each time and kept nowhere else', async () => {
  const app = (await admin.json('app', 'create', 'nightly')) as { appId: string };
  const { secretText } = (await admin.json('app', 'add-secret', 'nightly')) as { secretText: string };
  const ci = terminal();
  const login = await ci.lockstep(
    'login',
    '--app',
    app.appId,
    '--secret-file',
    ci.file('secret', `${secretText}\n`),
  );
  expect([login.code, login.stderr]).toEqual([0, '']);
  expect(await ci.json('whoami')).toMatchObject({ principal: { kind: 'application', name: 'nightly' } });
  expect(readFileSync(join(ci.directory, 'config', 'credentials.json'), 'utf8')).not.toContain(secretText);
  ci.file('secret', 'wrong');
  expect((await ci.lockstep('user', 'list')).code).toBe(4);
});

test('a password comes from standard input, never from the command line', async () => {
  const run = await admin.lockstepGiven(
    'correct horse battery\n',
    'user',
    'create',
    'pw@lab.example',
    '--password-stdin',
  );
  expect(run.code).toBe(0);
  expect(run.stdout + run.stderr).not.toContain('correct horse');
});

test('logout ends the sign-in on the server too', async () => {
  const before = readFileSync(join(bea.directory, 'config', 'credentials.json'), 'utf8');
  expect((await bea.lockstep('logout')).code).toBe(0);
  expect((await bea.lockstep('whoami')).code).toBe(4);
  // Whoever kept a copy of the tokens has nothing.
  writeFileSync(join(bea.directory, 'config', 'credentials.json'), before, { mode: 0o600 });
  expect((await bea.lockstep('whoami')).code).toBe(4);
});

test('credentials that others can read are refused', async () => {
  chmodSync(join(admin.directory, 'config', 'credentials.json'), 0o644);
  const run = await admin.lockstep('whoami');
  chmodSync(join(admin.directory, 'config', 'credentials.json'), 0o600);
  expect(run.code).toBe(1);
  expect(run.stderr).toContain('can be read by others');
});

test('a misspelt setting is named with the nearest one', async () => {
  const home = join(admin.directory, 'home');
  mkdirSync(home);
  writeFileSync(join(home, 'config.json'), '{"tokens":{"jobSecond":5}}');
  const run = await admin.lockstep('config', 'check', '--home', home);
  expect(run.code).toBe(2);
  expect(run.stderr).toMatch(/tokens\.jobSecond.*Did you mean `jobSeconds`\?/);
  const json = await admin.lockstep('config', 'check', '--home', home, '--json');
  expect([json.code, JSON.parse(json.stdout)]).toMatchObject([
    2,
    { problems: [{ suggestion: 'jobSeconds' }] },
  ]);
});
