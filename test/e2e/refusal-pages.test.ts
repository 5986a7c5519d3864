// A person is refused in the browser, sees why, asks for access, is granted it by somebody else, and is in. And who gets none of it.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lockstep as cli } from '../../examples/four-day-training-job/processes.ts';
import { defaultScale } from '../../examples/four-day-training-job/story.ts';
import { hiddenFields } from '../../src/api/entra/testing/browser.ts';
import { launchChromium, servedCertificate } from './chromium.ts';
import { openHouse, type House } from './house.ts';
import { signIn, type Person } from './person.ts';

const password = 'correct horse battery staple';
const owner = '8e3af657-a8ff-443c-a75c-2fe8c4bcb635';
const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7';
const group = '/subscriptions/1b2b1e58-1111-4222-8333-444444444444/resourcegroups/vision';
const scope = `${group}/providers/contoso.lab/labs/lab`;
const rules = [
  { methods: ['GET' as const], path: '/open', action: 'Contoso.Lab/front/read', dataAction: false },
  { methods: ['GET' as const], path: '/worker.js', action: 'Contoso.Lab/front/read', dataAction: false },
  {
    methods: ['GET' as const],
    path: '/page',
    action: 'Contoso.Lab/pages/listKeys/action',
    dataAction: false,
  },
  {
    methods: ['GET' as const, 'POST' as const],
    path: '/secret',
    action: 'Contoso.Lab/pages/write',
    dataAction: false,
  },
];
/** Passes every visit on, once as it came and once by what the browser had asked for beforehand, and tells what it read. */
const worker = `
  self.addEventListener('install', () => self.skipWaiting());
  self.addEventListener('activate', (event) => event.waitUntil((async () => {
    await self.registration.navigationPreload.enable(); await self.clients.claim();
  })()));
  self.addEventListener('fetch', (event) => {
    if (event.request.mode !== 'navigate') return;
    event.respondWith((async () => {
      const preloaded = await event.preloadResponse;
      const read = preloaded === undefined ? 'none' : await preloaded.clone().text();
      const passed = await fetch(event.request).then((answer) => answer.text());
      return new Response(JSON.stringify({ read, passed }), { headers: { 'content-type': 'text/plain' } });
    })());
  });`;

let upstream: Server;
let house: House;
let alice: Person;
let bob: string;
let chromium: Browser;
let context: BrowserContext;
let page: Page;
let port: string;
let lab: string;

