import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sessionCookieName } from '../../identity/signin/sessions.ts';
import type { PrincipalId, Secret } from '../../lib/ids.ts';
import { Browser, hiddenFields } from './testing/browser.ts';
import { CodeFlow, callback } from './testing/code-flow.ts';
import { adaPassword, openHouse, type House } from './testing/house.ts';

let house: House;
let browser: Browser;
let flow: CodeFlow;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(async () => house.close());
beforeEach(() => {
  browser = new Browser(house);
  flow = new CodeFlow(house);
});

async function alive(accessToken: string | undefined): Promise<boolean> {
  const caller = await house.verifier.verify(accessToken ?? '', ['https://graph.microsoft.com']);
  return house.liveness.check(caller) === null;
}

describe('the code', () => {
  test('is good once; its second use ends everything that the first one gave', async () => {
    const code = await flow.code(browser);
    const first = await flow.redeem(browser, code);
    expect(first.status).toBe(200);
    expect(await alive(first.body.access_token)).toBe(true);
    const second = await flow.redeem(browser, code);
    expect(second.status).toBe(400);
    expect(second.body.error).toBe('invalid_grant');
    expect(second.body.error_codes).toEqual([54005]);
    expect(await alive(first.body.access_token)).toBe(false);
    const refreshed = await flow.refresh(browser, first.body.refresh_token ?? '');
    expect(refreshed.body.error).toBe('invalid_grant');
  });

  test('raced by ten at once gives at most one token, and that one is dead', async () => {
    const code = await flow.code(browser);
    const answers = await Promise.all(Array.from({ length: 10 }, async () => flow.redeem(browser, code)));
    const won = answers.filter(({ status }) => status === 200);
    expect(won.length).toBeLessThanOrEqual(1);
    for (const { body } of won) expect(await alive(body.access_token)).toBe(false);
  });

  test('is worth nothing with another verifier, redirect URI or client', async () => {
    const wrong = [
      { code_verifier: 'x'.repeat(43) },
      { code_verifier: undefined },
      { redirect_uri: 'http://127.0.0.1:54322/callback' },
      { client_id: house.webAppId },
    ];
    for (const change of wrong) {
      const answer = await flow.redeem(browser, await flow.code(browser), change);
      expect(answer.status).toBe(400);
      expect(answer.body.error).toBe('invalid_grant');
      expect(answer.body.access_token).toBeUndefined();
    }
  });

  test('lapses after a minute', async () => {
    const code = await flow.code(browser);
    house.clock.advance(61_000);
    expect((await flow.redeem(browser, code)).body.error).toBe('invalid_grant');
  });

  test('dies with the session it came from', async () => {
    const code = await flow.code(browser);
    const [session] = house.sessions.list(house.adaId);
    await house.sessions.close(house.by, session!.id, 'test');
    expect((await flow.redeem(browser, code)).body.error).toBe('invalid_grant');
  });

  test('and the refresh token rest as digests only', async () => {
    const code = await flow.code(browser);
    const { body } = await flow.redeem(browser, await flow.code(browser));
    const rows = JSON.stringify(await house.store.db.selectFrom('oidc_artifacts').selectAll().execute());
    expect(rows).not.toContain(code);
    expect(rows).not.toContain(body.refresh_token);
    expect(rows).not.toContain(body.access_token);
  });
});

describe('PKCE', () => {
  test.each([
    ['is left out', { code_challenge: undefined, code_challenge_method: undefined }],
    ['is plain', { code_challenge_method: 'plain' }],
    ['names no method', { code_challenge_method: undefined }],
    ['has an empty challenge', { code_challenge: '' }],
  ])('is refused to a public client when it %s', async (_how, change) => {
    await flow.signIn(browser);
    const back = await flow.signIn(browser, change);
    expect(back.searchParams.get('error')).toBe('invalid_request');
    expect(back.searchParams.get('code')).toBeNull();
    expect(back.searchParams.get('state')).toBe('the-state');
  });
});

