import { request } from 'undici';
import { handshake, parsed } from '../jupyter/ask.ts';
import type { Expect } from '../jupyter/known.ts';
import type { HubLaboratory, Question } from './laboratory.ts';

/** What must be impossible; `token` is that of Alice's server at the hub, as whoever runs code there can read it. */
export async function strangers(lab: HubLaboratory, token: string, expectThat: Expect): Promise<void> {
  const { alice, bob, ask, hub } = lab;
  const his = `/user/${alice.id}`;
  const named = (path: string) => path.replaceAll(alice.id, '{Alice}');

  for (const question of [
    { path: `${his}/lab` },
    { path: `${his}/api/contents` },
    { path: `${his}/api/kernels` },
    { method: 'POST', path: `${his}/api/kernels`, body: { name: 'python3' } },
    { path: `/hub/user/${alice.id}/` },
    { path: `/hub/spawn/${alice.id}` },
    { path: `/hub/api/users/${alice.id}` },
    { method: 'POST', path: `/hub/api/users/${alice.id}/server` },
    { method: 'DELETE', path: `/hub/api/users/${alice.id}/server` },
    { path: `/hub/api/users/${alice.id}/server/progress` },
  ] satisfies Question[]) {
    const answer = await ask(bob, question);
    const what = `${'method' in question ? question.method : 'GET'} ${named(question.path)}`;
    const told = parsed(answer.text)['reason'] === 'AuthorizationFailed';
    expectThat(`Bob may not ${what}`, answer.status === 403 && told, answer);
  }
  const channels = `wss://hub.localhost:${lab.port}${his}/api/kernels/00000000-0000-4000-8000-000000000000/channels`;
  const bobs = await handshake(lab.ca, channels, `Bearer ${await lab.token(bob)}`);
  expectThat('Bob opens no channels at Alice’s server', bobs === 403, bobs);
  const evil = await handshake(lab.ca, channels, `Bearer ${await lab.token(alice)}`, 'https://evil.example');
  expectThat('nor does a page of another site with Alice’s token', evil === 403, evil);

  for (const [method, path] of [
    ['GET', '/hub/token'],
    ['GET', '/hub/admin'],
    ['POST', '/hub/login'],
    ['GET', '/hub/metrics'],
    ['POST', `/hub/api/users/${alice.id}/tokens`],
    ['GET', `/hub/api/users/${alice.id}/tokens`],
    ['POST', `/hub/api/users/${alice.id}/servers/lab`],
    ['POST', `/hub/api/users/${alice.id}/activity`],
    ['GET', '/hub/api/users'],
    ['GET', '/hub/api/groups'],
    ['GET', '/hub/api/proxy'],
    ['GET', '/hub/api/oauth2/authorize?client_id=service&response_type=code'],
    ['POST', '/hub/api/shutdown'],
    ['GET', `${his}/metrics`],
    ['GET', `${his}/oauth_callback?code=x&state=y`],
    ['GET', `${his}/login?token=${token}`],
    ['GET', `/user/${alice.id.toUpperCase()}/lab`],
    ['GET', '/user/alice@lab.example/lab'],
    ['GET', '/services/x/'],
  ] as const) {
    const answer = await ask(alice, { method, path });
    const denied = answer.status === 403 && parsed(answer.text)['reason'] === 'RouteNotDescribed';
    expectThat(`${method} ${named(path.replace(token, '{token}'))} is nobody’s`, denied, answer);
  }
  for (const path of [
    `/user/${bob.id}/..%2F${alice.id}/api/contents`,
    `/user/${bob.id}%2F..%2F${alice.id}/lab`,
    `/user/${alice.id.replace('-', '%2D')}/lab`,
    `/user/${bob.id}/../${alice.id}/lab`,
  ]) {
    const answer = await raw(lab, bob, path);
    expectThat(`a path is read one way only: ${path.slice(43)}`, answer === 400, answer);
  }

  for (const path of [`${his}/api/contents`, `${his}/api/me`, '/hub/api/users']) {
    const inQuery = await ask(null, { path: `${path}?token=${token}` });
    expectThat(
      `a token in the address of ${named(path)} is no credential`,
      [401, 403].includes(inQuery.status),
      inQuery,
    );
  }
  const asBob = await ask(bob, { path: `${his}/api/contents?token=${token}` });
  expectThat('nor does it make Bob Alice', asBob.status === 403, asBob);
  const forged = {
    'x-lockstep-assertion': 'eyJhbGciOiJub25lIn0.e30.',
    'x-forwarded-user': alice.id,
    'remote-user': alice.id,
    x_lockstep_assertion: 'x',
  };
  const own = await ask(bob, { path: `/user/${bob.id}/api/me`, headers: forged });
  expectThat('a forged statement does not either', !own.text.includes(alice.id), own);

  for (const [what, path, headers] of [
    ['with nothing', '/hub/login', {}],
    ['with a forged statement', '/hub/login', { 'x-lockstep-assertion': 'eyJhbGciOiJub25lIn0.e30.' }],
    ['with nothing', `${his}/api/contents`, {}],
    [
      'with a forged statement',
      `${his}/api/contents`,
      { 'x-lockstep-assertion': 'eyJhbGciOiJub25lIn0.e30.' },
    ],
    ['with its server’s own token', `${his}/api/contents`, { authorization: `token ${token}` }],
    ['with that token', `/hub/api/users/${alice.id}/tokens`, { authorization: `token ${token}` }],
    ['with that token', '/hub/api/users', { authorization: `token ${token}` }],
  ] as const) {
    const { statusCode, body } = await request(hub.url + path, { headers });
    await body.dump();
    expectThat(`who goes past Lockstep to ${named(path)} ${what} is refused`, statusCode === 403, statusCode);
  }

  const straight = await handshake(
    lab.ca,
    `${hub.url.replace('http', 'ws')}${new URL(channels).pathname}`,
    `token ${token}`,
  );
  expectThat('nor does anybody open channels past Lockstep', straight === 403, straight);

  // The proxy's own interface, which sends people's servers elsewhere, is not behind the connection.
  const routes = await ask(alice, { path: '/api/routes' });
  expectThat('the proxy’s own interface is nobody’s', routes.status === 403, routes);

  for (const next of ['https://evil.example/', '//evil.example/', '/\\evil.example/', '%2F%2Fevil.example']) {
    const answer = await ask(alice, { path: `/hub/login?next=${encodeURIComponent(next)}` });
    const away = /evil/.test(new URL(answer.location ?? '/', lab.origin).host);
    expectThat(`a sign-in at the hub leads nowhere else: ${next}`, !away, answer);
  }
}

