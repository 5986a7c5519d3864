import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { RestError, type ContainerClient } from '@azure/storage-blob';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { failure } from '../../../lib/errors.ts';
import { roleIds } from '../../../policy/built-in-roles.ts';
import { accountScopes, startBlobServer, tenantId, type BlobServer } from './testing/blob-server.ts';

let server: BlobServer;
let owner: { id: string; token: string };
let container: ContainerClient;
let count = 0;

beforeAll(async () => {
  server = await startBlobServer();
  const person = server.person('owner');
  owner = person;
  server.grant(person.id, roleIds.owner, accountScopes.alpha);
  server.grant(person.id, roleIds.storageBlobDataOwner, accountScopes.alpha);
});

afterAll(async () => {
  await server.close();
});

beforeEach(async () => {
  count += 1;
  container = server.client(owner.token).getContainerClient(`c-${count}`);
  await container.create({ metadata: { purpose: 'test' } });
});

async function errorOf(work: Promise<unknown>): Promise<RestError> {
  const thrown: unknown = await work.then(
    () => new Error('nothing was refused'),
    (error: unknown) => error,
  );
  if (!(thrown instanceof RestError)) throw thrown;
  return thrown;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await errorOf(work);
  return `${error.statusCode} ${error.code ?? ''}`;
}

async function textOf(name: string): Promise<string> {
  const { readableStreamBody } = await container.getBlobClient(name).download();
  return (await buffer(readableStreamBody as Readable)).toString();
}

async function put(name: string, text: string): Promise<void> {
  await container.getBlockBlobClient(name).upload(text, Buffer.byteLength(text));
}

describe('metadata over HTTP/2', () => {
  it.each(['text/plain', 'application/grpc'])(
    'that stands twice is joined for a blob of %s',
    async (type) => {
      const session = connect(server.origin, { ca: server.certificate });
      const request = session.request({
        ':method': 'PUT',
        ':path': `/alpha/${container.containerName}/twice`,
        authorization: `Bearer ${owner.token}`,
        'content-type': type,
        'content-length': '0',
        'x-ms-version': '2025-01-05',
        'x-ms-blob-type': 'BlockBlob',
        'x-ms-meta-kind': ['a', 'b'],
      });
      request.end().resume();
      await once(request, 'close');
      session.close();
      const { metadata } = await container.getBlobClient('twice').getProperties();
      expect(metadata).toEqual({ kind: 'a, b' });
    },
  );
});

