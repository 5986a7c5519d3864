import { createHash, createHmac } from 'node:crypto';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type JWK } from 'jose';
import { afterEach, beforeAll, describe, expect, it, test } from 'vitest';
import { lockstepIdentity } from './middleware.ts';
import { receivedByFetch, type Received } from './received.ts';
import { createVerifier, type VerifierOptions } from './verifier.ts';

const issuer = 'https://lockstep.example/t/v2.0';
const target = '/app/items?a=%2F..&b=1';
const received = { method: 'GET', host: '127.0.0.1:8080', target };

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
let curve: Keys;
let rsa: Keys;
let stranger: Keys;
let published: JWK[];
/** Times that the key set was asked for, and what it answers in place of itself. */
let asked = 0;
let fault: (() => Response) | null = null;

beforeAll(async () => {
  [curve, rsa, stranger] = await Promise.all([
    generateKeyPair('ES256', { extractable: true }),
    generateKeyPair('RS256', { extractable: true }),
    generateKeyPair('ES256', { extractable: true }),
  ]);
  published = [
    { ...(await exportJWK(curve.publicKey)), kid: 'k1', use: 'sig' },
    { ...(await exportJWK(rsa.publicKey)), kid: 'r1', use: 'sig' },
  ];
});
afterEach(() => {
  asked = 0;
  fault = null;
});

function verifier(over: Partial<VerifierOptions> = {}) {
  const fetch = async (): Promise<Response> => {
    asked += 1;
    return fault === null ? Response.json({ keys: published }) : fault();
  };
  return createVerifier({
    issuer,
    audience: 'lab',
    jwksUrl: 'https://lockstep.example/keys',
    fetch,
    ...over,
  });
}

function claims(over: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  const made = {
    iss: issuer,
    aud: 'lab',
    sub: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa',
    tid: 't',
    name: 'Alice',
    iat: now,
    nbf: now,
    exp: now + 60,
    jti: 'req_1',
    method: 'GET',
    host: received.host,
    path_sha256: createHash('sha256').update(target).digest('base64url'),
    lockstep_decision: 'dec_1',
    lockstep_chain: [{ kind: 'user', id: 'a', name: 'Alice' }, 'no link'],
    ...over,
  };
  return Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined));
}

async function statement(
  over: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key = curve.privateKey,
): Promise<string> {
  return new SignJWT(claims(over))
    .setProtectedHeader({ alg: 'ES256', typ: 'lockstep-assertion+jwt', kid: 'k1', ...header })
    .sign(key);
}

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

async function refusalOf(assertions: readonly string[], over: Partial<Received> = {}, verify = verifier()) {
  return verify({ ...received, assertions, ...over }).then(
    () => null,
    (thrown: unknown) => thrown,
  );
}

test('a statement that holds for the request says who is asking', async () => {
  const identity = await verifier()({ ...received, assertions: [await statement()] });
  expect(identity).toMatchObject({
    subject: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa',
    tenant: 't',
    name: 'Alice',
    decision: 'dec_1',
    chain: [{ kind: 'user', id: 'a', name: 'Alice' }],
  });
});

