import { issuedTokenRow, revokeIssued, type IssuedToken } from '../../identity/signin/issued-tokens.ts';
import type { Clock } from '../../lib/clock.ts';
import type { TenantId } from '../../lib/ids.ts';
import { systemAttribution, type Commit } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';

/** Which access tokens were issued under which grant, so that a grant can be ended with all that it gave. */
export class IssuedTokens {
  readonly #parts: { store: Store; commit: Commit; clock: Clock; tenantId: TenantId };

  constructor(parts: { store: Store; commit: Commit; clock: Clock; tenantId: TenantId }) {
    this.#parts = parts;
  }

  async note(token: IssuedToken): Promise<void> {
    await this.#parts.store.db.insertInto('oidc_artifacts').values(issuedTokenRow(token)).execute();
  }

  /** Revokes every access token of a grant, in the ledger and at once. */
  async revoke(grantId: string): Promise<void> {
    const { commit, clock, tenantId } = this.#parts;
    await commit(systemAttribution(tenantId, 'sign-in'), (tx, record) =>
      revokeIssued(tx, record, { grantId }, clock.now()),
    );
  }
}