describe('blobs, through the unmodified client', () => {
  it('go up and come down with properties and metadata', async () => {
    const blob = container.getBlockBlobClient('dir/Ünï çödé+?#&%41;=.txt');
    const up = await blob.upload('hello', 5, {
      metadata: { Kind: 'greeting' },
      blobHTTPHeaders: {
        blobContentType: 'text/plain; charset=utf-8',
        blobCacheControl: 'max-age=60',
        blobContentLanguage: 'en',
        blobContentDisposition: 'attachment; filename="x"',
        blobContentEncoding: 'identity',
      },
    });
    expect(up.requestId).toMatch(/./);
    expect(up.clientRequestId).toMatch(/-/);
    const down = await blob.download();
    expect((await buffer(down.readableStreamBody as Readable)).toString()).toBe('hello');
    expect(down).toMatchObject({
      etag: up.etag,
      contentLength: 5,
      contentType: 'text/plain; charset=utf-8',
      cacheControl: 'max-age=60',
      contentLanguage: 'en',
      contentDisposition: 'attachment; filename="x"',
      contentEncoding: 'identity',
      blobType: 'BlockBlob',
      metadata: { kind: 'greeting' },
      acceptRanges: 'bytes',
    });
    const properties = await blob.getProperties();
    expect(properties).toMatchObject({ etag: up.etag, contentLength: 5, metadata: { kind: 'greeting' } });
    expect(properties.lastModified).toStrictEqual(up.lastModified);
    expect(await blob.exists()).toBe(true);
  });

  it('may be empty', async () => {
    await put('empty', '');
    expect(await textOf('empty')).toBe('');
    expect((await container.getBlobClient('empty').downloadToBuffer()).length).toBe(0);
    expect(await codeOf(container.getBlobClient('empty').download(0, 1))).toBe('416 InvalidRange');
  });

  it('come down by range', async () => {
    await put('x', '0123456789');
    const blob = container.getBlobClient('x');
    const part = await blob.download(2, 3);
    expect((await buffer(part.readableStreamBody as Readable)).toString()).toBe('234');
    expect(part).toMatchObject({ contentLength: 3, contentRange: 'bytes 2-4/10' });
    expect((await blob.downloadToBuffer(8)).toString()).toBe('89');
    expect(await codeOf(blob.download(10))).toBe('416 InvalidRange');
  });

  it('are verified against the MD5 that the client gives', async () => {
    const blob = container.getBlockBlobClient('x');
    const md5 = createHash('md5').update('hello').digest();
    const up = await blob.upload('hello', 5, { transactionalContentMD5: md5 });
    expect(Buffer.from(up.contentMD5 ?? [])).toStrictEqual(md5);
    expect(Buffer.from((await blob.getProperties()).contentMD5 ?? [])).toStrictEqual(md5);
    expect(await codeOf(blob.upload('hullo', 5, { transactionalContentMD5: md5 }))).toBe('400 Md5Mismatch');
    expect(await textOf('x')).toBe('hello');
  });

  it('change metadata and properties under a new entity tag', async () => {
    const blob = container.getBlockBlobClient('x');
    const { etag } = await blob.upload('x', 1, { metadata: { a: '1' } });
    await blob.setMetadata({ b: '2' });
    await blob.setHTTPHeaders({ blobContentType: 'text/csv' });
    const properties = await blob.getProperties();
    expect(properties.metadata).toStrictEqual({ b: '2' });
    expect(properties.contentType).toBe('text/csv');
    expect(properties.etag).not.toBe(etag);
    expect(await codeOf(container.getBlobClient('none').setMetadata({}))).toBe('404 BlobNotFound');
  });

  it('are deleted once', async () => {
    await put('x', 'x');
    await container.deleteBlob('x', { deleteSnapshots: 'include' });
    expect(await codeOf(container.deleteBlob('x'))).toBe('404 BlobNotFound');
    expect(await container.getBlobClient('x').exists()).toBe(false);
    expect((await container.getBlobClient('x').deleteIfExists()).succeeded).toBe(false);
  });

  it('go up in blocks, from a stream and in parallel', async () => {
    const content = randomBytes(5_000_000);
    const blob = container.getBlockBlobClient('x');
    await blob.uploadStream(Readable.from(pieces(content)), 512 * 1024, 4);
    expect((await blob.downloadToBuffer()).equals(content)).toBe(true);
    await blob.uploadData(content, { blockSize: 1_000_000, maxSingleShotSize: 1, concurrency: 3 });
    expect(
      (await blob.downloadToBuffer(0, undefined, { blockSize: 700_000, concurrency: 3 })).equals(content),
    ).toBe(true);
    const list = await blob.getBlockList('all');
    expect(list.committedBlocks?.map(({ size }) => size)).toStrictEqual(
      Array.from({ length: 5 }, () => 1_000_000),
    );
    expect(list.uncommittedBlocks ?? []).toStrictEqual([]);
  });

  it('show blocks that are not committed yet, and only there', async () => {
    const blob = container.getBlockBlobClient('x');
    await blob.stageBlock(Buffer.from('1').toString('base64'), 'abc', 3);
    expect((await blob.getBlockList('uncommitted')).uncommittedBlocks).toHaveLength(1);
    expect(await codeOf(blob.getProperties())).toBe('404 ');
    expect(await codeOf(blob.download())).toBe('404 BlobNotFound');
    expect(await codeOf(blob.commitBlockList(['bm9uZQ==']))).toBe('400 InvalidBlockList');
    await blob.commitBlockList([Buffer.from('1').toString('base64')], { metadata: { m: 'x' } });
    expect(await textOf('x')).toBe('abc');
  });

  it('are copied within the store, with what is said of them', async () => {
    const source = container.getBlockBlobClient('dir/source é');
    await source.upload('copied', 6, {
      metadata: { a: '1' },
      blobHTTPHeaders: { blobContentType: 'text/csv' },
    });
    const target = container.getBlockBlobClient('target');
    const done = await (await target.beginCopyFromURL(source.url)).pollUntilDone();
    expect(done.copyStatus).toBe('success');
    expect(await textOf('target')).toBe('copied');
    expect(await target.getProperties()).toMatchObject({ metadata: { a: '1' }, contentType: 'text/csv' });
    await target.syncCopyFromURL(source.url, { metadata: { b: '2' } });
    expect((await target.getProperties()).metadata).toStrictEqual({ b: '2' });
  });
});

