// A person opens a protected upstream in a browser, on its own host: signs in once, uses its page and its WebSocket, and is cut.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { defaultScale } from '../../examples/four-day-training-job/story.ts';
import type { PrincipalId } from '../../src/lib/ids.ts';
import { systemAttribution } from '../../src/store/changes.ts';
import { launchChromium, servedCertificate } from './chromium.ts';
import { openHouse, type House } from './house.ts';
import { until } from './puppet-job.ts';

const password = 'correct horse battery staple';
const contributor = 'b24988ac-6180-42a0-ab88-20f7382dd24c';
const rules = [
  { methods: ['GET' as const], path: '/page', action: 'Contoso.Lab/pages/read', dataAction: false },
  { methods: ['POST' as const], path: '/page', action: 'Contoso.Lab/pages/write', dataAction: false },
  {
    methods: ['GET' as const],
    path: '/socket',
    action: 'Contoso.Lab/sockets/action',
    dataAction: false,
    upgrade: 'websocket' as const,
  },
];

/** What it was asked, page by page. */
const asked: { readonly line: string; readonly headers: IncomingMessage['headers'] }[] = [];
let upstream: Server;
let house: House;
let rosa: string;
let chromium: Browser;
let context: BrowserContext;
let page: Page;
let lab: string;

const html = `<!doctype html><h1>the lab</h1><p id="socket">-</p><p id="posted">-</p><script>
  const socket = new WebSocket('wss://' + location.host + '/socket');
  const say = (id, text) => { document.getElementById(id).textContent = text; };
  socket.onopen = () => socket.send('hello');
  socket.onmessage = ({ data }) => say('socket', data);
  socket.onclose = ({ code, reason }) => say('socket', 'closed ' + code + ' ' + reason);
  fetch('/page', { method: 'POST', body: 'x' }).then(async (answer) => say('posted', answer.status + ' ' + await answer.text()));
</script>`;

async function addressOf(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  upstream = createServer((request, response) => {
    asked.push({ line: `${request.method} ${request.url}`, headers: request.headers });
    request.resume();
    response.setHeader('content-type', 'text/html');
    response.end(request.method === 'GET' ? html : 'taken');
  });
  const sockets = new WebSocketServer({ server: upstream });
  sockets.on('connection', (socket, request) => {
    asked.push({ line: `SOCKET ${request.url}`, headers: request.headers });
    socket
      .on('error', () => undefined)
      .on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`));
  });
  const common = { kind: 'web' as const, upstream: await addressOf(upstream), credential: null, rules };
  house = await openHouse(
    defaultScale,
    {},
    {
      connections: {
        lab: { ...common, name: 'lab', scope: '/lab' },
        other: { ...common, name: 'other', scope: '/other' },
      },
    },
  );
  const profile = {
    displayName: 'Rosa',
    userPrincipalName: 'rosa@contoso.example',
    accountEnabled: true,
    passwordProfile: { password },
  };
  rosa = (await house.admin.change<{ id: string }>('POST', '/v1.0/users', profile, [201])).id;
  const path = `/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}?api-version=2022-04-01`;
  const roleDefinitionId = `/providers/Microsoft.Authorization/roleDefinitions/${contributor}`;
  await house.admin.change('PUT', path, { properties: { roleDefinitionId, principalId: rosa } }, [201]);
  const { port } = new URL(house.url);
  lab = `https://lab.localhost:${port}`;
  chromium = await launchChromium({
    trusted: [await servedCertificate(Number(port), 'lab.localhost', house.ca)],
  });
}, 180_000);
afterAll(async () => {
  await chromium.close();
  await house.close();
  upstream.closeAllConnections();
  upstream.close();
});
beforeEach(async () => {
  asked.length = 0;
  context = await chromium.newContext();
  page = await context.newPage();
});
afterEach(async () => context.close());

async function cookieHeader(address: string): Promise<string> {
  return (await context.cookies(address)).map(({ name, value }) => `${name}=${value}`).join('; ');
}

/** Without a browser: one request, with the cookies that the browser would send. */
async function ask(
  address: string,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly headers: IncomingMessage['headers'] }> {
  const cookies = await cookieHeader(address);
  return new Promise((resolve, reject) => {
    const lookup: LookupFunction = (_name, _options, done) =>
      done(null, [{ address: '127.0.0.1', family: 4 }]);
    const options = {
      ca: house.ca,
      lookup,
      headers: { ...(cookies === '' ? {} : { cookie: cookies }), ...headers },
    };
    request(address, options, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
    })
      .on('error', reject)
      .end();
  });
}