/** What a statement is worth that is truly Lockstep's, but of another request, for somebody else, or of nobody. */
export async function statements(lab: HubLaboratory, expectThat: Expect): Promise<void> {
  const { alice, bob, hub } = lab;
  const server = `/user/${alice.id}/api/contents`;
  const ask = async (path: string, assertions: string | string[]) => {
    const { statusCode, body } = await request(hub.url + path, {
      headers: { 'x-lockstep-assertion': assertions },
    });
    await body.dump();
    return statusCode;
  };
  for (const [path, subject, accepted] of [
    ['/hub/login', alice.id, 302],
    [server, bob.id, 200],
  ] as const) {
    const what = path.startsWith('/hub') ? 'the hub' : 'a server';
    const stated = async (change: object) => lab.statement({ subject, path, ...change });
    const right = await ask(path, await stated({}));
    expectThat(`${what} believes a statement of Lockstep’s about the request`, right === accepted, right);
    for (const [why, change] of [
      ['of another path', { path: `${path}/x` }],
      ['of another query', { path: `${path}?x=1` }],
      ['of another method', { method: 'POST' }],
      ['for another connection', { audience: 'other' }],
      ['for another host', { host: 'other.example' }],
    ] as const) {
      const status = await ask(path, await stated(change));
      expectThat(`${what} does not believe one ${why}`, status === 403, status);
    }
    const two = await ask(path, [await stated({}), await stated({})]);
    expectThat(`nor two`, two === 403, two);
  }
  for (const subject of ['lockstep-gateway', alice.id.toUpperCase(), 'alice', `${alice.id}\n`, '']) {
    const status = await ask('/hub/login', await lab.statement({ subject, path: '/hub/login' }));
    expectThat(`nobody becomes a user of the hub as ${JSON.stringify(subject)}`, status === 403, status);
  }
}

/** With a path that a client library would tidy up. */
async function raw(lab: HubLaboratory, who: HubLaboratory['alice'], path: string): Promise<number> {
  const { connect } = await import('node:tls');
  const socket = connect({ host: '127.0.0.1', port: lab.port, ca: lab.ca, servername: 'hub.localhost' });
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: hub.localhost:${lab.port}\r\nAuthorization: Bearer ${await lab.token(who)}\r\nConnection: close\r\n\r\n`,
  );
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
}