describe('the redirect URI', () => {
  test.each([
    '//evil.example',
    'https://evil.example',
    'https://evil.example/callback',
    'http://evil.example:54321/callback',
    'http://127.0.0.1.evil.example/callback',
    'http://localhost.evil.example/callback',
    'http://localhost@evil.example/callback',
    'http://localhost:80@evil.example/callback',
    'http://127.0.0.1:54321@evil.example/callback',
    'http://user@localhost/callback',
    'http://127.0.0.1\\@evil.example/callback',
    'http://127.0.0.1\t.evil.example/callback',
    'http://127.0.0.1%09.evil.example/callback',
    'http:/\\evil.example/callback',
    'http://127.0.0.1:54321/callback/../elsewhere',
    'http://127.0.0.1:54321/callback/',
    'http://127.0.0.1:54321/callback?next=https://evil.example',
    'http://127.0.0.1:54321/callback#fragment',
    'http://127.0.0.1:54321/CALLBACK',
    'http://127.0.0.1:99999/callback',
    'http://127.0.0.1:/callback:80',
    'http://0.0.0.0:54321/callback',
    'http://127.0.0.2/callback',
    'http://127.1/callback',
    'http://0x7f000001/callback',
    'https://127.0.0.1/callback',
    'https://localhost/callback',
    'javascript:alert(1)',
    'data:text/html,x',
    'http://127.0.0.1:54321/callback\u200b',
    'http://127.0.0.1:54321/call\nback',
    ' http://127.0.0.1:54321/callback',
    'HTTP://127.0.0.1:54321/callback',
    'http://ｌocalhost/callback',
    '',
  ])('%j is shown an error page, not followed', async (uri) => {
    const fresh = await browser.get(flow.address({ redirect_uri: uri }));
    expect(fresh.status).toBe(400);
    expect(fresh.location).toBe('');
    const signedIn = new Browser(house);
    await flow.signIn(signedIn);
    const again = await signedIn.get(flow.address({ redirect_uri: uri }));
    expect(again.status).toBe(400);
    expect(again.location).toBe('');
    expect(again.text).not.toContain('code=');
  });

  test('is never taken from the query of the sign-in page', async () => {
    const hostile = [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      '/\t/evil.example',
      '/account/../../evil',
      `/${house.tenantId}/oauth2/v2.0/authorize?client_id=${flow.clientId}&redirect_uri=https://evil.example`,
      '@evil.example',
      'javascript:alert(1)',
    ];
    for (const path of hostile) {
      const fresh = new Browser(house);
      const query = new URLSearchParams({ continue: path }).toString();
      const answer = await fresh.signIn('ada@lab.example', adaPassword, `/signin?${query}`);
      expect(answer.status).toBe(303);
      expect(answer.location).toBe('/account');
    }
  });

  test('of a public client may name any loopback port, and nothing else may differ', async () => {
    const back = await flow.signIn(browser, { redirect_uri: 'http://localhost:1' });
    expect(back.origin).toBe('http://localhost:1');
    const web = new CodeFlow(house, house.webAppId);
    const exact = await web.signIn(browser, { redirect_uri: 'https://portal.lab.example/signed-in' });
    expect(exact.origin).toBe('https://portal.lab.example');
    const answer = await browser.get(
      web.address({ redirect_uri: 'https://portal.lab.example:8443/signed-in' }),
    );
    expect(answer.status).toBe(400);
  });
});

describe('the request', () => {
  test('with a repeated parameter is refused on a page, whatever the copies say', async () => {
    const answer = await browser.get(`${flow.address()}&redirect_uri=https://evil.example`);
    expect(answer.status).toBe(400);
    expect(answer.location).toBe('');
  });

  test('of an unknown application is refused on a page with the number that people look up', async () => {
    const answer = await browser.get(flow.address({ client_id: '00000000-0000-0000-0000-000000000001' }));
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('AADSTS700016');
  });

  test('that is not a browser’s gets JSON, never a page', async () => {
    const answer = await browser.get(flow.address({ client_id: 'nobody' }), { accept: 'application/json' });
    expect(answer.headers['content-type']).toMatch(/json/);
    expect(JSON.parse(answer.text)).toMatchObject({ error: 'unauthorized_client', error_codes: [700016] });
  });

  test('for a token in the front channel is refused', async () => {
    for (const responseType of ['token', 'id_token', 'code id_token', 'none', 'code token']) {
      const back = await flow.signIn(browser, { response_type: responseType, nonce: 'n' });
      expect(back.searchParams.get('error')).toMatch(/unsupported_response_type|invalid_request/);
      expect(back.searchParams.get('access_token')).toBeNull();
    }
  });

  test('keeps the state to the letter and names the issuer (mix-up defence)', async () => {
    const state = 'a b&c=d%26#"<>é';
    const back = await flow.signIn(browser, { state });
    expect(back.searchParams.get('state')).toBe(state);
    expect(back.searchParams.get('iss')).toBe(house.issuerUrl);
  });

  test('with prompt=none and nobody signed in is told so, without a page', async () => {
    const back = await flow.signIn(browser, { prompt: 'none' });
    expect(back.searchParams.get('error')).toBe('login_required');
  });

  test('with prompt=login asks again although a session is open', async () => {
    await flow.signIn(browser);
    const answer = await browser.get(flow.address({ prompt: 'login' }));
    expect(answer.location).toMatch(/^\/signin/);
  });

  test('for a resource that is not served is told so at the client', async () => {
    const back = await flow.signIn(browser, { scope: 'openid https://evil.example/.default' });
    expect(back.searchParams.get('error')).toBe('invalid_resource');
    expect(back.searchParams.get('error_description')).toContain('AADSTS500011');
  });

  test('ignores claims, x-client-* and what else Microsoft’s clients send', async () => {
    const back = await flow.signIn(browser, {
      claims: '{"access_token":{"xms_cc":{"values":["CP1"]}}}',
      'client-request-id': '0f3c0000-0000-0000-0000-000000000000',
      'x-client-SKU': 'msal.js.node',
      clidata: '1',
      domain_hint: 'lab.example',
    });
    expect(back.searchParams.get('code')).toMatch(/.{20}/);
  });

  test('request objects by value or reference are refused (no fetching of a stranger’s address)', async () => {
    for (const change of [{ request: 'e30.e30.' }, { request_uri: 'https://evil.example/r' }]) {
      const back = await flow.signIn(browser, change);
      expect(back.searchParams.get('error')).toMatch(/request.*_not_supported|invalid_request/);
    }
  });
});

