import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Clock } from '../../lib/clock.ts';
import type { TenantId } from '../../lib/ids.ts';
import { systemAttribution, type Commit } from '../../store/changes.ts';
import type { Sealer } from '../../store/sealer.ts';
import type { Store } from '../../store/sqlite.ts';

const metaKey = 'session-cookie-keys';

const storedKeys = z.array(
  z.strictObject({
    kid: z.string(),
    key: z.string(),
    createdAt: z.number(),
    retiredAt: z.number().nullable(),
  }),
);
type StoredKey = z.infer<typeof storedKeys>[number];

export interface CookieKeysOptions {
  readonly store: Store;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly sealer: Sealer;
  readonly tenantId: TenantId;
  /** How long a key makes new tags. */
  readonly rotationMilliseconds: number;
  /** How long a replaced key still verifies: the longest life of what it signed. */
  readonly overlapMilliseconds: number;
}

/**
 * Keys behind the tags on cookies and forms (HMAC-SHA-256), sealed at rest, replaced on schedule.
 * A tag is bound to a purpose, so that one made for a form is worth nothing as a cookie.
 */
export class CookieKeys {
  readonly #options: CookieKeysOptions;
  #keys: readonly StoredKey[];

  private constructor(options: CookieKeysOptions, keys: readonly StoredKey[]) {
    this.#options = options;
    this.#keys = keys;
  }

  static async open(options: CookieKeysOptions): Promise<CookieKeys> {
    const row = await options.store.db
      .selectFrom('meta')
      .select('value')
      .where('key', '=', metaKey)
      .executeTakeFirst();
    const keys =
      row === undefined ? [] : storedKeys.parse(JSON.parse(options.sealer.open(row.value, metaKey)));
    const opened = new CookieKeys(options, keys);
    await opened.rotateIfDue();
    return opened;
  }

  tag(purpose: string, text: string): string {
    const current = this.#keys[0];
    if (current === undefined) throw new Error('there is no cookie key');
    return tagWith(current, purpose, text).toString('base64url');
  }

  /** In constant time with respect to the tag. */
  verify(purpose: string, text: string, tag: string): boolean {
    const presented = Buffer.from(tag, 'base64url');
    if (presented.toString('base64url') !== tag) return false;
    let matched = false;
    for (const key of this.#keys) {
      const expected = tagWith(key, purpose, text);
      if (presented.byteLength === expected.byteLength && timingSafeEqual(presented, expected)) {
        matched = true;
      }
    }
    return matched;
  }

  /** For a purpose that needs a key of its own: 32 bytes from each that still verifies, the current one first. */
  derived(purpose: string): readonly Buffer[] {
    return this.#keys.map((key) => tagWith(key, 'derived-key', purpose));
  }

  async rotateIfDue(): Promise<void> {
    const { clock, rotationMilliseconds, overlapMilliseconds } = this.#options;
    const now = clock.now();
    const kept = this.#keys.filter((key) => now < (key.retiredAt ?? now) + overlapMilliseconds);
    const current = kept.find((key) => key.retiredAt === null);
    if (current !== undefined && now < current.createdAt + rotationMilliseconds) {
      this.#keys = kept;
      return;
    }
    const fresh: StoredKey = {
      kid: `session-cookie-${randomBytes(6).toString('base64url')}`,
      key: randomBytes(32).toString('base64url'),
      createdAt: now,
      retiredAt: null,
    };
    const keys = [fresh, ...kept.map((key) => ({ ...key, retiredAt: key.retiredAt ?? now }))];
    await this.#save(keys, fresh.kid, current?.kid ?? null);
    this.#keys = keys;
  }

  async #save(keys: readonly StoredKey[], added: string, retired: string | null): Promise<void> {
    const { commit, sealer, tenantId } = this.#options;
    const value = sealer.seal(canonicalJson(keys.map((key) => ({ ...key }))), metaKey);
    await commit(systemAttribution(tenantId, 'sign-in'), async (tx, record) => {
      await tx
        .insertInto('meta')
        .values({ key: metaKey, value })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
        .execute();
      record({ kind: 'signing-key.added', kid: added, algorithm: 'HS256' });
      if (retired !== null) record({ kind: 'signing-key.retired', kid: retired, algorithm: 'HS256' });
    });
  }
}

function tagWith(key: StoredKey, purpose: string, text: string): Buffer {
  return createHmac('sha256', Buffer.from(key.key, 'base64url')).update(`${purpose}\0${text}`).digest();
}
