import type { Change, ScopePlacement, Tx } from './changes.ts';
import type { Schema } from './schema.ts';

type Record = (change: Change) => void;

/**
 * Puts a management group or subscription beneath a management group, or beneath the root; `now` in milliseconds.
 * Throws the database's constraint error if the parent was never placed. That there is no cycle is the caller's to see.
 */
export async function placeScope(
  tx: Tx,
  record: Record,
  placement: ScopePlacement,
  now: number,
): Promise<void> {
  const content = { parent: placement.parent, display_name: placement.displayName };
  await tx
    .insertInto('scope_placements')
    .values({ scope: placement.scope, created_at: now, ...content })
    .onConflict((conflict) => conflict.column('scope').doUpdateSet(content))
    .execute();
  record({ kind: 'scope.placed', placement });
}

/** Throws the database's constraint error while anything is placed beneath it. */
export async function removeScope(tx: Tx, record: Record, scope: string): Promise<void> {
  await tx.deleteFrom('scope_placements').where('scope', '=', scope).execute();
  record({ kind: 'scope.removed', scope });
}

export function parsePlacement(row: Schema['scope_placements']): ScopePlacement {
  return { scope: row.scope, parent: row.parent, displayName: row.display_name };
}