describe('the refresh token', () => {
  test('rotates; the use of an old one ends the whole family and its access tokens', async () => {
    const { body: first } = await flow.redeem(browser, await flow.code(browser));
    const { body: second } = await flow.refresh(browser, first.refresh_token ?? '');
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(await alive(second.access_token)).toBe(true);
    const stolen = await flow.refresh(browser, first.refresh_token ?? '');
    expect(stolen.body.error).toBe('invalid_grant');
    expect((await flow.refresh(browser, second.refresh_token ?? '')).body.error).toBe('invalid_grant');
    expect(await alive(second.access_token)).toBe(false);
    expect(await alive(first.access_token)).toBe(false);
  });

  test('serves another resource, under the same person and session', async () => {
    const { body } = await flow.redeem(browser, await flow.code(browser));
    const other = await flow.refresh(browser, body.refresh_token ?? '', {
      scope: 'https://management.azure.com//.default openid profile offline_access',
    });
    const caller = await house.verifier.verify(other.body.access_token ?? '', [
      'https://management.azure.com/',
    ]);
    expect(caller.subject.id).toBe(house.ada.id);
    expect(other.body.scope).toContain('https://management.azure.com//.default');
  });

  test('of one client is nothing to another', async () => {
    const { body } = await flow.redeem(browser, await flow.code(browser));
    const other = new CodeFlow(house, house.webAppId);
    expect((await other.refresh(browser, body.refresh_token ?? '')).body.error).toBe('invalid_grant');
  });

  test('is given only when offline_access was asked for', async () => {
    const code = await flow.code(browser, { scope: 'openid profile' });
    expect((await flow.redeem(browser, code)).body.refresh_token).toBeUndefined();
  });

  test.each([
    [
      'the session is closed',
      async () => {
        for (const { id } of house.sessions.list(house.adaId))
          await house.sessions.close(house.by, id, 'test');
      },
    ],
    [
      'the password is changed',
      async () => {
        await house.directory.setPassword(house.by, house.adaId, adaPassword as Secret);
      },
    ],
    [
      'the person is disabled, even if enabled again',
      async () => {
        await house.directory.setEnabled(house.by, house.adaId, false);
        await house.directory.setEnabled(house.by, house.adaId, true);
      },
    ],
  ])('dies, with the access token, when %s', async (_when, end) => {
    const { body } = await flow.redeem(browser, await flow.code(browser));
    expect(await alive(body.access_token)).toBe(true);
    await end();
    expect(await alive(body.access_token)).toBe(false);
    expect((await flow.refresh(browser, body.refresh_token ?? '')).body.error).toBe('invalid_grant');
    expect((await browser.get('/account')).status).toBe(303);
  });
});

