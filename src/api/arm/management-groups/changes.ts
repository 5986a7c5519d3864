import type { Exchange } from '../../../gateway/types.ts';
import { isWithin } from '../../../policy/scope.ts';
import type { Change, ScopePlacement, Tx } from '../../../store/changes.ts';
import { deleteDenyAssignment, parseDenyAssignment } from '../../../store/deny-assignments.ts';
import { loadPlacements } from '../../../store/policy-rows.ts';
import { deleteRoleAssignment, parseRoleAssignment } from '../../../store/role-assignments.ts';
import { placeScope, removeScope } from '../../../store/scope-placements.ts';
import { refusal } from '../authorization/refusals.ts';
import { Hierarchy, mostGroups, mostLevels } from './hierarchy.ts';
import { groundOf, requireRolesToReach, requireToKeep, requireToMove, type Move } from './moving.ts';
import { isGroupScope, nameOf } from './names.ts';
import { hierarchyNow, requireGroup, type ManagementGroupParts } from './parts.ts';

type Record = (change: Change) => void;

/**
 * Makes a group beneath `parent`, upon which the caller was decided. Throws `not_found` for a parent that is not there,
 * `conflict` for a group that is, `invalid_request` beyond Azure's limits.
 */
export async function createGroup(
  exchange: Exchange,
  parts: ManagementGroupParts,
  group: ScopePlacement & { readonly parent: string },
): Promise<void> {
  await parts.commit(exchange.attribution, async (tx, record) => {
    const hierarchy = await hierarchyIn(tx, parts);
    requireGroup(hierarchy, group.parent);
    if (hierarchy.find(group.scope)) throw changedMeanwhile(group.scope);
    if (hierarchy.groupCount >= mostGroups) {
      throw refusal(
        'invalid_request',
        'ManagementGroupLimitExceeded',
        `A tenant has at most ${mostGroups} management groups.`,
      );
    }
    requireDepth(hierarchy, group.parent, 1);
    await placeScope(tx, record, group, parts.clock.now());
  });
}

/**
 * Gives a group another name to show, another parent, or both; what is not given stays. A move is decided here, and
 * undone if by the time of its writing it would do other than what was decided. Throws `access_denied`, `not_found`,
 * `conflict`, or `invalid_request` for a ring, too many levels, or a role that would no longer reach.
 */
export async function changePlacement(
  exchange: Exchange,
  parts: ManagementGroupParts,
  scope: string,
  wanted: { readonly displayName?: string | undefined; readonly parent?: string | undefined },
): Promise<void> {
  const now = hierarchyNow(parts);
  const existing = now.parentOf(requireGroup(now, scope));
  const move = await decidedMove(exchange, parts, scope, existing, wanted.parent);
  await parts.commit(exchange.attribution, async (tx, record) => {
    const hierarchy = await hierarchyIn(tx, parts);
    const stored = requireGroup(hierarchy, scope);
    const displayName = wanted.displayName ?? stored.displayName;
    if (move === null) {
      if (displayName !== stored.displayName) {
        await placeScope(tx, record, { ...stored, displayName }, parts.clock.now());
      }
      return;
    }
    requireGroup(hierarchy, move.target);
    if (hierarchy.parentOf(stored) !== move.existing || groundOf(parts.snapshot, move) !== move.ground) {
      throw changedMeanwhile(scope);
    }
    if (hierarchy.isWithin(move.target, scope)) throw ring(move);
    if (isGroupScope(scope)) requireDepth(hierarchy, move.target, hierarchy.heightOf(scope));
    requireRolesToReach(parts.snapshot, move);
    requireToKeep(exchange, parts.snapshot, { scope, displayName, parent: move.target });
    await placeScope(tx, record, { scope, displayName, parent: move.target }, parts.clock.now());
  });
}

/** Null when nothing is to move. */
async function decidedMove(
  exchange: Exchange,
  parts: ManagementGroupParts,
  scope: string,
  existing: string | null,
  target: string | undefined,
): Promise<(Move & { readonly ground: string }) | null> {
  if (target === undefined || target === existing) return null;
  const { root } = hierarchyNow(parts);
  if (existing === null) {
    throw refusal('invalid_request', 'InvalidParent', 'The root management group cannot be moved.');
  }
  const move = { scope, existing, target };
  const ground = groundOf(parts.snapshot, move);
  await requireToMove(exchange, parts.snapshot, move, root);
  return { ...move, ground };
}

/**
 * Deletes a group beneath which nothing hangs, with what is assigned and denied at it: a group that is made later under
 * the same name starts with nothing. Null when there is none. Throws `invalid_request` for the root, and for a group
 * that has children.
 */
export async function deleteGroup(
  exchange: Exchange,
  parts: ManagementGroupParts,
  scope: string,
): Promise<ScopePlacement | null> {
  return parts.commit(exchange.attribution, async (tx, record) => {
    const hierarchy = await hierarchyIn(tx, parts);
    const group = hierarchy.find(scope);
    if (!group) return null;
    if (scope === hierarchy.root) {
      throw refusal('invalid_request', 'BadRequest', 'The root management group cannot be deleted.');
    }
    const children = hierarchy.childrenOf(scope);
    if (children.length > 0) {
      throw refusal(
        'invalid_request',
        'ManagementGroupHasChildren',
        `Group ${nameOf(scope)} is not empty: move what is beneath it elsewhere, or delete it, first.`,
      );
    }
    await endAssignmentsWithin(tx, record, scope);
    await removeScope(tx, record, scope);
    // What the caller was let in by may have reached the group from its parent alone.
    exchange.conclude();
    return group;
  });
}

async function endAssignmentsWithin(tx: Tx, record: Record, scope: string): Promise<void> {
  const from = scope;
  const to = `${scope}0`;
  const grants = await tx
    .selectFrom('role_assignments')
    .selectAll()
    .where('scope', '>=', from)
    .where('scope', '<', to)
    .execute();
  for (const row of grants) {
    if (isWithin(row.scope, scope)) await deleteRoleAssignment(tx, record, parseRoleAssignment(row));
  }
  const denials = await tx
    .selectFrom('deny_assignments')
    .selectAll()
    .where('scope', '>=', from)
    .where('scope', '<', to)
    .execute();
  for (const row of denials) {
    if (isWithin(row.scope, scope)) await deleteDenyAssignment(tx, record, parseDenyAssignment(row));
  }
}

/** As the transaction sees it, whatever has been committed since the request began. */
async function hierarchyIn(tx: Tx, { tenantId }: ManagementGroupParts): Promise<Hierarchy> {
  return new Hierarchy(await loadPlacements(tx), tenantId);
}

function requireDepth(hierarchy: Hierarchy, parent: string, levels: number): void {
  if (hierarchy.above(parent).length + levels <= mostLevels) return;
  throw refusal(
    'invalid_request',
    'ExceededMaximumDepth',
    `Management groups nest ${mostLevels} levels deep beneath the root, and this would be deeper.`,
  );
}

function ring({ scope, target }: Move): Error {
  return refusal(
    'invalid_request',
    'InvalidParent',
    `'${nameOf(scope)}' cannot be put beneath '${nameOf(target)}', which is itself beneath it.`,
  );
}

function changedMeanwhile(scope: string): Error {
  return refusal(
    'conflict',
    'ManagementGroupChanged',
    `What bears on '${nameOf(scope)}' was changed while this was decided; look at it, and try again.`,
  );
}
