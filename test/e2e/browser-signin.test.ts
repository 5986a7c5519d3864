import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { CodeFlow } from '../../src/api/entra/testing/code-flow.ts';
import { Browser as PlainBrowser } from '../../src/api/entra/testing/browser.ts';
import { adaPassword, openHouse, type House } from '../../src/api/entra/testing/house.ts';
import { launchChromium } from './chromium.ts';

let house: House;
let chromium: Browser;
let context: BrowserContext;
let page: Page;
let troubles: string[];

beforeAll(async () => {
  house = await openHouse();
  chromium = await launchChromium({ trusted: [house.certificate] });
}, 120_000);
afterAll(async () => {
  await chromium.close();
  await house.close();
});
beforeEach(async () => {
  context = await chromium.newContext();
  page = await context.newPage();
  troubles = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) troubles.push(message.text());
  });
});
afterEach(async () => {
  await context.close();
  if (troubles.length > 0) throw new Error(`the browser complained: ${troubles.join('; ')}`);
});

async function fillIn(password: string): Promise<void> {
  await page.getByLabel('User name').fill('ada@lab.example');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** A native client's loopback port: resolves with the address of the request that arrives there. */
async function loopbackClient(): Promise<{ redirectUri: string; reply: Promise<URL>; server: Server }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  const reply = new Promise<URL>((resolve) => {
    server.on('request', (request, response) => {
      const body: Buffer[] = [];
      request.on('data', (chunk: Buffer) => body.push(chunk));
      request.on('end', () => {
        response.end('You may close this window.');
        const url = new URL(request.url ?? '/', redirectUri);
        for (const [name, value] of new URLSearchParams(Buffer.concat(body).toString('utf8'))) {
          url.searchParams.set(name, value);
        }
        if (url.pathname === '/callback') resolve(url);
      });
    });
  });
  return { redirectUri, reply, server };
}

test.each(['query', 'form_post'])(
  'a person signs in for a native client after one mistake, and its %s answer yields tokens',
  async (responseMode) => {
    const flow = new CodeFlow(house);
    const { redirectUri, reply, server } = await loopbackClient();
    await page.goto(
      house.publicUrl + flow.address({ redirect_uri: redirectUri, response_mode: responseMode }),
    );
    expect(await page.getByText('Lockstep command line').isVisible()).toBe(true);
    await fillIn('not it');
    expect(await page.getByRole('alert').innerText()).toMatch(/not right/);
    await page.locator('#password:focus').waitFor();
    await fillIn(adaPassword);
    const back = await reply;
    server.close();
    const { body } = await flow.redeem(new PlainBrowser(house), back.searchParams.get('code') ?? '', {
      redirect_uri: redirectUri,
    });
    const caller = await house.verifier.verify(body.access_token ?? '', ['https://graph.microsoft.com']);
    expect(caller.subject.id).toBe(house.ada.id);
  },
);

test('a person ends another session and signs out; the session is over on the server too', async () => {
  await new PlainBrowser(house).signIn('ada@lab.example', adaPassword);
  await page.goto(`${house.publicUrl}/`);
  await fillIn(adaPassword);
  await page.waitForURL('**/account');
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Ada Lovelace');
  const before = house.sessions.list(house.adaId).length;
  await page
    .getByRole('button', { name: /^End the session/ })
    .first()
    .click();
  expect(await page.getByRole('status').innerText()).toBe('The session was ended.');
  expect(house.sessions.list(house.adaId)).toHaveLength(before - 1);
  const [cookie] = (await context.cookies()).filter(({ name }) => name === '__Host-lockstep-session');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'You are signed out' }).waitFor();
  expect(house.sessions.fromCookie(cookie?.value ?? '')).toBeNull();
  await page.goto(`${house.publicUrl}/account`);
  expect(page.url()).toMatch(/\/signin\?continue=/);
});

test('a one-time link asks before it signs in', async () => {
  const code = await house.oneTimeLinks.create(house.by, house.adaId, 600);
  await page.goto(`${house.publicUrl}/signin/link?code=${code}`);
  expect(await house.oneTimeLinks.peek(code)).toBe(house.ada.id);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('**/account');
  await page.goto(`${house.publicUrl}/signin/link?code=${code}`);
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('This link does not work any more');
});

test('another site can neither frame the sign-in page nor post to it', async () => {
  const evil = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(
      `<iframe src="${house.publicUrl}/signin"></iframe>
       <form method="post" action="${house.publicUrl}/signin"><input name="name" value="ada@lab.example">
       <input name="password" value="${adaPassword}"><button>win a prize</button></form>`,
    );
  });
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
  await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}/`);
  const framed = page.frames().find((frame) => frame !== page.mainFrame());
  expect(await framed?.getByLabel('Password').count()).toBe(0);
  await page.getByRole('button', { name: 'win a prize' }).click();
  await page.getByText('The form was sent from another site').waitFor();
  expect((await context.cookies()).some(({ name }) => name === '__Host-lockstep-session')).toBe(false);
  evil.close();
  troubles = troubles.filter((text) => !/frame-ancestors/.test(text));
});

test('every field has a label, the pages read without a mouse, and nothing overflows a phone', async () => {
  await page.setViewportSize({ width: 320, height: 640 });
  await page.goto(`${house.publicUrl}/signin`);
  await page.locator('#name:focus').waitFor();
  await page.keyboard.type('ada@lab.example');
  await page.keyboard.press('Tab');
  await page.keyboard.type(adaPassword);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/account');
  for (const path of ['/account', '/signin', '/signin/out']) {
    await page.goto(house.publicUrl + path);
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    expect(width).toBeLessThanOrEqual(320);
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
  }
});