describe('an application that is shut out', () => {
  async function portal(): Promise<{ id: PrincipalId; change: Record<string, string> }> {
    const app = await house.directory.createApplication(house.by, {
      displayName: 'Portal',
      sponsorId: house.adaId,
      redirectUris: ['http://127.0.0.1:54321/callback'],
      publicClient: true,
    });
    return { id: app.id, change: { client_id: app.signInName ?? '' } };
  }

  test.each<[string, (id: PrincipalId) => Promise<unknown>]>([
    ['disabled', (id) => house.directory.setEnabled(house.by, id, false)],
    ['deleted', (id) => house.directory.deletePrincipal(house.by, id)],
  ])('because it was %s acts for nobody any more, and no other is touched', async (_how, shutOut) => {
    const { id, change } = await portal();
    const own = await flow.redeem(browser, await flow.code(browser, change), change);
    const other = await flow.redeem(browser, await flow.code(browser));
    expect([await alive(own.body.access_token), await alive(other.body.access_token)]).toEqual([true, true]);
    await shutOut(id);
    expect([await alive(own.body.access_token), await alive(other.body.access_token)]).toEqual([false, true]);
    const refreshed = await flow.refresh(browser, own.body.refresh_token ?? '', change);
    expect(refreshed.status).toBe(400);
  });
});

describe('the sign-in form', () => {
  const ada = { name: 'ada@lab.example', password: adaPassword };

  test('gives a new session id at each sign-in; a planted one is worth nothing (fixation)', async () => {
    const planted = 'ses_00000000000000000000000000.AAAA';
    browser.cookies.set(sessionCookieName, planted);
    await browser.signIn(ada.name, ada.password);
    const first = browser.cookies.get(sessionCookieName);
    expect(first).not.toBe(planted);
    await browser.signIn(ada.name, ada.password);
    expect(browser.cookies.get(sessionCookieName)).not.toBe(first);
  });

  test('ends the session of whoever was signed in before', async () => {
    await house.directory.createUser(house.by, {
      displayName: 'Grace Hopper',
      userPrincipalName: 'grace@lab.example',
      password: adaPassword as Secret,
    });
    await browser.signIn(ada.name, ada.password);
    const before = browser.cookies.get(sessionCookieName) ?? '';
    await browser.signIn('grace@lab.example', adaPassword);
    expect(house.sessions.fromCookie(before)).toBeNull();
  });

  test('sets a cookie that is host-only, secure, out of reach of scripts, and lax', async () => {
    const answer = await browser.signIn(ada.name, ada.password);
    expect(String(answer.headers['set-cookie'])).toMatch(
      /^__Host-lockstep-session=ses_[^;]+; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
    );
  });

  test.each([
    ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['a sibling host', { origin: 'https://evil.localhost', 'sec-fetch-site': 'same-site' }],
    ['a sandboxed frame', { origin: 'null' }],
    ['a page that hides where it is', { origin: '', 'sec-fetch-site': 'cross-site' }],
  ])('refuses a post from %s (login CSRF)', async (_who, headers) => {
    const shown = await browser.get('/signin');
    const answer = await browser.post('/signin', { ...hiddenFields(shown.text), ...ada }, headers);
    expect(answer.status).toBe(403);
    expect(browser.cookies.has(sessionCookieName)).toBe(false);
  });

  test('refuses a form token of another browser, a changed one, and none', async () => {
    const attacker = new Browser(house);
    const theirs = hiddenFields((await attacker.get('/signin')).text);
    const own = hiddenFields((await browser.get('/signin')).text);
    for (const token of [theirs['form_token'] ?? '', `${own['form_token']}A`, '']) {
      const answer = await browser.post('/signin', { ...own, ...ada, form_token: token });
      expect(answer.status).toBe(403);
      expect(browser.cookies.has(sessionCookieName)).toBe(false);
    }
    const { form_token: _, ...without } = own;
    expect((await browser.post('/signin', { ...without, ...ada })).status).toBe(403);
  });

  test('answers an unknown name, a wrong password and a disabled account alike', async () => {
    const disabled = await house.directory.createUser(house.by, {
      displayName: 'Gone',
      userPrincipalName: 'gone@lab.example',
      password: adaPassword as Secret,
    });
    await house.directory.setEnabled(house.by, disabled.id, false);
    const texts = [];
    for (const [name, password] of [
      ['nobody@lab.example', adaPassword],
      ['ada@lab.example', 'wrong'],
      ['gone@lab.example', adaPassword],
    ] as const) {
      const fresh = new Browser(house);
      const answer = await fresh.signIn(name, password);
      expect(answer.status).toBe(401);
      texts.push(/role="alert">(.*?)<\/div>/s.exec(answer.text)?.[1]);
      expect(answer.text).not.toContain(password);
    }
    expect(new Set(texts).size).toBe(1);
  });

  test('locks after repeated failures, says for how long, and does not look at the password meanwhile', async () => {
    await house.directory.createUser(house.by, {
      displayName: 'Mallory’s target',
      userPrincipalName: 'target@lab.example',
      password: adaPassword as Secret,
    });
    for (let i = 0; i < 5; i++)
      expect((await browser.signIn('target@lab.example', `guess ${i}`)).status).toBe(401);
    const locked = await browser.signIn('target@lab.example', adaPassword);
    expect(locked.status).toBe(429);
    expect(locked.headers['retry-after']).toBe('30');
    expect(locked.text).toContain('Try again in 30 seconds');
    house.clock.advance(31_000);
    expect((await browser.signIn('target@lab.example', adaPassword)).status).toBe(303);
  });

  test('records every outcome before it answers, and never a name that is not an account’s', async () => {
    house.facts.length = 0;
    await browser.signIn('hunter2', 'x');
    await browser.signIn(ada.name, ada.password);
    const outcomes = house.facts.flatMap((fact) =>
      fact.kind === 'authentication' ? [[fact.activity, fact.failureCode, fact.principalName]] : [],
    );
    expect(outcomes).toEqual([
      ['sign-in', 'invalid_grant', null],
      ['sign-in', null, 'ada@lab.example'],
    ]);
    expect(JSON.stringify(house.facts)).not.toContain('hunter2');
    expect(JSON.stringify(house.facts)).not.toContain(adaPassword);
  });
});

