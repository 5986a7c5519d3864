import { readTile } from '../../../src/ledger/verify/read-tile.ts';
import type { TileSource } from '../../../src/ledger/verify/tile-source.ts';
import { tileAt, tileWidth } from '../../../src/ledger/tlog/tile.ts';
import { builtInRoles } from '../../../src/policy/built-in-roles.ts';
import { PolicySnapshot, type PolicyRows } from '../../../src/policy/snapshot.ts';
import type { Change } from '../../../src/store/changes.ts';
import { parseRecordedChange } from '../../../src/store/recorded-change.ts';

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
  const { change } = event.unmapped.lockstep;
  // Names are not in the log: of a change that carries policy they are empty.
  return change === undefined ? null : (parseRecordedChange(change).change ?? change);
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

/** All that decisions rest on, in one order: names and descriptions are not among it. */
export function contentOf(snapshot: PolicySnapshot, rows: PolicyRows): unknown {
  const byId = <T extends { readonly id: string }>(all: Iterable<T>) =>
    [...all].sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    principals: byId(rows.principals).map(({ id }) => {
      const { kind, enabled, sponsorId, securityAttributes } = snapshot.principal(id) ?? {};
      return [id, kind, enabled, sponsorId, securityAttributes, snapshot.identitiesOf(id).sort()];
    }),
    definitions: byId(snapshot.roleDefinitions()).map((one) => ({ ...one, description: '' })),
    assignments: byId(snapshot.roleAssignments()).map((one) => ({ ...one, description: '' })),
    denials: byId(snapshot.denyAssignments()).map((one) => ({ ...one, name: '', description: '' })),
    fault: snapshot.fault,
  };
}
