import type { PrincipalId } from '../lib/ids.ts';
import type { NearMiss, Shortfall } from './explanation.ts';
import { failingCondition } from './condition-trace.ts';
import { groupsBetween, viewOf, whoIs } from './group-path.ts';
import type { PrincipalRecord, RoleAssignment } from '../store/changes.ts';
import { isWithin } from './scope.ts';
import type { PolicySnapshot } from './snapshot.ts';
import type { Access } from './types.ts';

const shown = 5;
/** Others' assignments are a hint at whom to resemble; one or two are enough. */
const shownOfOthers = 2;

interface Candidate {
  readonly assignment: RoleAssignment;
  readonly shortfall: Shortfall;
  /** How far from sufficient, by kind; then how far away in the tree of scopes. */
  readonly rank: number;
  readonly distance: number;
}

/** The assignments that came closest to allowing, and how each fell short. */
export function nearMisses(snapshot: PolicySnapshot, id: PrincipalId, access: Access): NearMiss[] {
  const seen = { roles: rolesSeen(snapshot, access), places: placesSeen(snapshot, access.scope) };
  const own = ownCandidates(snapshot, id, access, seen).sort(closer).slice(0, shown);
  const others = othersCandidates(snapshot, id, access, seen).sort(closer).slice(0, shownOfOthers);
  return [...own, ...others]
    .slice(0, shown)
    .map(({ assignment, shortfall }) => ({ assignment: viewOf(snapshot, assignment, id), shortfall }));
}

function ownCandidates(
  snapshot: PolicySnapshot,
  id: PrincipalId,
  access: Access,
  { roles, places }: Seen,
): Candidate[] {
  const { principals, assignments } = snapshot.engine;
  const node = principals.get(id);
  if (!node) return [];
  const { identities, active } = principals.reachOf(node);
  const live = new Set(active);
  const candidates: Candidate[] = [];
  for (const index of identities) {
    for (const assignment of assignments.grantsOf(index)) {
      const role = roles(assignment.roleDefinitionId);
      if (!role) continue;
      const { contains, pattern, gates } = role;
      const { covers, distance } = places(assignment.scope);
      const add = (rank: number, shortfall: Shortfall): void => {
        candidates.push({ assignment, shortfall, rank, distance: distance() });
      };
      if (!live.has(index)) {
        if (covers && contains) add(0, disabledGroup(snapshot, id, assignment));
      } else if (covers && contains) {
        const unmet = failingCondition(snapshot, id, access, [assignment.condition, ...gates]);
        if (unmet) add(0, { kind: 'condition', ...unmet });
      } else if (covers && !contains && pattern !== null) add(1, { kind: 'taken-away', pattern });
      else if (contains && !covers) add(2, { kind: 'other-scope' });
      else if (covers) add(3, { kind: 'role-lacks-action' });
    }
  }
  return candidates;
}

function othersCandidates(
  snapshot: PolicySnapshot,
  id: PrincipalId,
  access: Access,
  { roles, places }: Seen,
): Candidate[] {
  const { principals } = snapshot.engine;
  const node = principals.get(id);
  const own = new Set(node ? principals.reachOf(node).identities : []);
  const candidates: Candidate[] = [];
  const suitable = (roleId: string): boolean => roles(roleId)?.contains ?? false;
  for (const assignment of snapshot.assignmentsAt(snapshot.ancestors(access.scope), suitable)) {
    const holder = principals.get(assignment.principalId);
    if (!holder?.record || own.has(holder.index) || !isExample(holder.record)) continue;
    const distance = places(assignment.scope).distance();
    candidates.push({ assignment, shortfall: { kind: 'other-principal' }, rank: 4, distance });
  }
  return candidates;
}

/** Whether anybody could be like them: a job gets what it has from where it runs, and the disabled have nothing. */
function isExample({ kind, enabled }: PrincipalRecord): boolean {
  return enabled && kind !== 'job';
}

/** What was found out about roles and scopes so far. */
interface Seen {
  readonly roles: (id: string) => RoleSeen | null;
  readonly places: (scope: string) => PlaceSeen;
}

interface RoleSeen {
  readonly contains: boolean;
  /** The notAction that takes the action away. */
  readonly pattern: string | null;
  /** The conditions of the permissions that contain it. */
  readonly gates: readonly string[];
}

/** What each role makes of the action, found out once: many assignments share a few roles. Null for an unknown one. */
function rolesSeen(
  snapshot: PolicySnapshot,
  { action, dataAction }: Access,
): (id: string) => RoleSeen | null {
  const name = action.toLowerCase();
  return remembered((id) => {
    const permissions = snapshot.permissionsOf(id);
    if (!permissions) return null;
    const contains = permissions.contains(name, dataAction);
    const pattern = permissions.excludedBy(name, dataAction);
    const gates = [...permissions.gates(name, dataAction)].map(({ text }) => text);
    return { contains, pattern, gates };
  });
}

interface PlaceSeen {
  readonly covers: boolean;
  /** Edges of the tree of scopes between the two. */
  readonly distance: () => number;
}

/** Where each scope lies, seen from this one. */
function placesSeen(snapshot: PolicySnapshot, from: string): (scope: string) => PlaceSeen {
  const left = snapshot.ancestors(from);
  const distanceTo = remembered((scope) => {
    const right = snapshot.ancestors(scope);
    const common = left.findIndex((ancestor) => right.includes(ancestor));
    return common + (right.length - (left.length - common));
  });
  return remembered((scope) => ({
    covers: isWithin(from, scope) || left.includes(scope),
    distance: () => distanceTo(scope),
  }));
}

function remembered<T>(find: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = find(key)));
    return found;
  };
}

function disabledGroup(
  snapshot: PolicySnapshot,
  id: PrincipalId,
  { principalId }: RoleAssignment,
): Shortfall {
  const path = groupsBetween(snapshot, id, principalId, 'any') ?? [];
  const group = path.find((step) => !snapshot.principal(step.id)?.enabled);
  return { kind: 'disabled-group', group: group ?? whoIs(snapshot, principalId) };
}

function closer(a: Candidate, b: Candidate): number {
  return a.rank - b.rank || a.distance - b.distance || (a.assignment.id < b.assignment.id ? -1 : 1);
}