async function addressOf(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function person(name: string): Promise<string> {
  const profile = {
    displayName: name,
    userPrincipalName: `${name.toLowerCase()}@contoso.example`,
    accountEnabled: true,
    passwordProfile: { password },
  };
  return (await house.admin.change<{ id: string }>('POST', '/v1.0/users', profile, [201])).id;
}

async function assign(principalId: string, role: string, at: string): Promise<void> {
  const path = `${at === '/' ? '' : at}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}?api-version=2022-04-01`;
  const roleDefinitionId = `/providers/Microsoft.Authorization/roleDefinitions/${role}`;
  await house.admin.change('PUT', path, { properties: { roleDefinitionId, principalId } }, [201]);
}

async function custom(name: string, actions: readonly string[]): Promise<string> {
  const id = randomUUID();
  const properties = {
    roleName: name,
    description: '',
    type: 'CustomRole',
    assignableScopes: [group],
    permissions: [{ actions, notActions: [], dataActions: [], notDataActions: [] }],
  };
  const path = `${group}/providers/Microsoft.Authorization/roleDefinitions/${id}?api-version=2022-04-01`;
  await house.admin.change('PUT', path, { properties }, [201]);
  return id;
}

beforeAll(async () => {
  upstream = createServer((asked, response) => {
    asked.resume();
    const isWorker = asked.url === '/worker.js';
    response.setHeader('content-type', isWorker ? 'text/javascript' : 'text/html');
    response.end(isWorker ? worker : '<!doctype html><h1>the lab</h1>');
  });
  const address = await addressOf(upstream);
  const common = { kind: 'web' as const, upstream: address, credential: null, rules };
  house = await openHouse(
    defaultScale,
    {},
    {
      connections: {
        lab: { ...common, name: 'lab', scope },
        gone: { ...common, name: 'gone', scope: `${group}/gone/gone`, upstream: 'http://127.0.0.1:1' },
        files: { ...common, kind: 'mlflow', name: 'files', scope, workspace: null },
        notebook: {
          ...common,
          kind: 'jupyter',
          name: 'notebook',
          upstream: `${address}/connections/notebook`,
          scope,
          isolatedKernels: false,
        },
      },
    },
  );
  ({ port } = new URL(house.url));
  lab = `https://lab.localhost:${port}`;
  bob = await person('Bob');
  const aliceId = await person('Alice');
  await assign(aliceId, owner, group);
  await assign(bob, await custom('Lab visitor', ['Contoso.Lab/front/read']), scope);
  await assign(bob, reader, `${group}/gone/gone`);
  await custom('Lab key holder', ['Contoso.Lab/pages/listKeys/action']);
  alice = await signIn(house, 'alice@contoso.example');
  chromium = await launchChromium({
    trusted: [await servedCertificate(Number(port), 'lab.localhost', house.ca)],
  });
}, 240_000);
afterAll(async () => {
  await chromium.close();
  await alice.leave();
  await house.close();
  upstream.closeAllConnections();
  upstream.close();
});
beforeEach(async () => {
  context = await chromium.newContext();
  page = await context.newPage();
});
afterEach(async () => context.close());

async function signInAs(name: string): Promise<void> {
  await page.goto(`${house.url}/signin`);
  await fillSignIn(name);
  await page.waitForURL('**/account');
}

async function fillSignIn(name: string): Promise<void> {
  await page.getByLabel('User name').fill(`${name}@contoso.example`);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Without a browser, with the cookies that the browser would send. */
async function ask(
  address: string,
  headers: Record<string, string> = {},
  { method = 'GET', form }: { method?: string; form?: Record<string, string> } = {},
): Promise<Answer> {
  const cookie = (await context.cookies(address)).map(({ name, value }) => `${name}=${value}`).join('; ');
  const lookup: LookupFunction = (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]);
  const body = form === undefined ? undefined : new URLSearchParams(form).toString();
  return new Promise((resolve, reject) => {
    const sent = {
      ...(cookie === '' ? {} : { cookie }),
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    };
    // A name that no connection has is in no certificate.
    const checkServerIdentity = () => undefined;
    request(address, { ca: house.ca, checkServerIdentity, lookup, method, headers: sent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    })
      .on('error', reject)
      .end(body);
  });
}

async function refusedDecision(path = '/page'): Promise<string> {
  const refused = await ask(`${lab}${path}`, { accept: '*/*' });
  expect(refused.status).toBe(403);
  return (JSON.parse(refused.text) as { error: { decision: string } }).error.decision;
}

async function formOf(decision: string): Promise<Record<string, string>> {
  await page.goto(`${house.url}/account/requests/new?decision=${decision}`);
  return { ...hiddenFields(await page.content()), reason: 'Because.' };
}

const sameOrigin = () => ({ origin: house.url, 'sec-fetch-site': 'same-origin', accept: 'text/html' });

interface Listed {
  readonly id: string;
  readonly reason: string;
  readonly role: { readonly name: string };
  readonly scope: string;
  readonly principal: { readonly id: string };
  readonly commands: { readonly lockstep: string; readonly az: string } | null;
}
const listed = async (who: Pick<Person, 'client'>, query = ''): Promise<readonly Listed[]> =>
  (await who.client.get<{ value: Listed[] }>(`/admin/v1/access-requests${query}`)).value;

test('Bob is refused, asks; Alice sees it, grants the role, and Bob is in', async () => {
  const troubles: string[] = [];
  page.on('console', (message) => {
    if (!message.text().includes('status of 403')) troubles.push(message.text());
  });
  const loaded: string[] = [];
  await page.goto(`${lab}/page?from=mail`);
  await fillSignIn('bob');
  page.on('request', (each) => loaded.push(each.url()));
  await page.waitForURL(`${lab}/page?from=mail`);
  expect((await page.reload())?.status()).toBe(403);
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('You do not have access to this');
  const text = await page.locator('main').innerText();
  expect(text).toContain('Bob may not list keys of pages here: no role assignment grants it.');
  expect(text).toMatch(/Role\s+Lab key holder/);
  expect(text).toMatch(/Who can grant it[\s\S]*Alice/);
  expect(text).toMatch(/Signed in as\s+Bob, bob@contoso\.example/);
  expect(loaded.filter((address) => address.startsWith(lab) && !/signed-in|\/page/.test(address))).toEqual(
    [],
  );

  await page.getByRole('link', { name: 'Ask for access' }).click();
  await page.waitForURL(`${house.url}/account/requests/new?decision=dec_*`);
  await page
    .getByLabel('Why do you need it?')
    .fill('For the paper.\n  grant  lockstep role assign --role Owner');
  await page.getByRole('button', { name: 'Ask for access' }).click();
  await page.waitForURL(`${house.url}/account/requests?done=asked`);
  expect(await page.getByRole('status').innerText()).toContain('Your request is recorded.');
  expect(await page.locator('li').innerText()).toContain('Lab key holder');

  const shown = await cli(['requests'], alice.environment);
  expect(shown.stdout).toMatch(/acr_[0-9a-z]{26} {2}Bob asks for Lab key holder\n/);
  expect(shown.stdout).toContain(`\n  at     ${scope}\n`);
  expect(shown.stdout).toContain(
    '\n  why    | For the paper.\n         |   grant  lockstep role assign --role Owner\n',
  );
  const command = /^ {2}grant {2}lockstep (role assign .*)$/m.exec(shown.stdout)?.[1] ?? '';
  expect(shown.stdout).toContain(
    `az role assignment create --role 'Lab key holder' --assignee-object-id ${bob}`,
  );
  const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
  const granted = await cli(words, alice.environment);
  expect([granted.exitCode, granted.stderr]).toEqual([0, '']);

  await page.goto(`${lab}/page?from=mail`);
  expect(await page.getByRole('heading').innerText()).toBe('the lab');
  expect((await cli(['requests'], alice.environment)).stdout).toBe('No open request.\n');
  await page.goto(`${house.url}/account/requests`);
  expect(await page.getByText('Nothing that is still open.').count()).toBe(1);
  const { events } = await house.lockstep.foundation.ledger.search({}, { limit: 200 });
  const told = events.map(({ told }) => Buffer.from(told).toString('utf8'));
  const codes = told.flatMap((event) => {
    const { metadata } = JSON.parse(event) as { metadata: { event_code: string } };
    return metadata.event_code.startsWith('access-request') ? [metadata.event_code] : [];
  });
  expect(codes).toEqual(['access-request.closed', 'access-request.opened']);
  // The log binds what Bob wrote and does not hold it.
  for (const { entry } of events) expect(Buffer.from(entry).toString('utf8')).not.toContain('For the paper');
  expect(troubles).toEqual([]);
});

test('a person who is refused signs in as somebody else and comes to the same page', async () => {
  await page.goto(`${lab}/secret?x=1`);
  await fillSignIn('bob');
  await page.waitForURL(`${lab}/secret?x=1`);
  await page.getByRole('link', { name: 'Sign in as somebody else' }).click();
  await fillSignIn('alice');
  await page.waitForURL(`${lab}/secret?x=1`);
  expect(await page.getByRole('heading').innerText()).toBe('the lab');
});

test.each([
  ['where the upstream is away', 'gone', '/page', 502, '“gone” does not answer'],
  ['where no connection has the name', 'nothing', '/', 403, 'There is nothing here'],
  ['where nothing is described', 'lab', '/nothing', 403, 'This page is not described'],
])('a person reads a page %s', async (_where, name, path, status, heading) => {
  if (name === 'gone')
    await assign(bob, await custom(`Of ${randomUUID()}`, ['Contoso.Lab/pages/listKeys/action']), group);
  await signInAs('bob');
  const response = await page.goto(`https://${name}.localhost:${port}${path}`);
  expect(response?.status()).toBe(status);
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(heading);
  await page.setViewportSize({ width: 320, height: 700 });
  expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320);
});