describe('the session cookie', () => {
  test('with any character changed is nobody’s', async () => {
    await browser.signIn('ada@lab.example', adaPassword);
    const cookie = browser.cookies.get(sessionCookieName) ?? '';
    expect(house.sessions.fromCookie(cookie)).not.toBeNull();
    for (let i = 0; i < cookie.length; i++) {
      const other = cookie.charAt(i) === 'A' ? 'B' : 'A';
      expect(house.sessions.fromCookie(cookie.slice(0, i) + other + cookie.slice(i + 1))).toBeNull();
    }
    for (const shape of ['', '.', cookie.split('.')[0] ?? '', `${cookie}.`, `${cookie}=`, ` ${cookie}`]) {
      expect(house.sessions.fromCookie(shape)).toBeNull();
    }
  });

  test('sent twice counts as none (cookie tossing)', async () => {
    await browser.signIn('ada@lab.example', adaPassword);
    const cookie = `${sessionCookieName}=${browser.cookies.get(sessionCookieName)}`;
    const answer = await browser.get('/account', { cookie: `${cookie}; ${cookie}` });
    expect(answer.status).toBe(400);
    const authorized = await browser.get(flow.address(), { cookie: `${cookie}; ${cookie}` });
    expect(authorized.location).toMatch(/^\/signin/);
  });

  test('is not a form token, nor the other way round', async () => {
    const id = 'ses_x';
    const form = house.keys.tag('form', id);
    expect(house.keys.verify('session-cookie', id, form)).toBe(false);
  });
});

describe('a one-time link', () => {
  test('is not used up by looking at it, works once, and then no more', async () => {
    const code = await house.oneTimeLinks.create(house.by, house.adaId, 600);
    const path = `/signin/link?code=${code}`;
    for (let i = 0; i < 3; i++) expect((await new Browser(house).get(path)).status).toBe(200);
    const shown = await browser.get(path);
    expect(shown.headers['referrer-policy']).toBe('same-origin');
    const used = await browser.post('/signin/link', hiddenFields(shown.text));
    expect(used.location).toBe('/account');
    expect((await browser.get('/account')).status).toBe(200);
    expect((await new Browser(house).get(path)).status).toBe(410);
    const again = await browser.post('/signin/link', hiddenFields(shown.text));
    expect(again.status).toBe(410);
  });

  test('clicked twice at the same instant signs in once', async () => {
    const code = await house.oneTimeLinks.create(house.by, house.adaId, 600);
    const results = await Promise.all(
      Array.from({ length: 8 }, async () => house.oneTimeLinks.redeem(house.by, code)),
    );
    expect(results.filter((result) => result !== null)).toEqual([house.ada.id]);
  });

  test('lapses, rests as a digest, and cannot be used from another browser’s form', async () => {
    const code = await house.oneTimeLinks.create(house.by, house.adaId, 600);
    expect(
      JSON.stringify(await house.store.db.selectFrom('one_time_links').selectAll().execute()),
    ).not.toContain(code);
    const theirs = hiddenFields((await new Browser(house).get(`/signin/link?code=${code}`)).text);
    await browser.get('/signin');
    expect((await browser.post('/signin/link', theirs)).status).toBe(403);
    house.clock.advance(600_001);
    expect(await house.oneTimeLinks.redeem(house.by, code)).toBeNull();
  });
});

