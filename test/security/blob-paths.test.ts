import { once } from 'node:events';
import { connect } from 'node:tls';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import {
  accountScopes,
  baseDomain,
  startBlobServer,
  type BlobServer,
} from '../../src/gateway/adapters/blob/testing/blob-server.ts';

/**
 * The attacker may read everything beneath `public/` of the container `shared`, and nothing else. Every blob holds its
 * own address, so whatever a trick brings out says where it came from.
 */
let server: BlobServer;
let attacker: { id: string; token: string };

const secrets = [
  ['alpha', 'shared', 'private/secret'],
  ['alpha', 'shared', 'Public/secret'],
  ['alpha', 'shared', 'public-secret'],
  ['alpha', 'hidden', 'public/secret'],
  ['alpha', 'hidden', 'secret'],
  ['beta', 'shared', 'public/secret'],
  ['alpha', 'beta', 'shared/public/secret'],
] as const;

beforeAll(async () => {
  server = await startBlobServer();
  const owner = server.person('owner');
  for (const account of ['alpha', 'beta'] as const) {
    server.grant(owner.id, roleIds.storageBlobDataOwner, accountScopes[account]);
    for (const container of ['shared', 'hidden', 'beta']) {
      await server.client(owner.token, account).getContainerClient(container).create();
    }
  }
  const all = [...secrets, ['alpha', 'shared', 'public/ok'], ['alpha', 'shared', 'public/sub/ok']] as const;
  for (const [account, container, name] of all) {
    const text = `SECRET of ${account}/${container}/${name}`;
    const mark = name.endsWith('ok') ? text.replace('SECRET', 'OPEN') : text;
    await server
      .client(owner.token, account)
      .getContainerClient(container)
      .getBlockBlobClient(name)
      .upload(mark, mark.length);
  }
  const person = server.person('attacker');
  attacker = person;
  server.grant(
    person.id,
    roleIds.storageBlobDataContributor,
    `${accountScopes.alpha}/blobservices/default/containers/shared/blobs/public`,
  );
});