describe('a statement is refused', () => {
  it('that is not there, or stands twice', async () => {
    const good = await statement();
    for (const assertions of [[], [good, good], [good, 'forged'], ['']]) {
      expect(await refusalOf(assertions)).toMatchObject({ status: 401 });
    }
  });

  it.each<[string, Partial<Received>]>([
    ['another method', { method: 'POST' }],
    ['a method in another case', { method: 'get' }],
    ['another host', { host: 'other:8080' }],
    ['another path', { target: '/app/other?a=%2F..&b=1' }],
    ['a path without its query', { target: '/app/items' }],
    ['a path that somebody has decoded', { target: '/app/items?a=/..&b=1' }],
  ])('that is for %s', async (_what, over) => {
    expect(await refusalOf([await statement()], over)).toMatchObject({ status: 401 });
  });

  const now = Math.floor(Date.now() / 1000);
  it.each<[string, Record<string, unknown>]>([
    ['another issuer', { iss: 'https://evil.example/t/v2.0' }],
    ['an issuer that is written alike', { iss: `${issuer}/` }],
    ['another connection', { aud: 'other' }],
    ['several connections', { aud: ['lab', 'other'] }],
    ['one connection in a list', { aud: ['lab'] }],
    ['a time that is over', { iat: now - 120, nbf: now - 120, exp: now - 60 }],
    ['a time to come', { nbf: now + 600 }],
    ['longer than a minute', { exp: now + 3_600 }],
    ['times that are no whole numbers', { iat: now + 0.5 }],
    ['a method in a list', { method: ['GET'] }],
    ['an id that is no text', { jti: 5 }],
    ...['iss', 'aud', 'sub', 'iat', 'nbf', 'exp', 'jti', 'method', 'host', 'path_sha256'].map(
      (name): [string, Record<string, unknown>] => [`nothing said by ${name}`, { [name]: undefined }],
    ),
  ])('that is of %s', async (_what, over) => {
    expect(await refusalOf([await statement(over)])).toMatchObject({ status: 401 });
  });

  it('is refused with what this service expects, and nothing of what came', async () => {
    expect(await refusalOf([await statement({ iss: 'https://evil.example/t/v2.0' })])).toMatchObject({
      message: `it is not of the issuer ${issuer}`,
    });
    expect(await refusalOf([await statement({ aud: 'other' })])).toMatchObject({
      message: 'it is not for the audience lab',
    });
  });

  it('that nobody has signed, or somebody else has', async () => {
    const good = await statement();
    const [head = '', body = '', signature = ''] = good.split('.');
    const header = { typ: 'lockstep-assertion+jwt', kid: 'r1' };
    const confused = `${part({ ...header, alg: 'HS256' })}.${part(claims())}`;
    const pem = await exportSPKI(rsa.publicKey);
    const own = await exportJWK(stranger.publicKey);
    const forged = [
      `${part({ ...header, alg: 'none' })}.${part(claims())}.`,
      `${confused}.${createHmac('sha256', pem).update(confused).digest('base64url')}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      `${head}.${part(claims({ sub: 'bob' }))}.${signature}`,
      await statement({}, {}, stranger.privateKey),
      await statement({}, { jwk: own }, stranger.privateKey),
      await statement({}, { jku: 'https://evil.example/keys' }, stranger.privateKey),
      await statement({}, { x5u: 'https://evil.example/cert' }),
      await statement({}, { jwk: own }),
      await statement({}, { kid: 'r1' }),
      await statement({}, { alg: 'RS256', kid: 'r1' }, rsa.privateKey),
      await statement({}, { alg: 'PS256', kid: 'r1' }, (await generateKeyPair('PS256')).privateKey),
      await statement({}, { kid: 'unknown' }),
      await statement({}, { kid: '../../etc/passwd' }),
      await statement({}, { kid: "k1' or '1'='1" }),
      await statement({}, { kid: undefined }),
      await statement({}, { typ: 'JWT' }),
      await statement({}, { typ: 'at+jwt' }),
      await statement({}, { typ: undefined }),
      `${good} `,
      'forged',
    ];
    for (const assertion of forged) {
      expect([assertion, await refusalOf([assertion])]).toEqual([
        assertion,
        expect.objectContaining({ status: 401 }),
      ]);
    }
  });

  it('whose key stands twice in the key set', async () => {
    const before = published;
    published = [...before, { ...(await exportJWK(stranger.publicKey)), kid: 'k1', use: 'sig' }];
    try {
      expect(await refusalOf([await statement()])).toMatchObject({ status: 401 });
    } finally {
      published = before;
    }
  });

  it('that was used before, where that is asked for, and only there', async () => {
    const [good, other] = [await statement(), await statement({ jti: 'req_2' })];
    const once = verifier({ once: true });
    expect(await refusalOf([good], {}, once)).toBeNull();
    expect(await refusalOf([good], {}, once)).toMatchObject({ status: 401 });
    expect(await refusalOf([other], {}, once)).toBeNull();
    const often = verifier();
    expect([await refusalOf([good], {}, often), await refusalOf([good], {}, often)]).toEqual([null, null]);
  });
});

describe('the key set', () => {
  it('is asked for once, however many come with names that are not in it', async () => {
    const verify = verifier({ pauseSeconds: 60 });
    expect(await refusalOf([await statement()], {}, verify)).toBeNull();
    for (let i = 0; i < 5; i++) {
      expect(await refusalOf([await statement({}, { kid: `x${i}` })], {}, verify)).toMatchObject({
        status: 401,
      });
    }
    expect(asked).toBe(1);
  });

  it('is asked for again when a key is new', async () => {
    const before = published;
    const verify = verifier({ pauseSeconds: 0 });
    published = before.slice(1);
    try {
      expect(await refusalOf([await statement()], {}, verify)).toMatchObject({ status: 401 });
      published = before;
      expect(await refusalOf([await statement()], {}, verify)).toBeNull();
    } finally {
      published = before;
    }
  });

  it.each<[string, () => Response]>([
    ['an error', () => new Response('no', { status: 500 })],
    ['a redirect', () => Response.redirect('https://evil.example/keys')],
    ['what is no key set', () => Response.json({ keys: 5 })],
    [
      'nothing at all',
      () => {
        throw new TypeError('fetch failed at 10.0.0.1');
      },
    ],
  ])('that answers with %s lets nobody in, and that is not the sender’s fault', async (_what, answer) => {
    fault = answer;
    expect(await refusalOf([await statement()])).toMatchObject({ status: 503 });
  });

  it('that cannot be had says why in the log, down to what it was caused by', async () => {
    fault = () => {
      throw new TypeError('fetch failed', {
        cause: new Error('self-signed certificate in certificate chain'),
      });
    };
    expect(await refusalOf([await statement()])).toMatchObject({
      message: 'Lockstep’s keys cannot be fetched: self-signed certificate in certificate chain',
    });
  });

  it('is fetched over https only', () => {
    expect(() => verifier({ jwksUrl: 'http://lockstep.example/keys' })).toThrow(TypeError);
    expect(() => verifier({ audience: '' })).toThrow(TypeError);
  });
});

describe('the middleware', () => {
  let server: Server | null = null;
  afterEach(() => server?.close());

  async function answered(
    headers: readonly string[],
  ): Promise<{ status: number; body: string; seen: readonly unknown[] }> {
    const seen: unknown[] = [];
    const middleware = lockstepIdentity({ verify: verifier() });
    const made = createServer((incoming, response) => {
      middleware(incoming, response, () => {
        seen.push([
          (incoming as { lockstep?: { name: string } }).lockstep?.name,
          Object.keys(incoming.headers).sort(),
        ]);
        response.end('in');
      });
    });
    server = made;
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    const { port } = made.address() as AddressInfo;
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { port, host: '127.0.0.1', path: target, agent: false, headers },
        (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body, seen }));
        },
      );
      outgoing.on('error', reject).end();
    });
  }
  const host = ['Host', received.host, 'Connection', 'close'];

  it('gives what is behind it who is asking, and not the statement', async () => {
    const { status, seen } = await answered([...host, 'X-Lockstep-Assertion', await statement()]);
    expect([status, seen]).toEqual([200, [['Alice', ['connection', 'host']]]]);
  });

  it('tells everybody else 401 in JSON, and not why', async () => {
    const good = await statement();
    for (const headers of [
      host,
      [...host, 'x-lockstep-assertion', good, 'x-lockstep-assertion', good],
      [...host, 'x-lockstep-assertion', good, 'x_lockstep_assertion', 'forged'],
      ['Host', 'other', 'Connection', 'close', 'x-lockstep-assertion', good],
      [...host, 'x-lockstep-assertion', await statement({ method: 'POST' })],
    ]) {
      const { status, body, seen } = await answered(headers);
      expect([status, seen]).toEqual([401, []]);
      expect(JSON.parse(body)).toEqual({
        error: {
          code: 'AuthenticationFailed',
          message: "Only Lockstep's gateway may ask, and for this very request.",
        },
      });
    }
  });
});

test('a fetch request is taken as it was received, and refused where that is not known', async () => {
  const assertion = await statement();
  const headers = { 'x-lockstep-assertion': assertion };
  const request = new Request(`http://${received.host}${target}`, { headers });
  expect(await refusalOf([], receivedByFetch(request))).toBeNull();
  const rewritten = new Request(`http://${received.host}/x/..${target}|`, { headers });
  expect(await refusalOf([], receivedByFetch(rewritten))).toMatchObject({ status: 401 });
  const twice = new Request(request, { headers: [...Object.entries(headers), ...Object.entries(headers)] });
  expect(await refusalOf([], receivedByFetch(twice))).toMatchObject({ status: 401 });
});
