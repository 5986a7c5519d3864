import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { onThisMachine, parsed } from '../jupyter/ask.ts';
import type { Expect } from '../jupyter/known.ts';
import { closed, execute } from '../jupyter/page.ts';
import type { PersonBrowser } from '../person-browser.ts';
import type { HubLaboratory } from './laboratory.ts';

const run = promisify(execFile);

/** One sign-in, then a server of one's own: pages, files, kernels. Resolves with what a kernel can read of its server. */
export async function settlesIn(
  lab: HubLaboratory,
  browser: PersonBrowser,
  expectThat: Expect,
): Promise<{ readonly token: string; readonly kernel: string }> {
  const { alice, origin, ask } = lab;
  const { page } = browser;
  const base = `/user/${alice.id}`;
  await browser.open(`${origin}/`);
  await page.waitForURL((url) => url.pathname.startsWith(`${base}/lab`), { timeout: 180_000 });
  await page.getByRole('tab', { name: 'Launcher' }).waitFor({ timeout: 120_000 });
  expectThat('one sign-in leads to a server of one’s own, whose name is the object id', true);
  const me = parsed(await page.evaluate(async (at) => (await fetch(`${at}/api/me`)).text(), base));
  const identity = me['identity'] as { username?: string; name?: string } | undefined;
  expectThat('which knows the person', identity?.username === alice.id && identity.name === 'Alice', me);
  const { id: kernel, said } = await page.evaluate(execute, { base, id: null, code: 'x = 41\nx + 1' });
  expectThat('a kernel of it computes, over a WebSocket', said === '42', said);
  const secret = await page.evaluate(execute, {
    base,
    id: kernel,
    code: 'import os; os.environ["JUPYTERHUB_API_TOKEN"]',
  });
  const token = secret.said.replaceAll("'", '');
  const lab4 = await ask(alice, { path: `${base}/lab` });
  expectThat(
    'the token that the server has at the hub is not in its page',
    /^\w{20,}$/.test(token) && lab4.text.includes('jupyter-config-data') && !lab4.text.includes(token),
    { status: lab4.status, token: token.length },
  );
  expectThat('nothing that the pages asked for was refused', browser.troubles.length === 0, browser.troubles);
  const cookies = await page.context().cookies();
  const elsewhere = cookies.filter(
    ({ path, name }) => path.startsWith('/user') && !name.startsWith('__Host-'),
  );
  expectThat('the server has set no cookie', elsewhere.length === 0, elsewhere);
  return { token, kernel };
}