test('from the address for programs a person comes to the page, with all that the link said, over the sign-in', async () => {
  const run = '?o=1#/experiments/5/runs/0123abc';
  expect((await page.goto(`${house.url}/connections/lab/open${run}`))?.status()).toBe(401);
  await page.getByRole('link', { name: 'Open it there' }).click();
  await fillSignIn('bob');
  await page.waitForURL(`${lab}/open${run}`);
  expect(await page.getByRole('heading').innerText()).toBe('the lab');
});

describe('a notebook server whose pages work nowhere', () => {
  test.each([
    ['where programs use it', () => `${house.url}/connections/notebook/lab`, 403],
    ['where they use it, in its interface', () => `${house.url}/connections/notebook/api/status`, 401],
    ['at its own host', () => `https://notebook.localhost:${port}/lab/tree/paper.ipynb`, 403],
    ['at its own host, at the beginning', () => `https://notebook.localhost:${port}/`, 403],
    [
      'at its own host, as it calls itself',
      () => `https://notebook.localhost:${port}/connections/notebook/lab`,
      403,
    ],
  ])('says so %s, to whoever comes, and leads nowhere', async (_where, address, status) => {
    const answer = await page.goto(address());
    expect([answer?.status(), page.url()]).toEqual([status, address()]);
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('“notebook” serves programs only');
    const text = await page.locator('main').innerText();
    expect(text).toContain(`at ${house.url}/connections/notebook/ with a token`);
    expect(text).toContain('base_url has to be /,');
    expect(await page.locator('p code').allInnerTexts()).toContain('lockstep token --connection notebook');
    expect(await page.getByRole('link').count()).toBe(0);
    expect(answer?.headers()['content-security-policy']).toContain("script-src 'none'");
  });

  test('still serves programs there, and people what is no page of its own', async () => {
    const own = `https://notebook.localhost:${port}`;
    const told = await ask(`${own}/lab`, { accept: 'text/html' });
    expect((JSON.parse(told.text) as { message: string }).message).toContain('Sign in');
    await page.goto(`${own}/files/table.csv`);
    await fillSignIn('alice');
    await page.waitForURL(`${own}/files/table.csv`);
    expect(await page.getByRole('heading').innerText()).toBe('the lab');
    // Signed in there, she is not offered to be somebody else: nobody sees more.
    await page.goto(`${own}/lab`);
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('“notebook” serves programs only');
    expect(await page.getByRole('link').count()).toBe(0);
  });
});

