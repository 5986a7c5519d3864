import { readTile } from '../../../src/ledger/verify/read-tile.ts';
import type { TileSource } from '../../../src/ledger/verify/tile-source.ts';
import { tileAt, tileWidth } from '../../../src/ledger/tlog/tile.ts';
import { builtInRoles } from '../../../src/policy/built-in-roles.ts';
import { PolicySnapshot, type PolicyRows } from '../../../src/policy/snapshot.ts';
import type { Change } from '../../../src/store/changes.ts';

/** Every entry of a published log, in order, as text. */
export async function entriesOf(source: TileSource, size: number): Promise<string[]> {
  const entries: string[] = [];
  for (let start = 0; start < size; start += tileWidth) {
    const bundle = await readTile(source, { ...tileAt(0, start, size), level: 'entries' });
    entries.push(...bundle.map((entry) => Buffer.from(entry).toString('utf8')));
  }
  return entries;
}

/** The change that an entry records; null for one that records none. */
export function changeOf(entry: string): Change | null {
  const event = JSON.parse(entry) as { unmapped: { lockstep: { kind: string; change?: Change } } };
  return event.unmapped.lockstep.change ?? null;
}

/** The policy that the log alone tells of: every change applied to nothing. */
export function replayed(changes: readonly Change[]): PolicySnapshot {
  const snapshot = PolicySnapshot.from({
    principals: [],
    memberships: [],
    roleDefinitions: builtInRoles,
    roleAssignments: [],
    denyAssignments: [],
    version: 0,
  });
  for (const [i, change] of changes.entries()) snapshot.apply({ sequence: i + 1, previous: i, change });
  return snapshot;
}

export function stored(rows: PolicyRows): PolicySnapshot {
  return PolicySnapshot.from({ ...rows, roleDefinitions: [...builtInRoles, ...rows.roleDefinitions] });
}

/** All that decisions rest on, in one order. */
export function contentOf(snapshot: PolicySnapshot, rows: PolicyRows): unknown {
  const byId = <T extends { readonly id: string }>(all: Iterable<T>) =>
    [...all].sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    principals: byId(rows.principals).map(({ id }) => [
      snapshot.principal(id),
      snapshot.identitiesOf(id).sort(),
    ]),
    definitions: byId(snapshot.roleDefinitions()),
    assignments: byId(snapshot.roleAssignments()),
    denials: byId(snapshot.denyAssignments()),
    fault: snapshot.fault,
  };
}
