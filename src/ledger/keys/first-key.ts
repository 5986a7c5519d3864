import type { Sealer } from '../../store/sealer.ts';
import type { Store } from '../../store/sqlite.ts';
import type { Tx } from '../../store/changes.ts';
import { createSigner, generateNoteKey } from '../note.ts';
import { sealContext } from './log-keys.ts';

/**
 * Gives a log its first key where it has none: `existing`, of an installation from before keys could be exchanged, or a
 * new one. `alongside` is done in the same transaction.
 */
export async function ensureFirstKey(options: {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly origin: string;
  readonly now: number;
  readonly existing: string | null;
  readonly alongside: (tx: Tx) => Promise<void>;
}): Promise<void> {
  const { store, sealer, origin, now, existing } = options;
  const found = await store.db.selectFrom('ledger_keys').select('position').executeTakeFirst();
  if (found !== undefined) return;
  const signingKey = existing ?? generateNoteKey(origin).signingKey;
  const { verifierKey } = createSigner(signingKey);
  await store.db.transaction().execute(async (tx) => {
    await tx
      .insertInto('ledger_keys')
      .values({
        verifier_key: verifierKey,
        position: 1,
        announced_at: now,
        began_at: now,
        overlap_milliseconds: 0,
        ends_at: null,
        ended_at: null,
        erased_at: null,
        vouched: null,
      })
      .execute();
    await tx
      .insertInto('ledger_key_secrets')
      .values({ verifier_key: verifierKey, sealed: sealer.seal(signingKey, sealContext(verifierKey)) })
      .execute();
    await options.alongside(tx);
  });
}
