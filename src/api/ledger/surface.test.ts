import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Exchange, Reply, RequestHead } from '../../gateway/types.ts';
import { LedgerFixture, decidedFact } from '../../ledger/testing/ledger-fixture.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { verifyLog } from '../../ledger/verify/verify-log.ts';
import type { Store } from '../../store/sqlite.ts';
import { ledgerSurface } from './surface.ts';

const fixture = new LedgerFixture();
let ledger: Ledger;
let store: Store;
let surface: ReturnType<typeof ledgerSurface>;

beforeAll(async () => {
  ({ ledger, store } = await fixture.open());
  await Promise.all(Array.from({ length: 300 }, () => ledger.record(decidedFact())));
  await ledger.integrate();
  surface = ledgerSurface({ ledger, directory: fixture.logDirectory });
});

afterAll(async () => {
  await ledger.close();
  await store.close();
  fixture.remove();
});

function head(path: string, method = 'GET'): RequestHead {
  return { method, path } as RequestHead;
}

async function get(path: string): Promise<Reply> {
  const described = surface.describe(head(path));
  if (described === null) throw new Error(`${path} is not described`);
  return described.serve({} as Exchange);
}

function notFoundIsNull(error: unknown): null {
  expect(error).toMatchObject({ code: 'not_found' });
  return null;
}

describe('the log over HTTP', () => {
  it('is enough to verify the whole of it', async () => {
    const source = {
      read: async (path: string): Promise<Uint8Array | null> => {
        // Only what a log has to say of a beginning that it does not keep may be missing.
        const reply =
          path === 'retention'
            ? await get('/ledger/retention').catch(notFoundIsNull)
            : await get(`/ledger/${path}`);
        return reply?.body instanceof Uint8Array ? reply.body : null;
      },
    };
    expect(await verifyLog(source, ledger.verifierKey)).toMatchObject({ ok: true, size: 300 });
  });

  it('lets tiles be kept for ever and the checkpoint for seconds', async () => {
    expect((await get('/ledger/tile/0/000')).headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect((await get('/ledger/checkpoint')).headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'public, max-age=2',
    });
    expect((await get('/ledger/key')).body).toBe(`${ledger.verifierKey}\n`);
  });

  it('is public, a read, and described under one rule', () => {
    expect(surface.describe(head('/ledger/checkpoint', 'HEAD'))).toMatchObject({
      guard: { kind: 'public', rule: 'public-ledger' },
      effect: 'read',
      body: { kind: 'none' },
    });
  });

  it('shows the entries, which name people, only to whoever may read events', async () => {
    expect(surface.describe(head('/ledger/tile/entries/000'))).toMatchObject({
      operation: 'Lockstep.Access/events/read',
      guard: { kind: 'action', access: { action: 'Lockstep.Access/events/read' } },
    });
    expect(surface.describe(head('/ledger/tile/0/000'))).toMatchObject({ guard: { kind: 'public' } });
    expect((await get('/ledger/tile/entries/000')).headers).toMatchObject({
      'cache-control': 'private, max-age=31536000, immutable',
    });
  });

  it('says 404 for a tile that there is not', async () => {
    await expect(get('/ledger/tile/0/001')).rejects.toMatchObject({ code: 'not_found' });
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('refuses %s', (method) => {
    expect(() => surface.describe(head('/ledger/checkpoint', method))).toThrow(
      expect.objectContaining({ code: 'method_not_allowed' }) as Error,
    );
  });

  it.each([
    '/ledger',
    '/ledger/',
    '/ledger/.tmp/x',
    '/ledger/../lockstep.db',
    '/ledger/tile/../../lockstep.db',
    '/ledger/tile/0/../../../lockstep.db',
    '/ledger/tile/0/..%2f..%2flockstep.db',
    '/ledger/tile/0/%2e%2e/000',
    '/ledger/tile//0/000',
    '/ledger//checkpoint',
    '/ledger/checkpoint/',
    '/ledger/checkpoint%00',
    '/ledger/tile/0/000;a',
    '/ledger/tile/0/000.p',
    '/ledger/tile/0\\000',
    '/ledger/CHECKPOINT',
  ])('does not know %s', (path) => {
    expect(surface.describe(head(path))).toBeNull();
  });

  it('serves nothing but the log from its directory', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'lockstep-surface-'));
    writeFileSync(join(directory, 'key'), 'a secret beside the log');
    const other = ledgerSurface({ ledger, directory }).describe(head('/ledger/key'));
    expect((await other?.serve({} as Exchange))?.body).toBe(`${ledger.verifierKey}\n`);
    rmSync(directory, { recursive: true });
  });

  it('matches its own paths only', () => {
    expect(
      ['/ledger', '/ledger/x', '/ledgers', '/x/ledger/'].map((path) => surface.matches(head(path))),
    ).toEqual([true, true, false, false]);
  });
});