describe('who is no person that looks at a page reads no HTML and learns no names', () => {
  test.each<[string, Record<string, string>]>([
    ['curl', { accept: '*/*', 'user-agent': 'curl/8.5.0' }],
    ['python-requests', { accept: '*/*', 'user-agent': 'python-requests/2.32.3', connection: 'keep-alive' }],
    ['curl that asks for pages', { accept: 'text/html', 'user-agent': 'curl/8.5.0' }],
    ['a browser’s script', { accept: 'text/html', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }],
  ])('%s', async (_who, headers) => {
    await signInAs('bob');
    await page.goto(`${lab}/open`);
    for (const address of [
      `${lab}/secret`,
      `${lab}/nothing`,
      `https://nothing.localhost:${port}/x`,
      `${house.url}/account/requests/new?decision=x`,
    ]) {
      const answer = await ask(address, { 'sec-fetch-site': 'same-origin', ...headers });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.headers['content-type']).toContain('application/json');
      expect(answer.text).not.toMatch(/<html|Alice/);
    }
  });

  test('a script of the upstream’s, by whatever way a browser has', async () => {
    await signInAs('bob');
    await page.goto(`${lab}/open`);
    const got = await page.evaluate<string[]>(`(async () => {
      const read = (init) =>
        fetch('/secret', { ...init, headers: { accept: 'text/html' } }).then((answer) => answer.text());
      const frame = document.createElement('iframe');
      frame.src = '/secret';
      const inFrame = new Promise((resolve) => {
        frame.onload = () => resolve(frame.contentDocument?.body.innerText ?? 'closed');
      });
      document.body.append(frame);
      const opened = window.open('/secret');
      await new Promise((resolve) => setTimeout(resolve, 1500));
      let inWindow = 'none';
      try { inWindow = opened.document.body.innerText; } catch { inWindow = 'closed'; }
      return [await read({}), await read({ method: 'POST' }), await inFrame, inWindow];
    })()`);
    expect(got.filter((text) => /Alice|What would be enough/.test(text))).toEqual([]);
    expect(got[0]).toContain('AuthorizationFailed');
  });

  test('a service worker of the upstream’s, with and without preload', async () => {
    await signInAs('bob');
    await page.goto(`${lab}/open`);
    await page.evaluate(
      `navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.ready)`,
    );
    await page.waitForFunction('navigator.serviceWorker.controller !== null');
    await page.goto(`${lab}/secret`);
    const { read, passed } = JSON.parse(await page.locator('body').innerText()) as {
      read: string;
      passed: string;
    };
    // Both were read by the script: it reads the protocol's error, which names nobody.
    expect([read.slice(0, 9), passed.slice(0, 9)]).toEqual(['{"error":', '{"error":']);
    expect(read + passed).not.toMatch(/Alice|<html/);
  });
});