afterAll(async () => {
  await server.close();
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Exactly these bytes as request target; nothing normalises them on the way. */
async function raw(
  target: string,
  options: { method?: string; host?: string; headers?: readonly string[]; body?: string } = {},
): Promise<Answer> {
  const host = options.host ?? `localhost:${server.port}`;
  const socket = connect({
    port: server.port,
    host: '127.0.0.1',
    ca: server.certificate,
    servername: host.replace(/:\d+$/, ''),
  });
  await once(socket, 'secureConnect');
  const head = [
    `${options.method ?? 'GET'} ${target} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: Bearer ${attacker.token}`,
    'x-ms-version: 2026-10-06',
    'Connection: close',
    ...(options.body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(options.body)}`]),
    ...(options.headers ?? []),
  ];
  socket.write(Buffer.from(`${head.join('\r\n')}\r\n\r\n${options.body ?? ''}`, 'latin1'));
  const text = (await buffer(socket)).toString();
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text };
}

/** Everything that is stored, by address. */
async function contents(): Promise<ReadonlyMap<string, string>> {
  const rows = await server.scratch.store.db
    .selectFrom('blobs')
    .select(['account', 'container', 'name', 'sha256'])
    .execute();
  return new Map(rows.map((row) => [`${row.account}/${row.container}/${row.name}`, row.sha256 ?? '']));
}

describe('the way that is open', () => {
  it.each([
    '/alpha/shared/public/ok',
    '/alpha/shared/public%2Fok',
    '/alpha/shared/public%2fok',
    '/alpha/shared/public/sub%2Fok',
  ])('%s reads what was granted', async (target) => {
    const { status, text } = await raw(target);
    expect(status).toBe(200);
    expect(text).toContain('OPEN');
  });

  it('is recorded at one scope, however the slash is spelt', async () => {
    const scopes = new Set<string>();
    for (const target of [
      '/alpha/shared/public/ok',
      '/alpha/shared/public%2Fok',
      '/alpha/shared/public%2fok',
    ]) {
      await raw(target);
      const fact = server.facts.findLast((candidate) => candidate.kind === 'request.decided');
      scopes.add(fact?.scope ?? '');
    }
    expect([...scopes]).toStrictEqual([
      `${accountScopes.alpha}/blobservices/default/containers/shared/blobs/public/ok`,
    ]);
  });
});

const readTricks: readonly (readonly [title: string, target: string])[] = [
  ['plain', '/alpha/shared/private/secret'],
  ['dot segments', '/alpha/shared/public/../private/secret'],
  ['dot segments at the end', '/alpha/shared/public/sub/..'],
  ['one dot', '/alpha/shared/public/./../private/secret'],
  ['encoded dots', '/alpha/shared/public/%2e%2e/private/secret'],
  ['half-encoded dots', '/alpha/shared/public/.%2E/private/secret'],
  ['encoded slash and dots', '/alpha/shared/public%2F..%2Fprivate%2Fsecret'],
  ['all encoded', '/alpha/shared/public%2f%2e%2e%2fprivate%2fsecret'],
  ['doubly encoded dots', '/alpha/shared/public/%252e%252e/private/secret'],
  ['doubly encoded slash', '/alpha/shared/public%252F..%252Fprivate/secret'],
  ['out of the container', '/alpha/shared/public/../../hidden/secret'],
  ['out of the container, encoded', '/alpha/shared/public%2F..%2F..%2Fhidden%2Fsecret'],
  ['out of the account', '/alpha/shared/../../beta/shared/public/secret'],
  ['container with an encoded slash', '/alpha/shared%2Fpublic/../hidden/secret'],
  ['container swallowed by the account', '/alpha%2Fshared/public/ok'],
  ['account and container in one', '/alpha%2Fhidden/secret'],
  ['encoded letters in the container', '/alpha/%68idden/secret'],
  ['encoded letters in the account', '/%61lpha/hidden/secret'],
  ['upper-case account', '/ALPHA/hidden/secret'],
  ['upper-case container', '/alpha/SHARED/public/ok'],
  ['upper-case prefix', '/alpha/shared/PUBLIC/secret'],
  ['title-case prefix', '/alpha/shared/Public/secret'],
  ['encoded upper-case prefix', '/alpha/shared/%50ublic/secret'],
  ['the folder itself with a slash', '/alpha/shared/public/'],
  ['a name that only starts alike', '/alpha/shared/public-secret'],
  ['empty segments', '/alpha/shared//private/secret'],
  ['empty segment before the container', '/alpha//hidden/secret'],
  ['empty segment at the start', '//alpha/shared/private/secret'],
  ['authority in the path', '//localhost/alpha/hidden/secret'],
  ['backslash', '/alpha/shared/public\\..\\private\\secret'],
  ['encoded backslash', '/alpha/shared/public%5C..%5Cprivate%5Csecret'],
  ['semicolon', '/alpha/shared/public/..;/private/secret'],
  ['semicolon parameter', '/alpha/shared;x=/../hidden/secret'],
  ['NUL', '/alpha/shared/private/secret%00/public/ok'],
  ['NUL after the folder', '/alpha/shared/public%00/../private/secret'],
  ['line feed', '/alpha/shared/public%0a/../private/secret'],
  ['overlong UTF-8 slash', '/alpha/shared/public%c0%af..%c0%afprivate/secret'],
  ['overlong UTF-8 dot', '/alpha/shared/public/%c0%ae%c0%ae/private/secret'],
  ['full-width dots', '/alpha/shared/public/%ef%bc%8e%ef%bc%8e/private/secret'],
  ['full-width slash', '/alpha/shared/public%ef%bc%8f..%ef%bc%8fprivate/secret'],
  ['division slash', '/alpha/shared/public%e2%88%95..%e2%88%95private/secret'],
  ['long s and Kelvin sign', '/alpha/%c5%bfhared/private/secret'],
  ['raw bytes beyond ASCII', '/alpha/shared/public/\xc0\xae\xc0\xae/private/secret'],
  ['absolute form', 'https://localhost/alpha/shared/private/secret'],
  ['absolute form of another host', `https://beta.blob.${baseDomain}/shared/public/secret`],
  ['no slash', 'alpha/shared/private/secret'],
  ['asterisk', '*'],
  ['fragment', '/alpha/shared/public/ok#/../../hidden/secret'],
  ['question mark encoded', '/alpha/shared/public/ok%3F/../../private/secret'],
  ['UNC', '/alpha/shared/%5c%5cpublic/secret'],
  ['drive', '/alpha/shared/c:/private/secret'],
  ['file system root', '/alpha/shared/%2Fetc%2Fpasswd'],
  ['file system path', '/alpha/shared/public/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd'],
  ['surrogate halves', '/alpha/shared/public/%ed%a0%80/secret'],
  ['half an escape', '/alpha/shared/public/%2/secret'],
  ['overlong name', `/alpha/shared/public/${'a'.repeat(1100)}`],
  ['many segments', `/alpha/shared/public/${'a/'.repeat(300)}x`],
  ['root container', '/alpha/secret'],
  ['$root', '/alpha/$root/secret'],
];

describe('a path trick against reading', () => {
  it.each(readTricks)('%s brings out nothing', async (_title, target) => {
    for (const method of ['GET', 'HEAD']) {
      const { status, text } = await raw(target, { method });
      expect(text).not.toContain('SECRET');
      expect(text).not.toContain('root:');
      expect([400, 401, 403, 404, 405]).toContain(status);
    }
  });

  it.each(readTricks)('%s brings out nothing in host style', async (_title, target) => {
    const { text } = await raw(target.replace(/^\/alpha\//, '/'), { host: `alpha.blob.${baseDomain}` });
    expect(text).not.toContain('SECRET');
  });

  it.each(readTricks)('%s writes and deletes nothing', async (_title, target) => {
    const before = await contents();
    await raw(target, { method: 'PUT', headers: ['x-ms-blob-type: BlockBlob'], body: 'overwritten' });
    await raw(target, { method: 'DELETE' });
    const after = await contents();
    for (const [address, sha256] of before) {
      expect(`${address} ${after.get(address) ?? 'gone'}`).toBe(`${address} ${sha256}`);
    }
    for (const address of after.keys()) {
      expect(before.has(address) || address.startsWith('alpha/shared/public/')).toBe(true);
    }
  });

  it.each(readTricks)('%s is no source of a copy', async (_title, target) => {
    const { text } = await raw('/alpha/shared/public/stolen', {
      method: 'PUT',
      headers: [`x-ms-copy-source: https://localhost:${server.port}${target}`],
      body: '',
    });
    expect(text).not.toMatch(/^HTTP\/1\.1 2/);
    expect((await raw('/alpha/shared/public/stolen')).status).toBe(404);
  });
});

describe('a trick with hosts', () => {
  it.each([
    [`beta.blob.${baseDomain}`, '/alpha/shared/public/ok'],
    [`beta.blob.${baseDomain}`, '/shared/public/secret'],
    [`alpha.blob.${baseDomain}`, '/alpha/shared/public/ok'],
    [`alpha.blob.${baseDomain}`, '/beta/shared/public/secret'],
    [`x.alpha.blob.${baseDomain}`, '/hidden/secret'],
    [`gamma.blob.${baseDomain}`, '/shared/public/ok'],
    [`ALPHA.BLOB.${baseDomain}`, '/hidden/secret'],
    [`alpha.blob.${baseDomain}.`, '/hidden/secret'],
    ['alpha.blob.core.windows.net', '/hidden/secret'],
  ])('%s%s brings out nothing', async (host, target) => {
    const { status, text } = await raw(target, { host }).catch(() => ({ status: 400, text: '' }));
    expect(text).not.toContain('SECRET');
    expect(status).not.toBe(200);
  });

  it.each(['X-Forwarded-Host', 'X-Original-URL', 'X-Rewrite-URL', 'X-Forwarded-Uri', 'Forwarded'])(
    '%s is not looked at',
    async (header) => {
      const { status, text } = await raw('/alpha/shared/private/secret', {
        headers: [`${header}: /alpha/shared/public/ok`],
      });
      expect(status).toBe(403);
      expect(text).not.toContain('SECRET');
    },
  );
});

describe('a trick with the query', () => {
  it.each([
    '?restype=container&comp=list',
    '?restype=container&comp=list&prefix=',
    '?restype=container&comp=list&prefix=public',
    '?restype=container&comp=list&prefix=Public/',
    '?restype=container&comp=list&prefix=public/&prefix=private/',
    '?restype=container&comp=list&prefix=private/&prefix=public/',
    '?restype=container&comp=list&Prefix=public/',
    '?restype=container&comp=list&prefix=public%2F..%2F',
    '?restype=container&comp=list&prefix=public%00/',
    '?restype=container&comp=list&prefix=%ff/',
    `?restype=container&comp=list&prefix=public/&marker=1!${Buffer.from('private/').toString('base64url')}`,
    `?restype=container&comp=list&prefix=public/&marker=1!${Buffer.from('').toString('base64url')}`,
    '?restype=container&comp=list&prefix=public/&include=uncommittedblobs',
    '?restype=container&comp=list&prefix=public/&delimiter=%75%62',
    '?comp=list',
    '?comp=list&restype=container&restype=service',
  ])('%s lists nothing outside the grant', async (query) => {
    const { text } = await raw(`/alpha/shared${query}`);
    for (const name of text.matchAll(/<Name>([^<]*)<\/Name>/g)) expect(name[1]).toMatch(/^public\//);
  });

  it.each([
    '?sv=2024-01-01&sig=x&sr=b',
    '?snapshot=1',
    '?versionid=1',
    '?comp=tags',
    '?comp=x',
    '?_method=DELETE',
  ])('%s on what may be read is refused, not ignored', async (query) => {
    expect((await raw(`/alpha/shared/public/ok${query}`)).status).toBeGreaterThanOrEqual(400);
  });

  it.each(['X-HTTP-Method-Override: DELETE', 'X-HTTP-Method: DELETE', 'X-Method-Override: DELETE'])(
    '%s does not change the method',
    async (header) => {
      expect((await raw('/alpha/shared/public/ok', { headers: [header] })).text).toContain('OPEN');
    },
  );

  it.each(['POST', 'PATCH', 'TRACE', 'OPTIONS', 'MERGE', 'PROPFIND', 'get'])(
    '%s is no way in',
    async (method) => {
      const { status, text } = await raw('/alpha/shared/private/secret', { method, body: '' });
      expect(text).not.toContain('SECRET');
      expect(status).toBeGreaterThanOrEqual(400);
    },
  );
});
