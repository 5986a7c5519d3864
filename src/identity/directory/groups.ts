import { failure } from '../../lib/errors.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Attribution, PrincipalRecord, Tx } from '../../store/changes.ts';
import { displayNameOf } from './names.ts';
import {
  findPrincipal,
  insertPrincipal,
  newPrincipalId,
  principalColumns,
  requirePrincipal,
  toPrincipal,
  type DirectoryParts,
} from './principals.ts';

export interface NewGroup {
  readonly id?: string;
  readonly displayName: string;
}

export async function createGroup(
  parts: DirectoryParts,
  by: Attribution,
  group: NewGroup,
): Promise<PrincipalRecord> {
  const displayName = displayNameOf(group.displayName);
  const id = newPrincipalId(group.id);
  return parts.commit(by, async (tx, record) =>
    insertPrincipal(tx, record, parts.clock.now(), {
      id,
      kind: 'group',
      displayName,
      enabled: true,
      sponsorId: null,
      signInName: null,
    }),
  );
}

/** Adds a member; no change if it is one already. Throws `conflict` when a group would come to contain itself. */
export async function addMember(
  parts: DirectoryParts,
  by: Attribution,
  groupId: PrincipalId,
  memberId: PrincipalId,
): Promise<void> {
  await parts.commit(by, async (tx, record) => {
    const group = await requirePrincipal(tx, groupId, ['group']);
    const member = await requirePrincipal(tx, memberId);
    if (member.kind === 'group' && (await contains(tx, member.id, group.id)))
      throw failure(
        'conflict',
        `${group.displayName} lies within ${member.displayName}, so ${member.displayName} cannot become its member.`,
      );
    const inserted = await tx
      .insertInto('group_members')
      .values({ group_id: group.id, member_id: member.id })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (inserted.numInsertedOrUpdatedRows === 0n) return;
    record({ kind: 'group.member-added', group: group.id, member: member.id, memberKind: member.kind });
  });
}

/** Removes a direct member. Throws `not_found` if it is none. */
export async function removeMember(
  parts: DirectoryParts,
  by: Attribution,
  groupId: PrincipalId,
  memberId: PrincipalId,
): Promise<void> {
  await parts.commit(by, async (tx, record) => {
    const group = await requirePrincipal(tx, groupId, ['group']);
    const member = await findPrincipal(tx, memberId);
    const removed = await tx
      .deleteFrom('group_members')
      .where('group_id', '=', group.id)
      .where('member_id', '=', memberId)
      .executeTakeFirst();
    if (removed.numDeletedRows === 0n)
      throw failure('not_found', `${memberId} is not a direct member of ${group.displayName}.`);
    record({
      kind: 'group.member-removed',
      group: group.id,
      member: memberId,
      ...(member === null ? {} : { memberKind: member.kind }),
    });
  });
}

export async function listGroups(parts: DirectoryParts): Promise<PrincipalRecord[]> {
  const rows = await parts.db
    .selectFrom('principals')
    .select(principalColumns)
    .where('kind', '=', 'group')
    .orderBy('display_name')
    .execute();
  return rows.map(toPrincipal);
}

/** The direct members. Throws `not_found` for what is not a group. */
export async function membersOf(parts: DirectoryParts, groupId: PrincipalId): Promise<PrincipalRecord[]> {
  const group = await requirePrincipal(parts.db, groupId, ['group']);
  const rows = await parts.db
    .selectFrom('group_members')
    .innerJoin('principals', 'principals.id', 'group_members.member_id')
    .select(principalColumns)
    .where('group_members.group_id', '=', group.id)
    .orderBy('principals.display_name')
    .execute();
  return rows.map(toPrincipal);
}

/** Whether `inner` is `outer` or lies within it, at any depth. */
async function contains(tx: Tx, outer: PrincipalId, inner: PrincipalId): Promise<boolean> {
  if (outer === inner) return true;
  const row = await tx
    .withRecursive('within', (query) =>
      query
        .selectFrom('group_members')
        .select('member_id')
        .where('group_id', '=', outer)
        .union(
          query
            .selectFrom('group_members')
            .innerJoin('within', 'within.member_id', 'group_members.group_id')
            .select('group_members.member_id'),
        ),
    )
    .selectFrom('within')
    .select('member_id')
    .where('member_id', '=', inner)
    .executeTakeFirst();
  return row !== undefined;
}