describe('the form that asks', () => {
  test('is not sent by another site, nor by a page of a connection', async () => {
    await signInAs('bob');
    await page.goto(`${lab}/open`);
    const decision = await refusedDecision('/secret');
    const form = await formOf(decision);
    const fields = Object.entries(form)
      .map(([name, value]) => `<input name="${name}" value="${value}">`)
      .join('');
    const evil = createServer((_asked, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(
        `<form method="post" action="${house.url}/account/requests">${fields}<button>win</button></form>
         <iframe src="${house.url}/account/requests/new?decision=${decision}"></iframe>`,
      );
    });
    await page.goto(await addressOf(evil));
    const framed = page.frames().find((frame) => frame !== page.mainFrame());
    expect(await framed?.getByLabel('Why').count()).toBe(0);
    await page.getByRole('button', { name: 'win' }).click();
    await page.waitForURL(/account\/requests|\/signin/);
    evil.close();
    // With the very token: a page of the same site, whose requests bring the cookie.
    await page.goto(`${lab}/open`);
    const tried = await page.evaluate(
      async ({ address, body }) =>
        fetch(address, {
          method: 'POST',
          credentials: 'include',
          mode: 'no-cors',
          body: new URLSearchParams(body),
        }).then(
          () => 'sent',
          () => 'refused',
        ),
      { address: `${house.url}/account/requests`, body: form },
    );
    expect(['sent', 'refused']).toContain(tried);
    const foreign: Record<string, string>[] = [
      { origin: lab, 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      { origin: 'null' },
      {},
    ];
    for (const headers of foreign) {
      const answer = await ask(`${house.url}/account/requests`, headers, { method: 'POST', form });
      expect(answer.status).toBe(403);
    }
    expect(await listed(alice)).toEqual([]);
  });

  test('asks for what was offered and for nothing else, for oneself and for nobody else', async () => {
    await signInAs('bob');
    await page.goto(`${lab}/open`);
    const decision = await refusedDecision('/secret');
    const form = await formOf(decision);
    const send = async (over: Record<string, string>) =>
      ask(`${house.url}/account/requests`, sameOrigin(), { method: 'POST', form: { ...form, ...over } });
    expect((await send({ role: owner })).status).toBe(409);
    expect((await send({ scope: '/' })).status).toBe(409);
    expect((await send({ scope: group })).status).toBe(409);
    expect((await send({ form_token: 'x' })).status).toBe(403);
    expect(
      (await send({ decision: decision.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')) })).status,
    ).toBe(403);
    for (const reason of ['', '   ', 'x'.repeat(501), 'a\u0000b', 'a\u001b[31mb', 'a\u202eb']) {
      const answer = await send({ reason });
      expect(answer.status).toBe(400);
    }
    // A form of one decision is of no other, and a decision of somebody else's is none.
    const { events } = await house.lockstep.foundation.ledger.search({}, { limit: 200 });
    const texts = events.map(({ entry }) => Buffer.from(entry).toString('utf8'));
    const hers = texts.filter((text) => !text.includes(bob) && /"decisionId":"dec_/.test(text));
    const herDecision = /"decisionId":"(dec_[0-9a-z]{26})"/.exec(hers[0] ?? '')?.[1] ?? '';
    expect(herDecision).toMatch(/^dec_/);
    for (const id of [herDecision, `dec_${'0'.repeat(26)}`, 'x']) {
      const answer = await ask(`${house.url}/account/requests/new?decision=${id}`, {
        accept: '*/*',
        'sec-fetch-site': 'none',
      });
      expect([id, answer.status]).toEqual([id, 404]);
    }
    expect(await listed(alice)).toEqual([]);
    expect((await send({ reason: '"><script>alert(1)</script>' })).headers.location).toBe(
      '/account/requests?done=asked',
    );
    expect((await send({ reason: 'again' })).headers.location).toBe('/account/requests?done=before');
    await page.goto(`${house.url}/account/requests`);
    expect(await page.locator('li').innerText()).toContain('"><script>alert(1)</script>');
    const [seen, ...more] = await listed(alice);
    expect(more).toEqual([]);
    expect(seen).toMatchObject({ principal: { id: bob }, scope, reason: '"><script>alert(1)</script>' });
    expect(seen?.commands?.az).toContain(bob);
  });
});

test('requests are seen by whoever could grant them and by who made them, and by nobody else', async () => {
  const carol = await person('Carol');
  await assign(carol, reader, '/');
  const carols = await signIn(house, 'carol@contoso.example');
  const bobs = await signIn(house, 'bob@contoso.example');
  try {
    expect((await listed(alice)).length).toBe(1);
    expect(await listed(carols)).toEqual([]);
    const [own] = await listed(bobs);
    expect([own?.principal.id, own?.commands]).toEqual([bob, null]);
    expect(await listed(bobs, '?mine=true')).toHaveLength(1);
    expect(await listed(alice, '?mine=true')).toEqual([]);
    const asked = { decision: `dec_${'0'.repeat(26)}`, reason: 'x' };
    expect((await bobs.client.send('POST', '/admin/v1/access-requests', asked)).status).toBe(404);
    expect(
      (await bobs.client.send('POST', '/admin/v1/access-requests', { ...asked, principal: carol })).status,
    ).toBe(400);
  } finally {
    await carols.leave();
    await bobs.leave();
  }
});

test('asking on the command line is the same, and there is an end to it', async () => {
  const dora = await person('Dora');
  const doras = await signIn(house, 'dora@contoso.example');
  try {
    const statuses: number[] = [];
    let retryAfter = '';
    for (let i = 0; i < 11; i++) {
      const at = `${scope}${i}/providers/contoso.lab/labs/one`;
      const refused = await doras.client.send(
        'GET',
        `${at}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01`,
      );
      const decision = /dec_[0-9a-z]{26}/.exec(JSON.stringify([refused.body, refused.headers]))?.[0] ?? '';
      expect([refused.status, decision]).toEqual([403, expect.stringMatching(/^dec_/)]);
      if (i === 0) {
        const run = await cli(['requests', 'ask', decision, '--reason', 'To look.'], doras.environment);
        expect(run.stdout).toContain('Dora asks for');
        statuses.push(201);
        continue;
      }
      const answer = await doras.client.send('POST', '/admin/v1/access-requests', {
        decision,
        reason: 'More.',
      });
      statuses.push(answer.status);
      if (answer.status === 429) retryAfter = String(answer.headers['retry-after']);
    }
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 201), 429]);
    expect(Number(retryAfter)).toBeGreaterThan(3_000);
    // Gone with whoever asked.
    await house.admin.change('DELETE', `/v1.0/users/${dora}`, undefined, [204]);
    expect((await listed(alice)).some(({ principal }) => principal.id === dora)).toBe(false);
  } finally {
    await doras.leave();
  }
});