describe('a listing, through the unmodified client', () => {
  it('goes by prefix, by hierarchy, by page', async () => {
    const names = ['a/1', 'a/2', 'a/b/3', 'a/b/4', 'b', 'c & <d>', 'é'];
    for (const name of names) await put(name, name);
    const flat: string[] = [];
    for await (const page of container.listBlobsFlat().byPage({ maxPageSize: 2 })) {
      expect(page.segment.blobItems.length).toBeLessThanOrEqual(2);
      flat.push(...page.segment.blobItems.map(({ name }) => name));
    }
    expect(flat).toStrictEqual(names);
    const tree: string[] = [];
    for await (const item of container.listBlobsByHierarchy('/', { prefix: 'a/' }))
      tree.push(`${item.kind} ${item.name}`);
    expect(tree.sort()).toStrictEqual(['blob a/1', 'blob a/2', 'prefix a/b/']);
  });

  it('carries properties, and metadata where asked', async () => {
    await container.getBlockBlobClient('x').upload('abc', 3, { metadata: { k: '<&>' } });
    for await (const blob of container.listBlobsFlat({ includeMetadata: true })) {
      expect(blob.metadata).toStrictEqual({ k: '<&>' });
      expect(blob.properties).toMatchObject({ contentLength: 3, blobType: 'BlockBlob' });
      expect(blob.properties.lastModified).toBeInstanceOf(Date);
    }
  });

  it('of containers goes by prefix and page', async () => {
    const seen: string[] = [];
    const containers = server.client(owner.token).listContainers({ prefix: 'c-', includeMetadata: true });
    for await (const page of containers.byPage({ maxPageSize: 1 })) {
      for (const item of page.containerItems) {
        expect(item.metadata).toStrictEqual({ purpose: 'test' });
        seen.push(item.name);
      }
    }
    expect(seen).toContain(container.containerName);
    expect(seen).toHaveLength(count);
  });
});

describe('a container, through the unmodified client', () => {
  it('is made, described and deleted', async () => {
    expect((await container.createIfNotExists()).succeeded).toBe(false);
    expect(await codeOf(container.create())).toBe('409 ContainerAlreadyExists');
    expect((await container.getProperties()).metadata).toStrictEqual({ purpose: 'test' });
    await put('x', 'x');
    await container.delete();
    expect(await container.exists()).toBe(false);
    expect(await codeOf(container.getBlobClient('x').download())).toBe('404 ContainerNotFound');
    expect(await codeOf(put('x', 'x'))).toBe('404 ContainerNotFound');
  });

  it('that is missing is told to a large upload before it is taken', async () => {
    const away = server.client(owner.token).getContainerClient('not-there').getBlockBlobClient('x');
    const size = 40_000_000;
    expect(await codeOf(away.upload(Buffer.alloc(size), size))).toBe('404 ContainerNotFound');
  });
});

describe('conditions, through the unmodified client', () => {
  it('guard creation, replacement and reading', async () => {
    const blob = container.getBlockBlobClient('x');
    const first = await blob.upload('1', 1, { conditions: { ifNoneMatch: '*' } });
    const etag = String(first.etag);
    expect(await codeOf(blob.upload('2', 1, { conditions: { ifNoneMatch: '*' } }))).toBe(
      '409 BlobAlreadyExists',
    );
    expect(await codeOf(blob.download(0, 1, { conditions: { ifNoneMatch: etag } }))).toBe('304 ');
    expect(await codeOf(blob.getProperties({ conditions: { ifMatch: '"0xother"' } }))).toBe('412 ');
    expect(
      await codeOf(
        blob.download(0, 1, { conditions: { ifModifiedSince: new Date(server.clock.now() + 1000) } }),
      ),
    ).toBe('304 ');
    await blob.upload('2', 1, { conditions: { ifMatch: etag } });
    expect(await codeOf(blob.upload('3', 1, { conditions: { ifMatch: etag } }))).toBe('412 ConditionNotMet');
    expect(await codeOf(blob.delete({ conditions: { ifMatch: etag } }))).toBe('412 ConditionNotMet');
    expect(await codeOf(blob.commitBlockList([], { conditions: { ifNoneMatch: '*' } }))).toBe(
      '409 BlobAlreadyExists',
    );
    expect(await textOf('x')).toBe('2');
  });
});

