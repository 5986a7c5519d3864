import { z } from 'zod';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Clock } from '../../lib/clock.ts';
import type { PrincipalId, TenantId } from '../../lib/ids.ts';
import { systemAttribution, type Commit } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';

const model = 'IssuedToken';
const issued = z.strictObject({ principalId: z.string(), expiresAt: z.number() });

export interface IssuedToken {
  readonly grantId: string;
  readonly tokenId: string;
  readonly principalId: PrincipalId;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

/** Which access tokens were issued under which grant, so that a grant can be ended with all that it gave. */
export class IssuedTokens {
  readonly #parts: { store: Store; commit: Commit; clock: Clock; tenantId: TenantId };

  constructor(parts: { store: Store; commit: Commit; clock: Clock; tenantId: TenantId }) {
    this.#parts = parts;
  }

  async note({ grantId, tokenId, principalId, expiresAt }: IssuedToken): Promise<void> {
    await this.#parts.store.db
      .insertInto('oidc_artifacts')
      .values({
        model,
        id: tokenId,
        payload_json: canonicalJson({ principalId, expiresAt }),
        grant_id: grantId,
        user_code: null,
        uid: null,
        consumed_at: null,
        expires_at: expiresAt * 1000,
      })
      .execute();
  }

  /** Revokes every unexpired access token of a grant, in the ledger and at once. */
  async revoke(grantId: string): Promise<void> {
    const { store, commit, clock, tenantId } = this.#parts;
    const rows = await store.db
      .selectFrom('oidc_artifacts')
      .select(['id', 'payload_json'])
      .where('model', '=', model)
      .where('grant_id', '=', grantId)
      .where('expires_at', '>', clock.now())
      .execute();
    if (rows.length === 0) return;
    await commit(systemAttribution(tenantId, 'sign-in'), async (tx, record) => {
      for (const row of rows) {
        const token = issued.parse(JSON.parse(row.payload_json));
        const principal = token.principalId as PrincipalId;
        await tx
          .insertInto('revoked_tokens')
          .values({ token_id: row.id, principal_id: principal, expires_at: token.expiresAt * 1000 })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        record({ kind: 'token.revoked', tokenId: row.id, principal, expiresAt: token.expiresAt * 1000 });
      }
      await tx
        .deleteFrom('oidc_artifacts')
        .where('model', '=', model)
        .where('grant_id', '=', grantId)
        .execute();
    });
  }
}