/** What Alice, Rita and Olga do with programs. */
export async function programs(lab: HubLaboratory, expectThat: Expect): Promise<void> {
  const { alice, rita, olga, ask } = lab;
  const base = `/user/${alice.id}`;
  for (const [directory, file] of [
    ['shared', 'results.txt'],
    ['private', 'diary.txt'],
  ] as const) {
    mkdirSync(join(lab.hub.homeOf(alice.id), directory), { recursive: true });
    writeFileSync(join(lab.hub.homeOf(alice.id), directory, file), `of ${directory}`);
  }
  const who = await ask(alice, { path: `${base}/api/me` });
  const name = parsed(who.text)['identity'] as { name?: string } | undefined;
  expectThat('a program with Alice’s token is Alice', who.status === 200 && name?.name === 'Alice', who);
  const written = await ask(alice, {
    method: 'PUT',
    path: `${base}/api/contents/shared/new.txt`,
    body: { type: 'file', format: 'text', content: 'new' },
  });
  expectThat('and writes her files', written.status === 201, written);
  const copied = await ask(alice, {
    method: 'POST',
    path: `${base}/api/contents/private`,
    body: { copy_from: 'shared/new.txt' },
  });
  expectThat('and copies them', copied.status === 201, copied);

  const names = ({ text }: { text: string }) =>
    ((parsed(text)['content'] ?? []) as { name: string }[]).map((one) => one.name).sort();
  const all = names(await ask(alice, { path: `${base}/api/contents` }));
  expectThat('Alice sees all of her directories', all.includes('private') && all.includes('shared'), all);
  const some = names(await ask(rita, { path: `${base}/api/contents` }));
  expectThat('Rita sees the one that she may read', some.join() === 'shared', some);
  for (const [what, status, method, path, body] of [
    ['reads what is in it', 200, 'GET', '/api/contents/shared/results.txt', undefined],
    ['downloads it', 200, 'GET', '/files/shared/results.txt', undefined],
    ['writes nothing there', 403, 'PUT', '/api/contents/shared/x.txt', { type: 'file', content: 'x' }],
    ['reads no other', 403, 'GET', '/api/contents/private/diary.txt', undefined],
    ['nor downloads it', 403, 'GET', '/files/private/diary.txt', undefined],
    ['nor copies it', 403, 'POST', '/api/contents/shared', { copy_from: 'private/diary.txt' }],
    ['runs nothing', 403, 'POST', '/api/kernels', { name: 'python3' }],
    ['opens no terminal', 403, 'POST', '/api/terminals', {}],
  ] as const) {
    const answer = await ask(rita, { method, path: base + path, ...(body && { body }) });
    expectThat(`Rita ${what} (${status})`, answer.status === status, answer);
  }
  const hubs = await ask(rita, { path: '/hub/home' });
  expectThat('and has no business at the hub', hubs.status === 403, hubs);
  const seen = await ask(olga, { path: `${base}/api/contents/private/diary.txt` });
  expectThat('Olga, who sees to everybody’s servers, reads there', seen.status === 200, seen);
  const seenBy = parsed((await ask(olga, { path: `${base}/api/me` })).text)['identity'];
  expectThat('as herself', (seenBy as { username?: string } | undefined)?.username === olga.id, seenBy);
}

/** A program has its person's server started: curl, with a token, and the hub's cookies in a file. */
export async function startsByProgram(lab: HubLaboratory, expectThat: Expect): Promise<void> {
  const { bob, ask, origin, port, caFile } = lab;
  const jar = join(lab.hub.homeOf('.'), 'jar');
  const curl = async (path: string) => {
    const options = ['--silent', '--show-error', '--location', '--cacert', caFile, '-b', jar, '-c', jar];
    const address = ['--resolve', `hub.localhost:${port}:127.0.0.1`, `${origin}${path}`];
    const credential = ['-H', `Authorization: Bearer ${await lab.token(bob)}`];
    return (await run('curl', [...options, ...credential, ...address], { timeout: 60_000 })).stdout;
  };
  await curl('/hub/spawn');
  const status = async () => (await ask(bob, { path: `/user/${bob.id}/api/status` })).status;
  expectThat('a program starts its person’s server', await soon(async () => (await status()) === 200));
  const me = parsed(await curl(`/user/${bob.id}/api/me`))['identity'] as { name?: string } | undefined;
  expectThat('and is that person there', me?.name === 'Bob', me);
}

/** A restart of Lockstep in the middle of a day's work. */
export async function staysAtWork(
  lab: HubLaboratory,
  { page }: PersonBrowser,
  kernel: string,
  expectThat: Expect,
): Promise<void> {
  const base = `/user/${lab.alice.id}`;
  await page.getByRole('region', { name: 'Launcher' }).or(page.locator('.jp-Launcher')).first().waitFor();
  await page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click();
  // Before its kernel is there JupyterLab runs nothing, and does not say so.
  await page.getByText('Python 3 (ipykernel) | Idle').waitFor({ timeout: 60_000 });
  await page.locator('.jp-Notebook .jp-CodeCell .cm-content').last().click();
  await page.keyboard.type('remembered = 6 * 7; remembered');
  await page.keyboard.press('Shift+Enter');
  const output = page.locator('.jp-OutputArea-output');
  await output
    .filter({ hasText: /^\s*42\s*$/ })
    .first()
    .waitFor({ timeout: 60_000 });
  expectThat('a notebook in JupyterLab computes', true);
  // JupyterLab at a hub takes whatever does not answer for a server that does not run, and offers to start it.
  await page.addLocatorHandler(page.getByRole('button', { name: 'Dismiss' }), (button) => button.click());
  await lab.restart();
  const again = await page.evaluate(execute, { base, id: kernel, code: 'x + 2' });
  expectThat(
    'a restart of Lockstep leaves her signed in, and the kernel its memory',
    again.said === '43',
    again,
  );
  await page.locator('.jp-Notebook .jp-CodeCell .cm-content').last().click();
  await page.keyboard.type('remembered + 1');
  await page.keyboard.press('Shift+Enter');
  await output
    .filter({ hasText: /^\s*43\s*$/ })
    .first()
    .waitFor({ timeout: 60_000 });
  expectThat('JupyterLab comes back to the same kernel by itself', true);
}