describe('what is not kept here', () => {
  it.each<[string, () => Promise<unknown>, string]>([
    ['a lease', async () => container.getBlobLeaseClient().acquireLease(15), '400 FeatureNotSupported'],
    ['a snapshot', async () => container.getBlobClient('x').createSnapshot(), '400 FeatureNotSupported'],
    ['a tier', async () => container.getBlobClient('x').setAccessTier('Cool'), '400 FeatureNotSupported'],
    ['tags', async () => container.getBlobClient('x').setTags({ a: 'b' }), '400 FeatureNotSupported'],
    ['an append blob', async () => container.getAppendBlobClient('x').create(), '400 FeatureNotSupported'],
    ['a page blob', async () => container.getPageBlobClient('x').create(512), '400 FeatureNotSupported'],
    ['a query', async () => container.getBlockBlobClient('x').query('select 1'), '400 FeatureNotSupported'],
    ['an access policy', async () => container.setAccessPolicy('blob'), '400 FeatureNotSupported'],
    [
      'a put from a URL',
      async () => container.getBlockBlobClient('x').syncUploadFromURL(container.url),
      '400 FeatureNotSupported',
    ],
    [
      'a user delegation key',
      async () => server.client(owner.token).getUserDelegationKey(new Date(), new Date(Date.now() + 1e6)),
      '400 FeatureNotSupported',
    ],
    [
      'a lease id',
      async () => container.getBlockBlobClient('x').upload('x', 1, { conditions: { leaseId: 'some' } }),
      '400 UnsupportedHeader',
    ],
    [
      'a customer key',
      async () =>
        container.getBlockBlobClient('x').upload('x', 1, {
          customerProvidedKey: {
            encryptionKey: 'k',
            encryptionKeySha256: 'h',
            encryptionAlgorithm: 'AES256',
          },
        }),
      '400 UnsupportedHeader',
    ],
    [
      'a tier on a put',
      async () => container.getBlockBlobClient('x').upload('x', 1, { tier: 'Archive' }),
      '400 UnsupportedHeader',
    ],
    [
      'a structured body',
      async () =>
        container.getBlockBlobClient('x').upload('x', 1, { contentChecksumAlgorithm: 'StorageCrc64' }),
      '400 UnsupportedHeader',
    ],
    [
      'a condition on tags',
      async () => container.getBlobClient('x').download(0, 1, { conditions: { tagConditions: '"a"=\'b\'' } }),
      '400 UnsupportedHeader',
    ],
    ['public access', async () => container.create({ access: 'blob' }), '400 UnsupportedHeader'],
    [
      'a version',
      async () => container.getBlobClient('x').withVersion('1').download(),
      '400 UnsupportedQueryParameter',
    ],
    [
      'a snapshot to read',
      async () => container.getBlobClient('x').withSnapshot('1').download(),
      '400 UnsupportedQueryParameter',
    ],
    [
      'uncommitted blobs in a listing',
      async () => container.listBlobsFlat({ includeUncommitedBlobs: true }).next(),
      '400 InvalidQueryParameterValue',
    ],
    [
      'a copy from elsewhere',
      async () => container.getBlockBlobClient('y').syncCopyFromURL('https://example.com/alpha/c/x'),
      '404 CannotVerifyCopySource',
    ],
  ])('%s is refused, not ignored', async (_title, call, code) => {
    await put('x', 'kept');
    expect(await codeOf(call())).toBe(code);
    expect(await textOf('x')).toBe('kept');
  });

  it('is told as what holds: the properties of the service', async () => {
    const properties = await server.client(owner.token).getProperties();
    expect(properties.deleteRetentionPolicy?.enabled).toBe(false);
    expect(
      await codeOf(server.client(owner.token).setProperties({ defaultServiceVersion: '2020-10-02' })),
    ).toBe('400 FeatureNotSupported');
  });
});

