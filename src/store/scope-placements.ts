import type { TenantId } from '../lib/ids.ts';
import type { Attribution, Change, Commit, ScopePlacement, Tx } from './changes.ts';
import type { Schema } from './schema.ts';
import type { Store } from './sqlite.ts';

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

/**
 * Sees to it that there is a root management group, named by the tenant id, and that these subscriptions and whatever was
 * placed at the root before hang beneath it. What is placed elsewhere stays. Answers how many it placed.
 */
export async function ensureRootGroup(
  store: Store,
  commit: Commit,
  by: Attribution,
  options: { readonly tenantId: TenantId; readonly subscriptionIds: readonly string[]; readonly now: number },
): Promise<number> {
  const root = `/providers/microsoft.management/managementgroups/${options.tenantId.toLowerCase()}`;
  const rows = await store.db.selectFrom('scope_placements').selectAll().execute();
  const placed = new Map(rows.map((row) => [row.scope, parsePlacement(row)]));
  const wanted: ScopePlacement[] = [];
  if (!placed.has(root)) wanted.push({ scope: root, parent: null, displayName: 'Tenant Root Group' });
  for (const placement of placed.values()) {
    if (placement.scope !== root && placement.parent === null) wanted.push({ ...placement, parent: root });
  }
  for (const id of options.subscriptionIds) {
    const scope = `/subscriptions/${id.toLowerCase()}`;
    if (!placed.has(scope)) wanted.push({ scope, parent: root, displayName: 'Lockstep' });
  }
  if (wanted.length === 0) return 0;
  await commit(by, async (tx, record) => {
    for (const placement of wanted) await placeScope(tx, record, placement, options.now);
  });
  return wanted.length;
}