/** Stopping and starting a server: by its person in a browser, by an operator, and by nobody else. */
export async function stopsAndStarts(
  lab: HubLaboratory,
  { page }: PersonBrowser,
  expectThat: Expect,
): Promise<void> {
  const { alice, bob, olga, ask, origin } = lab;
  const base = `/user/${alice.id}`;
  const stopped = async () => (await ask(alice, { path: `${base}/api/status` })).status === 503;
  const started = async () => (await ask(alice, { path: `${base}/api/status` })).status === 200;
  await page.goto(`${origin}/hub/home`);
  await page.getByRole('button', { name: 'Stop My Server' }).click();
  expectThat('Alice stops her server on the hub’s page', await soon(stopped));
  for (const question of [
    { path: `${base}/api/contents` },
    { path: `${base}/api/contents/a.txt` },
    { path: `${base}/lab/api/settings` },
    { method: 'POST', path: `${base}/api/kernels`, body: {} },
    { method: 'DELETE', path: `${base}/api/contents/a.txt` },
  ] as const) {
    const told = await ask(alice, question);
    const { message } = parsed(told.text);
    expectThat(
      `a program is told so in JSON: ${'method' in question ? question.method : 'GET'} ${question.path.slice(base.length)}`,
      told.status === 503 && message === `This server does not run. Start it at /hub/spawn/${alice.id}.`,
      told,
    );
  }
  await startsAgain(lab, page);
  expectThat('she starts it again, on the page to which its address leads', await soon(started));

  const stop = async (who: typeof olga) => {
    // As a browser does: a cookie of the hub's for whoever Lockstep says, then its word against forgery with the request.
    const jar = new Map<string, string>();
    const cookie = () => [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    for (const path of ['/hub/login', '/hub/home']) {
      const { cookies } = await ask(who, {
        path,
        headers: { 'sec-fetch-mode': 'navigate', ...(jar.size > 0 && { cookie: cookie() }) },
      });
      for (const text of cookies) {
        const [pair = ''] = text.split(';');
        jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
      }
    }
    return ask(who, {
      method: 'DELETE',
      path: `/hub/api/users/${alice.id}/server`,
      headers: { cookie: cookie(), 'x-xsrftoken': jar.get('_xsrf') ?? '' },
    });
  };
  const refused = await stop(bob);
  expectThat('Bob does not stop it', refused.status === 403 && (await started()), refused);
  const done = await stop(olga);
  expectThat(
    'Olga does, by a role of Lockstep’s and one of the hub’s',
    [202, 204].includes(done.status) && (await soon(stopped)),
    done,
  );
  await startsAgain(lab, page);
}

/** A server that is about to stop has no button yet. */
async function startsAgain({ alice, origin }: HubLaboratory, page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Launch Server' });
  await soon(async () => {
    await page.goto(`${origin}/user/${alice.id}/lab`);
    return button.isVisible();
  });
  await button.click();
  await page.waitForURL((url) => url.pathname.startsWith(`/user/${alice.id}/lab`), { timeout: 180_000 });
}

/** A cookie of the hub's is worth nothing to another. */
export async function theft(lab: HubLaboratory, browser: PersonBrowser, expectThat: Expect): Promise<void> {
  const { alice, bob, ask } = lab;
  const stolen = (await browser.page.context().cookies())
    .filter(({ name }) => name.startsWith('jupyterhub') || name === '_xsrf')
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ');
  expectThat('the hub has given Alice’s browser a cookie', stolen.includes('jupyterhub-hub-login='), stolen);
  const mine = await ask(alice, { path: '/hub/home', headers: { cookie: stolen } });
  expectThat('which is Alice with Alice', mine.status === 200 && mine.text.includes(alice.id), mine);
  const theirs = await ask(bob, { path: '/hub/home', headers: { cookie: stolen } });
  expectThat('and nobody with Bob', theirs.status === 302 && !theirs.text.includes(alice.id), theirs);
  const alone = await ask(null, { path: '/hub/home', headers: { cookie: stolen } });
  expectThat('and no credential by itself', alone.status === 401, alone);
  const direct = await fetch(`${lab.hub.url}/hub/home`, { headers: { cookie: stolen }, redirect: 'manual' });
  expectThat('nor past Lockstep', direct.status === 302, direct.status);
}

/** The page of somebody else's server would act as whoever looks at it. */
export async function visits(lab: HubLaboratory, olgas: PersonBrowser, expectThat: Expect): Promise<void> {
  await olgas.open(`${lab.origin}/user/${lab.alice.id}/lab`);
  const refused = await olgas.page.locator('body').innerText();
  expectThat(
    'Olga, who may use Alice’s server, opens it in no browser, and reads why',
    /its pages would act as you/.test(refused),
    refused.slice(0, 600),
  );
}

/** Rights that end, end what is under way: in her browser, and in a program of hers. */
export async function leaves(lab: HubLaboratory, { page }: PersonBrowser, expectThat: Expect): Promise<void> {
  const { alice, ask } = lab;
  const base = `/user/${alice.id}`;
  const { id } = await page.evaluate(execute, { base, id: null, code: '1 + 1' });
  const inPage = page.evaluate(closed, { base, id });
  await page.waitForFunction('globalThis.openedChannels === true');
  const channels = `wss://hub.localhost:${lab.port}${base}/api/kernels/${id}/channels`;
  const ended = async (end: () => Promise<void>) => {
    const socket = await opened(lab.ca, channels, await lab.token(alice));
    const over = once(socket, 'close');
    const before = performance.now();
    await end();
    const [code] = (await over) as [number];
    return { code, took: Math.round(performance.now() - before) };
  };
  const left = await ended(() => lab.remove(alice));
  expectThat(
    `leaving the group closes her channels within a second (${left.took} ms)`,
    left.took < 1000 && left.code === 1008,
    left,
  );
  const { code, reason } = await inPage;
  expectThat('those of her page too, with the policy', code === 1008 && reason.includes('missing grant'), {
    code,
    reason,
  });
  for (const path of [`${base}/lab`, `${base}/api/me`, '/hub/home', '/hub/spawn']) {
    const after = await ask(alice, { path });
    expectThat(`and ${path.replace(alice.id, '{Alice}')} is no longer hers`, after.status === 403, after);
  }
  await lab.add(alice);
  const token = await lab.token(alice);
  const disabled = await ended(() => lab.disable(alice));
  expectThat(
    `so does being disabled (${disabled.took} ms)`,
    disabled.took < 1000 && disabled.code === 1008,
    disabled,
  );
  const gone = await ask(null, { path: `${base}/api/me`, headers: { authorization: `Bearer ${token}` } });
  expectThat('after which her token is none', gone.status === 401, gone);
  const cookie = await page.evaluate(async (path) => (await fetch(path)).status, `${base}/api/me`);
  expectThat('nor is she signed in', cookie === 401, cookie);
}

async function opened(ca: string, url: string, token: string): Promise<WebSocket> {
  const socket = new WebSocket(url, {
    ca,
    lookup: onThisMachine,
    headers: { authorization: `Bearer ${token}` },
  });
  await once(socket, 'open');
  return socket;
}

async function soon(holds: () => Promise<boolean>): Promise<boolean> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    if (await holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return false;
}