describe('who may do what', () => {
  it('a denial names the data action, the scope, the principal, the decision and how to ask', async () => {
    await put('secret/Data.csv', 'x');
    const stranger = server.person('stranger');
    const blob = server
      .client(stranger.token)
      .getContainerClient(container.containerName)
      .getBlobClient('secret/Data.csv');
    const error = await errorOf(blob.download());
    const decided = server.facts.findLast((fact) => fact.kind === 'request.decided');
    const decisionId = decided?.attribution.decisionId ?? 'none';
    expect(error.statusCode).toBe(403);
    expect(error.code).toBe('AuthorizationPermissionMismatch');
    for (const part of [
      'data action Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
      `${accountScopes.alpha}/blobservices/default/containers/${container.containerName}/blobs/secret/%44ata.csv`,
      `object id ${stranger.id}`,
      `lockstep explain ${decisionId}`,
    ]) {
      expect(error.message).toContain(part);
    }
    const head = await errorOf(blob.getProperties());
    expect(head.response?.headers.get('x-ms-error-code')).toBe('AuthorizationPermissionMismatch');
    expect(head.response?.headers.get('x-lockstep-decision')).toMatch(/^dec_/);
  });

  it('a grant on a prefix reads and lists beneath it, and nothing beside it', async () => {
    for (const name of ['train/1', 'train/sub/2', 'train-secret/3', 'Train/4', 'other'])
      await put(name, name);
    const reader = server.person('reader');
    const scope = `${accountScopes.alpha}/blobservices/default/containers/${container.containerName}/blobs/train`;
    server.grant(reader.id, roleIds.storageBlobDataReader, scope);
    const theirs = server.client(reader.token).getContainerClient(container.containerName);
    const seen: string[] = [];
    for await (const { name } of theirs.listBlobsFlat({ prefix: 'train/' })) seen.push(name);
    expect(seen).toStrictEqual(['train/1', 'train/sub/2']);
    expect((await theirs.getBlobClient('train/sub/2').downloadToBuffer()).toString()).toBe('train/sub/2');
    for (const denied of [
      async () => theirs.getBlobClient('train-secret/3').download(),
      async () => theirs.getBlobClient('Train/4').download(),
      async () => theirs.getBlobClient('other').download(),
      async () => theirs.listBlobsFlat({ prefix: 'train' }).next(),
      async () => theirs.listBlobsFlat({ prefix: 'Train/' }).next(),
      async () => theirs.listBlobsFlat().next(),
      async () => theirs.listBlobsByHierarchy('/').next(),
      async () => theirs.getBlockBlobClient('train/1').upload('x', 1),
      async () => theirs.getBlobClient('train/1').delete(),
    ]) {
      expect(await codeOf(denied())).toBe('403 AuthorizationPermissionMismatch');
    }
    expect(await textOf('train/1')).toBe('train/1');
  });

  it('a copy needs the right to read its source', async () => {
    await put('secret', 'secret');
    const writer = server.person('writer');
    const containers = `${accountScopes.alpha}/blobservices/default/containers/${container.containerName}`;
    server.grant(writer.id, roleIds.storageBlobDataContributor, `${containers}/blobs/mine`);
    const theirs = server.client(writer.token).getContainerClient(container.containerName);
    const target = theirs.getBlockBlobClient('mine/x');
    const error = await errorOf(target.syncCopyFromURL(container.getBlobClient('secret').url));
    expect(`${error.statusCode} ${error.code}`).toBe('403 AuthorizationPermissionMismatch');
    expect(error.message).toContain(`${containers}/blobs/secret`);
    expect(await target.exists()).toBe(false);
  });

  it('a deny assignment is named', async () => {
    await put('x', 'x');
    const person = server.person('denied');
    server.grant(person.id, roleIds.storageBlobDataOwner, accountScopes.alpha);
    server.forbid(
      person.id,
      'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
      accountScopes.alpha,
    );
    const blob = server.client(person.token).getContainerClient(container.containerName).getBlobClient('x');
    expect((await errorOf(blob.download())).message).toContain('The deny assignment no such data forbids');
  });

  it('a container is not deleted with a blob that may not be', async () => {
    const person = server.person('denied');
    server.grant(person.id, roleIds.owner, accountScopes.alpha);
    const theirs = server.client(person.token).getContainerClient(container.containerName);
    const kept = `${accountScopes.alpha}/blobservices/default/containers/${container.containerName}/blobs/kept`;
    server.forbid(person.id, '*', kept, 'management');
    expect((await errorOf(theirs.delete())).message).toContain('The deny assignment no such data forbids');
    expect(await container.exists()).toBe(true);
  });

  it('a grant on one account says nothing of another', async () => {
    const beta = server.client(owner.token, 'beta');
    expect(await codeOf(beta.getContainerClient(container.containerName).create())).toBe(
      '403 AuthorizationPermissionMismatch',
    );
  });
});

