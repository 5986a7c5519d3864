import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantId } from '../../lib/ids.ts';
import { systemAttribution } from '../../store/changes.ts';
import type { Entry } from './listing.ts';
import { justAfter, successor } from './successor.ts';
import { scratchStore, type Scratch } from './testing/scratch-store.ts';

const by = systemAttribution('8f1a63f4-1111-4222-8333-444455556666' as TenantId, 'test');
let scratch: Scratch;

beforeAll(async () => {
  scratch = await scratchStore();
});

afterAll(async () => {
  await scratch.close();
});

const name = fc
  .array(fc.constantFrom('a', 'b', 'A', '/', '-', '\u{10ffff}', '\ud7ff', '\ue000', '\u{1f600}', 'é'), {
    minLength: 1,
    maxLength: 6,
  })
  .map((chars) => chars.join(''));

function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function keyOf(entry: Entry): string {
  return entry.kind === 'blob' ? `blob ${entry.blob.name}` : `prefix ${entry.prefix}`;
}

/** The plainest reading of List Blobs: filter, sort, fold. */
function expected(names: readonly string[], prefix: string, delimiter: string): string[] {
  const out: string[] = [];
  for (const name of names.filter((name) => name.startsWith(prefix)).sort(byCodePoint)) {
    const cut = delimiter === '' ? -1 : name.indexOf(delimiter, prefix.length);
    const key = cut < 0 ? `blob ${name}` : `prefix ${name.slice(0, cut + delimiter.length)}`;
    if (out.at(-1) !== key) out.push(key);
  }
  return out;
}

describe('a listing, page by page', () => {
  it('is what filtering, sorting and folding all names gives', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { maxLength: 25 }),
        fc.oneof(fc.constant(''), name),
        fc.constantFrom('', '/', '-', 'a/'),
        fc.integer({ min: 1, max: 7 }),
        async (names, prefix, delimiter, limit) => {
          run += 1;
          const at = { account: 'acct', container: `run-${run}`, scope: `/run-${run}` };
          await scratch.blobs.createContainer(by, at, []);
          const row = { account: at.account, container: at.container, created_at: 1, updated_at: 1, size: 0 };
          const rest = { etag: '0x1', md5: null, sha256: null, metadata_json: '[]', blocks_json: '[]' };
          const content_headers_json = JSON.stringify({
            contentType: null,
            contentEncoding: null,
            contentLanguage: null,
            contentDisposition: null,
            cacheControl: null,
          });
          for (const [i, name] of names.entries()) {
            const file = `${run}-${i}`;
            await scratch.store.db
              .insertInto('blobs')
              .values({ ...row, ...rest, content_headers_json, name, file })
              .execute();
          }
          const seen: string[] = [];
          let from: string | null = '';
          while (from !== null) {
            const page: Awaited<ReturnType<typeof scratch.blobs.listBlobs>> = await scratch.blobs.listBlobs(
              at,
              {
                prefix,
                delimiter,
                from,
                limit,
              },
            );
            expect(page.entries.length).toBeLessThanOrEqual(limit);
            seen.push(...page.entries.map(keyOf));
            from = page.next;
          }
          expect(seen).toStrictEqual(expected(names, prefix, delimiter));
        },
      ),
      { numRuns: 120 },
    );
  });
});

describe('the successor of a prefix', () => {
  it('is greater than all that starts with it, and no more than anything else that is greater', () => {
    fc.assert(
      fc.property(name, name, (prefix, other) => {
        const next = successor(prefix);
        expect(next === null || byCodePoint(prefix + other, next) < 0).toBe(true);
        const beyond = byCodePoint(other, prefix) > 0 && !other.startsWith(prefix);
        expect(!beyond || (next !== null && byCodePoint(other, next) >= 0)).toBe(true);
        expect(byCodePoint(justAfter(prefix), prefix)).toBeGreaterThan(0);
      }),
    );
  });
});