describe('signing out', () => {
  test('needs a form of the session’s own page, ends the session everywhere, and clears the cookie', async () => {
    const { body } = await flow.redeem(browser, await flow.code(browser));
    const cookie = browser.cookies.get(sessionCookieName) ?? '';
    const page = await browser.get('/signin/out');
    expect(page.text).toContain('Sign out?');
    expect((await browser.post('/account/sign-out', { form_token: 'x' })).status).toBe(403);
    expect(house.sessions.fromCookie(cookie)).not.toBeNull();
    const out = await browser.post('/account/sign-out', hiddenFields(page.text));
    expect(out.location).toBe('/signin/out');
    expect(browser.cookies.has(sessionCookieName)).toBe(false);
    expect(house.sessions.fromCookie(cookie)).toBeNull();
    expect(await alive(body.access_token)).toBe(false);
  });

  test('leads back only to an address that the application registered', async () => {
    const logout = (uri: string) =>
      `/${house.tenantId}/oauth2/v2.0/logout?${new URLSearchParams({ client_id: flow.clientId, post_logout_redirect_uri: uri, state: 's' }).toString()}`;
    const good = await browser.get((await browser.get(logout(callback))).location);
    expect(good.location).toBe(`${callback}?state=s`);
    const bad = await browser.get((await browser.get(logout('https://evil.example'))).location);
    expect(bad.status).toBe(200);
    expect(bad.location).toBe('');
  });
});

test('every page forbids framing, inline code and storing', async () => {
  await browser.signIn('ada@lab.example', adaPassword);
  for (const path of [
    '/signin',
    '/account',
    '/signin/out',
    '/signin/link?code=x',
    flow.address({ client_id: 'x' }),
  ]) {
    const { headers, text } = await browser.get(path);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'/);
    expect(headers['content-security-policy']).toMatch(/frame-ancestors 'none'/);
    expect(headers['content-security-policy']).not.toMatch(/unsafe/);
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(text).not.toMatch(/<script|style=|onclick|onload/);
  }
});

test('a person sees and ends only their own sessions', async () => {
  const grace = await house.directory.createUser(house.by, {
    displayName: 'Grace the Second',
    userPrincipalName: 'grace2@lab.example',
    password: adaPassword as Secret,
  });
  const other = new Browser(house);
  await other.signIn('grace2@lab.example', adaPassword);
  await browser.signIn('ada@lab.example', adaPassword);
  const [hers] = house.sessions.list(grace.id);
  const page = await browser.get('/account');
  expect(page.text).not.toContain(hers!.id);
  const token = hiddenFields(page.text)['form_token'] ?? '';
  const answer = await browser.post('/account/sessions/end', { form_token: token, session: hers!.id });
  expect(answer.status).toBe(404);
  expect(house.sessions.find(hers!.id)).not.toBeNull();
});

test('text from the outside is escaped wherever it is shown', async () => {
  const hostile = '"><script>alert(1)</script>';
  const shown = await browser.get(
    `/signin?${new URLSearchParams({ continue: flow.address({ login_hint: hostile }) }).toString()}`,
  );
  expect(shown.text).toContain('&#34;&#62;&#60;script&#62;');
  expect(shown.text).not.toContain('<script');
  const error = await browser.get(flow.address({ client_id: hostile }));
  expect(error.text).not.toContain('<script');
});

test('form_post sends the answer by a form of ours, without inline code', async () => {
  await flow.signIn(browser);
  const answer = await browser.get(flow.address({ response_mode: 'form_post' }));
  expect(answer.status).toBe(200);
  expect(answer.headers['content-security-policy']).toMatch(/script-src 'self'/);
  expect(answer.headers['content-security-policy']).toMatch(/form-action 'self' http:\/\/127\.0\.0\.1:54321/);
  expect(hiddenFields(answer.text)).toMatchObject({ state: 'the-state', iss: house.issuerUrl });
  const fragment = await browser.get(flow.address({ response_mode: 'fragment' }));
  expect(fragment.location).toMatch(/^http:\/\/127\.0\.0\.1:54321\/callback#code=/);
});