describe('a caller who is not let in', () => {
  it('is challenged in the one form that storage clients take apart', async () => {
    const response = await fetch(`${server.origin}/alpha/${container.containerName}/x`);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe(
      `Bearer authorization_uri=${server.origin}/${tenantId}/oauth2/authorize resource_id=https://storage.azure.com`,
    );
    expect(response.headers.get('x-ms-error-code')).toBe('NoAuthenticationInformation');
    expect(await response.text()).toMatch(
      /^<\?xml version="1.0" encoding="utf-8"\?><Error><Code>NoAuthenticationInformation<\/Code><Message>[^<]+\nRequestId:[^<]+\nTime:[^<]+<\/Message><\/Error>$/,
    );
  });

  it('asks for a new token once, and then is told', async () => {
    const person = server.person('leaver');
    server.grant(person.id, roleIds.storageBlobDataOwner, accountScopes.alpha);
    await put('x', 'x');
    server.end(person.token, failure('revoked_token', 'The identity behind this token has ended.'));
    const before = server.facts.length;
    const blob = server.client(person.token).getContainerClient(container.containerName).getBlobClient('x');
    expect(await codeOf(blob.download())).toBe('401 InvalidAuthenticationInfo');
    expect(server.facts.length - before).toBeLessThanOrEqual(2);
  });

  it('is told when the token is expired, and when it is for somebody else', async () => {
    const foreign = server.person('foreign', { audience: 'https://management.azure.com' });
    expect(await codeOf(server.client(foreign.token).getProperties())).toBe('401 InvalidAuthenticationInfo');
    for (const audience of [
      'https://storage.azure.com/',
      'https://alpha.blob.core.windows.net',
      'https://alpha.blob.core.windows.net/',
    ]) {
      const person = server.person('by-account', { audience });
      expect(await codeOf(server.client(person.token).getProperties())).toBe(
        '403 AuthorizationPermissionMismatch',
      );
    }
  });

  it('is cut off while uploading, and nothing of it is kept', async () => {
    const person = server.person('uploader');
    server.grant(person.id, roleIds.storageBlobDataOwner, accountScopes.alpha);
    await put('x', 'before');
    const { promise: cut, resolve } = Promise.withResolvers<undefined>();
    const body = new Readable({ read() {} });
    body.push(Buffer.alloc(100_000));
    const theirs = server.client(person.token).getContainerClient(container.containerName);
    const upload = theirs.getBlockBlobClient('x').upload(() => body, 200_000);
    const outcome = errorOf(upload).finally(() => resolve(undefined));
    await expect.poll(() => server.sessions.size).toBe(1);
    server.sessions.review(() => ({ reason: 'policy-changed' }));
    body.push(Buffer.alloc(100_000));
    body.push(null);
    await cut;
    expect((await outcome).statusCode).toBe(403);
    await expect.poll(() => server.sessions.size).toBe(0);
    expect(await textOf('x')).toBe('before');
  });
});

function* pieces(content: Buffer): Generator<Buffer> {
  for (let i = 0; i < content.length; i += 100_000) yield content.subarray(i, i + 100_000);
}
