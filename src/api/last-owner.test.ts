import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PrincipalId } from '../lib/ids.ts';
import {
  administration,
  holds,
  isAdministrative,
  liftsDenials,
  unconditionally,
} from '../policy/administrators.ts';
import { builtInRoles, roleIds } from '../policy/built-in-roles.ts';
import { everyone, type PolicyRows } from '../policy/snapshot.ts';
import { runs } from '../policy/testing/runs.ts';
import { putDenyAssignment } from '../store/deny-assignments.ts';
import { loadPolicyAt } from '../store/policy-at.ts';
import { putRoleAssignment } from '../store/role-assignments.ts';
import { putRoleDefinition } from '../store/role-definitions.ts';
import { openSqliteStore } from '../store/sqlite.ts';

const people = ids('1', 4);
const teams = ids('2', 4);
const scopes = ['/', '/subscriptions/s', '/subscriptions/t'];
const roles: readonly string[] = [roleIds.owner, roleIds.contributor, roleIds.reader];
const anyone = fc.constantFrom(...people, ...teams);

const worlds = fc.record({
  disabled: fc.subarray([...people, ...teams], { maxLength: 2 }),
  members: fc.uniqueArray(fc.tuple(fc.constantFrom(...teams), anyone), { maxLength: 10, selector: String }),
  grants: fc.uniqueArray(fc.tuple(fc.constantFrom(...scopes), fc.constantFrom(...roles), anyone), {
    maxLength: 8,
    selector: String,
  }),
  denials: fc.array(
    fc.record({
      scope: fc.constantFrom(...scopes),
      principals: fc.uniqueArray(fc.oneof(anyone, fc.constant(everyone as PrincipalId)), {
        minLength: 1,
        maxLength: 2,
      }),
      excludePrincipals: fc.uniqueArray(anyone, { maxLength: 2 }),
    }),
    { maxLength: 3 },
  ),
});

test('the policy for one principal says of them what the policy for all holders says', async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const store = await openSqliteStore({ path: ':memory:' });
      const told = await store.db.transaction().execute(async (tx) => {
        for (const id of [...people, ...teams]) {
          await tx
            .insertInto('principals')
            .values({
              id,
              kind: teams.includes(id) ? 'group' : 'user',
              display_name: '',
              enabled: world.disabled.includes(id) ? 0 : 1,
              sponsor_id: null,
              sign_in_name: null,
              security_attributes_json: '{}',
              created_at: 0,
            })
            .execute();
        }
        for (const [group_id, member_id] of world.members) {
          await tx.insertInto('group_members').values({ group_id, member_id }).execute();
        }
        for (const role of builtInRoles.filter(({ id }) => roles.includes(id)))
          await putRoleDefinition(tx, () => {}, role, 0);
        for (const [i, [scope, roleDefinitionId, principalId]] of world.grants.entries()) {
          const id = ids('3', i + 1)[i] ?? '';
          const written = { description: '', createdOn: '2026-01-01T00:00:00Z', createdBy: '' };
          await putRoleAssignment(tx, () => {}, {
            ...written,
            id,
            scope,
            roleDefinitionId,
            principalId,
            principalType: 'User',
          });
        }
        for (const [i, denial] of world.denials.entries()) {
          await putDenyAssignment(tx, () => {}, {
            ...denial,
            id: ids('4', i + 1)[i] ?? '',
            name: 'deny',
            description: '',
            permissions: [{ actions: ['*/delete'], notActions: [], dataActions: [], notDataActions: [] }],
            doNotApplyToChildScopes: false,
          });
        }
        const all = await loadPolicyAt(tx, scopes, isAdministrative);
        const each = await Promise.all(people.map((id) => loadPolicyAt(tx, scopes, isAdministrative, [id])));
        return { all, each };
      });
      await store.close();
      for (const [i, id] of people.entries()) {
        expect(heldBy(told.each[i] ?? told.all, id)).toEqual(heldBy(told.all, id));
      }
    }),
    { seed: 20_261_125, numRuns: runs(30) },
  );
});

function heldBy(rows: PolicyRows, id: PrincipalId): boolean[] {
  const policy = unconditionally(rows);
  return scopes.flatMap((scope) =>
    [administration, [liftsDenials], ['Microsoft.Authorization/roleAssignments/write']].map((actions) =>
      holds(policy, id, { scope, actions }),
    ),
  );
}

function ids(kind: string, count: number): PrincipalId[] {
  return Array.from(
    { length: count },
    (_, i) => `${kind.repeat(8)}-0000-4000-8000-${String(i).padStart(12, '0')}` as PrincipalId,
  );
}
