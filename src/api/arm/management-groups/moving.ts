import type { Exchange } from '../../../gateway/types.ts';
import {
  administration,
  holds,
  liftsDenials,
  policyAt,
  unconditionally,
  writesAssignments,
} from '../../../policy/administrators.ts';
import { isWithin, normalizeScope } from '../../../policy/scope.ts';
import type { PolicySnapshot } from '../../../policy/snapshot.ts';
import type { DenyAssignment, RoleAssignment, ScopePlacement } from '../../../store/changes.ts';
import { requireAlso } from '../../also.ts';
import { refusal } from '../authorization/refusals.ts';
import { nameOf } from './names.ts';
import { actions } from './parts.ts';

/** What hangs at `scope` is to hang beneath the group `target` instead of `existing`. */
export interface Move {
  readonly scope: string;
  readonly existing: string;
  readonly target: string;
}

const [, , writesDenials = ''] = administration;

/**
 * The right to move, decided and recorded part by part. Throws `access_denied` naming the first that is missing.
 *
 * Azure asks for write on the child and on both groups, the root excepted, and for the right to assign roles on the child
 * (learn.microsoft.com/azure/governance/management-groups/overview#moving-management-groups-and-subscriptions). A move
 * must be no way to what its author could not do by hand, so beyond that each grant that comes to reach the child
 * must be theirs to give there, each denial that comes to reach it theirs to make, and each that ceases to theirs to lift.
 */
export async function requireToMove(
  exchange: Exchange,
  snapshot: PolicySnapshot,
  move: Move,
  root: string,
): Promise<void> {
  const need = (action: string, scope: string) => requireAlso(exchange, { action, dataAction: false, scope });
  const { scope, existing, target } = move;
  await need(actions.write, scope);
  await need(writesAssignments, scope);
  for (const group of [target, existing]) if (group !== root) await need(actions.write, group);
  const { gained, denied, lifted } = effectsOf(snapshot, move);
  for (const denial of lifted) await need(liftsDenials, denial.scope);
  if (denied.length > 0) await need(writesDenials, scope);
  for (const { roleDefinitionId, principalId, principalType } of gained) {
    await requireAlso(exchange, {
      action: writesAssignments,
      dataAction: false,
      scope,
      attributes: {
        request: {
          'microsoft.authorization/roleassignments:roledefinitionid': roleDefinitionId,
          'microsoft.authorization/roleassignments:principalid': principalId,
          'microsoft.authorization/roleassignments:principaltype': principalType,
        },
      },
    });
  }
}

interface Effects {
  /** Role assignments that come to reach the child. */
  readonly gained: readonly RoleAssignment[];
  /** Deny assignments that come to. */
  readonly denied: readonly DenyAssignment[];
  /** Deny assignments that cease to. */
  readonly lifted: readonly DenyAssignment[];
}

/** What a move gives and takes away. */
export function effectsOf(snapshot: PolicySnapshot, { scope, target }: Move): Effects {
  const { entered, left } = scopesCrossed(snapshot, scope, target);
  const reachingFrom = (scopes: ReadonlySet<string>) =>
    [...snapshot.denyAssignments()].filter(
      (denial) => scopes.has(denial.scope) && !denial.doNotApplyToChildScopes,
    );
  return {
    gained: [...snapshot.assignmentsAt([...entered])],
    denied: reachingFrom(entered),
    lifted: reachingFrom(left),
  };
}

/** What a decision on a move rested on, as text: another text is another decision. */
export function groundOf(snapshot: PolicySnapshot, move: Move): string {
  const { gained, denied, lifted } = effectsOf(snapshot, move);
  const ids = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id).toSorted();
  const { scope, existing, target } = move;
  return JSON.stringify([scope, existing, target, ids(gained), ids(denied), ids(lifted)]);
}

/**
 * Throws `invalid_request` where a role that is assigned within the child could, after the move, not be assigned there:
 * it is defined for a group that the child leaves.
 */
export function requireRolesToReach(snapshot: PolicySnapshot, { scope, target }: Move): void {
  const { left } = scopesCrossed(snapshot, scope, target);
  if (left.size === 0) return;
  const after = new Set([...snapshot.ancestors(target), scope]);
  for (const assignment of snapshot.roleAssignments()) {
    if (!snapshot.isWithin(assignment.scope, scope)) continue;
    const role = snapshot.roleDefinition(assignment.roleDefinitionId);
    if (!role || role.type === 'BuiltInRole') continue;
    const reaches = role.assignableScopes.some((text) => {
      const assignable = normalizeScope(text);
      if (assignable === null || left.has(assignable)) return false;
      return (
        after.has(assignable) ||
        isWithin(assignment.scope, assignable) ||
        snapshot.isWithin(assignment.scope, assignable)
      );
    });
    if (reaches) continue;
    throw refusal(
      'invalid_request',
      'RoleAssignmentsOutOfScope',
      `'${role.roleName}' is assigned at ${assignment.scope}, but could not be any more: it may be assigned only within ` +
        `${role.assignableScopes.join(', ')}. End that assignment, or let the role be assigned within ` +
        `'${nameOf(target)}' too.`,
    );
  }
}

/**
 * Throws `invalid_request` where whoever moves a thing would lose it by that: their right to assign roles at it comes from
 * the group that it leaves. As in Azure.
 */
export function requireToKeep(exchange: Exchange, snapshot: PolicySnapshot, placement: ScopePlacement): void {
  const { scope, parent } = placement;
  const scopes = [scope, ...(parent === null ? ['/'] : snapshot.ancestors(parent))];
  const rows = policyAt(snapshot, scopes);
  const placements = [...snapshot.placements()].filter((each) => each.scope !== scope);
  const after = unconditionally({ ...rows, placements: [...placements, placement] });
  const post = { scope, actions: [actions.write, writesAssignments] };
  for (const id of exchange.decision.authorities) {
    if (holds(after, id, post)) continue;
    throw refusal(
      'invalid_request',
      'MoveWouldLoseOwnership',
      `You may move '${nameOf(scope)}' by a role at the group that it would leave, and would lose it there. Move it beneath ` +
        'a group at which you hold such a role too, or have it given to you at the thing itself.',
    );
  }
}

function scopesCrossed(snapshot: PolicySnapshot, scope: string, target: string) {
  const before = new Set(snapshot.ancestors(scope));
  const after = new Set(snapshot.ancestors(target));
  return {
    entered: new Set([...after].filter((each) => !before.has(each))),
    left: new Set([...before].filter((each) => each !== scope && !after.has(each))),
  };
}
