import type { PrincipalId } from '../lib/ids.ts';
import type { NearMiss, Shortfall } from './explanation.ts';
import { failingCondition } from './condition-trace.ts';
import { groupsBetween, viewOf, whoIs } from './group-path.ts';
import type { RoleAssignment } from '../store/changes.ts';
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
  const own = ownCandidates(snapshot, id, access).sort(closer).slice(0, shown);
  const others = othersCandidates(snapshot, id, access).sort(closer).slice(0, shownOfOthers);
  return [...own, ...others]
    .slice(0, shown)
    .map(({ assignment, shortfall }) => ({ assignment: viewOf(snapshot, assignment, id), shortfall }));
}

function ownCandidates(snapshot: PolicySnapshot, id: PrincipalId, access: Access): Candidate[] {
  const { principals, assignments } = snapshot.engine;
  const node = principals.get(id);
  if (!node) return [];
  const { identities, active } = principals.reachOf(node);
  const live = new Set(active);
  const action = access.action.toLowerCase();
  const candidates: Candidate[] = [];
  for (const index of identities) {
    for (const assignment of assignments.grantsOf(index)) {
      const permissions = snapshot.permissionsOf(assignment.roleDefinitionId);
      if (!permissions) continue;
      const covers = snapshot.isWithin(access.scope, assignment.scope);
      const contains = permissions.contains(action, access.dataAction);
      const distance = steps(snapshot, access.scope, assignment.scope);
      const add = (rank: number, shortfall: Shortfall): void => {
        candidates.push({ assignment, shortfall, rank, distance });
      };
      const pattern = permissions.excludedBy(action, access.dataAction);
      const gates = [...permissions.gates(action, access.dataAction)].map(({ text }) => text);
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

function othersCandidates(snapshot: PolicySnapshot, id: PrincipalId, access: Access): Candidate[] {
  const { principals } = snapshot.engine;
  const node = principals.get(id);
  const own = new Set(node ? principals.reachOf(node).identities : []);
  const action = access.action.toLowerCase();
  const candidates: Candidate[] = [];
  for (const assignment of snapshot.assignmentsAt(snapshot.ancestors(access.scope))) {
    const holder = principals.get(assignment.principalId);
    if (!holder?.record || own.has(holder.index)) continue;
    const permissions = snapshot.permissionsOf(assignment.roleDefinitionId);
    if (!permissions?.contains(action, access.dataAction)) continue;
    const distance = steps(snapshot, access.scope, assignment.scope);
    candidates.push({ assignment, shortfall: { kind: 'other-principal' }, rank: 4, distance });
  }
  return candidates;
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

/** Edges of the tree of scopes between the two. */
function steps(snapshot: PolicySnapshot, a: string, b: string): number {
  const left = snapshot.ancestors(a);
  const right = new Set(snapshot.ancestors(b));
  const common = left.findIndex((scope) => right.has(scope));
  return common + (right.size - (left.length - common));
}