async function signIn(): Promise<void> {
  await page.getByLabel('User name').fill('rosa@contoso.example');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

const textOf = async (id: string): Promise<string> => page.locator(`#${id}`).innerText();

describe('a page of a connection, on its own host', () => {
  test('is opened after one sign-in, with its requests and its WebSocket, all as the person', async () => {
    await page.goto(`${lab}/page?from=mail`);
    expect(new URL(page.url()).host).toBe(new URL(house.url).host);
    expect(asked).toEqual([]);
    await signIn();
    await page.waitForURL(`${lab}/page?from=mail`);
    await until(async () => (await textOf('socket')) === 'echo hello');
    await until(async () => (await textOf('posted')) === '200 taken');
    expect(asked.map(({ line }) => line).sort()).toEqual([
      'GET /page?from=mail',
      'POST /page',
      'SOCKET /socket',
    ]);
    for (const { headers } of asked) {
      expect(headers.cookie).toBeUndefined();
      const [, claims = ''] = String(headers['x-lockstep-assertion']).split('.');
      expect(JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'))).toMatchObject({ sub: rosa });
    }
    const { events } = await house.lockstep.foundation.ledger.search({}, { limit: 100 });
    const texts = events.map(({ entry }) => Buffer.from(entry).toString('utf8'));
    const told = texts.filter(
      (text) => text.includes('api://lockstep/connections/lab') && text.includes(rosa),
    );
    expect(
      told.map((text) => (JSON.parse(text) as { status_id: number; class_uid: number }).status_id),
    ).toEqual([1]);
    // Another connection of the same person asks nothing, and has a cookie of its own.
    await page.goto(`${lab.replace('lab.', 'other.')}/page`);
    expect(await page.getByRole('heading').innerText()).toBe('the lab');
    const cookies = (await context.cookies()).filter(({ name }) => name === '__Host-lockstep-session');
    expect(cookies.map(({ domain }) => domain).sort()).toEqual([
      'lab.localhost',
      'localhost',
      'other.localhost',
    ]);
    expect(new Set(cookies.map(({ value }) => value)).size).toBe(3);
    expect(cookies.every(({ httpOnly, secure }) => httpOnly && secure)).toBe(true);
  });

  test('is opened at the place in it that a link names behind #, which stays with the browser', async () => {
    // As MLflow prints it at the end of a run; and as somebody might try to lead away, or to have a script run.
    for (const place of ['#/experiments/1/runs/0a1b', '#//evil.example/?x=<img src=x onerror=alert(1)>']) {
      await context.clearCookies();
      await page.goto('about:blank');
      asked.length = 0;
      const dialogs: string[] = [];
      page.on('dialog', (dialog) => {
        dialogs.push(dialog.message());
        void dialog.dismiss();
      });
      await page.goto(`${lab}/page?from=mail${place}`);
      await page.getByLabel('User name').fill('rosa@contoso.example');
      await page.getByLabel('Password').fill('not this');
      await page.getByRole('button', { name: 'Sign in' }).click();
      expect(await page.getByRole('alert').innerText()).toContain('is not right');
      await signIn();
      await page.waitForURL((url) => url.origin === lab);
      expect(page.url()).toBe(new URL(`${lab}/page?from=mail${place}`).href);
      await until(async () => (await textOf('posted')) === '200 taken');
      expect(asked.map(({ line }) => line)).toContain('GET /page?from=mail');
      expect(dialogs).toEqual([]);
    }
  });

  test('ends with the sign-in: the WebSocket is cut and the next request is not answered', async () => {
    await page.goto(`${lab}/page`);
    await signIn();
    await page.waitForURL(`${lab}/page`);
    await until(async () => (await textOf('socket')) === 'echo hello');
    const { identity, foundation } = house.lockstep;
    const by = systemAttribution(foundation.tenantId, 'test');
    for (const { id } of identity.sessions.list(rosa as PrincipalId))
      await identity.sessions.close(by, id, 'test');
    await until(async () => (await textOf('socket')).startsWith('closed 1008'));
    const answer = await page.evaluate(async () => {
      const response = await fetch('/page', { method: 'POST', body: 'x' });
      return { status: response.status, type: response.headers.get('content-type') };
    });
    expect(answer.status).toBe(401);
    expect(answer.type).toContain('application/json');
    await page.reload();
    expect(new URL(page.url()).pathname).toBe('/signin');
  });

  test('is not opened by the pages of others, nor used by them once it is', async () => {
    await page.goto(`${lab}/page`);
    await signIn();
    await page.waitForURL(`${lab}/page`);
    await until(async () => (await textOf('socket')) === 'echo hello');
    asked.length = 0;
    const evil = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<form method="post" action="${lab}/page"><button>win</button></form><p id="socket">-</p>
        <img src="${lab}/page"><iframe src="${lab}/page"></iframe><script>
        const socket = new WebSocket('${lab.replace('https', 'wss')}/socket');
        socket.onopen = () => { document.getElementById('socket').textContent = 'open'; };
        socket.onerror = () => { document.getElementById('socket').textContent = 'refused'; };</script>`);
    });
    await page.goto(await addressOf(evil));
    await until(async () => (await textOf('socket')) === 'refused');
    await page.getByRole('button', { name: 'win' }).click();
    await page.waitForURL(`${lab}/page`);
    expect(await page.getByRole('heading', { name: 'You are not signed in here' }).count()).toBe(1);
    expect(asked).toEqual([]);
    evil.close();
  });
});

test('a page of one connection neither reads, changes nor opens another', async () => {
  await page.goto(`${lab}/page`);
  await signIn();
  await page.waitForURL(`${lab}/page`);
  await page.goto(`${lab.replace('lab.', 'other.')}/page`);
  await until(async () => (await textOf('socket')) === 'echo hello');
  await until(async () => (await textOf('posted')) === '200 taken');
  asked.length = 0;
  const tried = await page.evaluate(async (target) => {
    const outcomeOf = async (init: RequestInit) =>
      fetch(`${target}/page`, { credentials: 'include', ...init }).then(
        ({ type, status }) => `${type} ${status}`,
        () => 'refused',
      );
    const socket = new WebSocket(`${target.replace('https', 'wss')}/socket`);
    const opened = new Promise((resolve) => {
      socket.addEventListener('open', () => resolve('open'));
      socket.addEventListener('error', () => resolve('refused'));
    });
    const [read, posted] = [
      await outcomeOf({}),
      await outcomeOf({ method: 'POST', mode: 'no-cors', body: 'x' }),
    ];
    const seen = await outcomeOf({ mode: 'no-cors' });
    return [read, posted, seen, await opened];
  }, lab);
  expect(tried).toEqual(['refused', 'opaque 0', 'opaque 0', 'refused']);
  expect(asked).toEqual([]);
});

describe('the way from a connection to the sign-in and back', () => {
  test('is only for a browser that opens a page: a program gets its error', async () => {
    const response = await ask(`${lab}/page`, { accept: 'text/html' });
    expect(response.status).toBe(401);
    expect(response.headers['content-type']).toContain('application/json');
  });

  test('cannot be walked by one browser for another, nor twice, nor to another connection', async () => {
    await page.goto(`${house.url}/account`);
    await signIn();
    await page.waitForURL('**/account');
    const navigation = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    const begun = await ask(`${lab}/page`, navigation);
    const [secret = ''] = begun.headers['set-cookie']?.[0]?.split(';') ?? [];
    expect(secret).toMatch(/^__Host-lockstep-signing-in=/);
    const address = (await ask(begun.headers.location ?? '')).headers.location ?? '';
    // Whoever has signed in makes somebody else's browser end the way: it would be signed in as them.
    const other = await chromium.newContext();
    const victim = await other.newPage();
    await victim.goto(address);
    expect(await victim.getByText('begun in another browser').count()).toBe(1);
    expect(await other.cookies()).toEqual([]);
    await other.close();
    expect((await ask(address, { cookie: `${secret}x` })).status).toBe(400);
    expect((await ask(address.replace('lab.', 'other.'), { cookie: secret })).status).toBe(400);
    expect((await ask(address.replace('code=ey', 'code=eY'), { cookie: secret })).status).toBe(400);
    const ended = await ask(address, { cookie: secret });
    expect([ended.status, ended.headers.location]).toEqual([303, '/page']);
    expect((await ask(address, { cookie: secret })).status).toBe(400);
    // What it has got is worth something at this connection, and nowhere else.
    const [cookie = ''] = ended.headers['set-cookie']?.[0]?.split(';') ?? [];
    const [, ours = ''] = /(__Host-lockstep-session=[^;]+)/.exec((await cookieHeader(house.url)) ?? '') ?? [];
    const statuses = [
      (await ask(`${lab}/page`, { cookie })).status,
      (await ask(`${lab}/page`, { cookie: ours })).status,
      (await ask(`${lab.replace('lab.', 'other.')}/page`, { cookie })).status,
      (await ask(`${house.url}/account`, { cookie })).status,
      (await ask(`${house.url}/connections/lab/page`, { cookie })).status,
      (await ask(`${house.url}/connections/lab/page`, { cookie: ours })).status,
    ];
    expect(statuses).toEqual([200, 401, 401, 401, 401, 401]);
  });

  test.each(['//evil.example/', '/\\evil.example', 'https://evil.example/', '/\t/evil.example', ''])(
    'leads nowhere else: %j',
    async (path) => {
      await page.goto(`${lab}/page`);
      await signIn();
      await page.waitForURL(`${lab}/page`);
      const [secret] = (await context.cookies()).filter(({ name }) => name === '__Host-lockstep-signing-in');
      expect(secret).toBeUndefined();
      const query = new URLSearchParams({ name: 'lab', state: 'A'.repeat(43), path });
      const response = await ask(`${house.url}/signin/connection?${query.toString()}`);
      const [, payload = ''] = /code=([^.]+)/.exec(response.headers['location'] ?? '') ?? [];
      expect(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))).toMatchObject({ path: '/' });
      expect(response.headers['location']).toMatch(`${lab}/.lockstep/signed-in?code=`);
    },
  );

  test('does not begin for a connection that there is not', async () => {
    const query = new URLSearchParams({ name: 'evil.example', state: 'A'.repeat(43), path: '/' });
    const response = await ask(`${house.url}/signin/connection?${query.toString()}`);
    expect(response.status).toBe(400);
  });
});
