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
import { everyone, PolicySnapshot, type PolicyRows } from '../policy/snapshot.ts';
import { runs } from '../policy/testing/runs.ts';
import type { Change, Tx } from '../store/changes.ts';
import { putDenyAssignment } from '../store/deny-assignments.ts';
import { loadPolicyAt } from '../store/policy-at.ts';
import { loadPolicyRows } from '../store/policy-rows.ts';
import { deleteRoleAssignment, parseRoleAssignment, putRoleAssignment } from '../store/role-assignments.ts';
import { putRoleDefinition } from '../store/role-definitions.ts';
import { openSqliteStore, type Store } from '../store/sqlite.ts';
import { lastOwnerGuard } from './last-owner.ts';

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

type World = typeof worlds extends fc.Arbitrary<infer Value> ? Value : never;

test('the policy for one principal says of them what the policy for all holders says', async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const store = await storeOf(world);
      const told = await store.db.transaction().execute(async (tx) => {
        const at = { scopes, placements: [], matters: isAdministrative };
        const all = await loadPolicyAt(tx, { ...at, only: null });
        const each = await Promise.all(people.map((id) => loadPolicyAt(tx, { ...at, only: [id] })));
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

/** The world in a store of its own. */
async function storeOf(world: World): Promise<Store> {
  const store = await openSqliteStore({ path: ':memory:' });
  await store.db.transaction().execute(async (tx) => {
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
  });
  return store;
}

/** Takes a role assignment away. */
async function taken(tx: Tx, id: string): Promise<Change[]> {
  const row = await tx
    .selectFrom('role_assignments')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  const changes: Change[] = [];
  await deleteRoleAssignment(tx, (change) => changes.push(change), parseRoleAssignment(row));
  return changes;
}

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

test('what is taken away is refused exactly where nobody who can come in holds a post any more', async () => {
  let refused = 0;
  let passed = 0;
  await fc.assert(
    fc.asyncProperty(
      worlds,
      fc.nat(),
      fc.subarray(people, { minLength: 1 }),
      fc.boolean(),
      async (world, which, reachable, isWarm) => {
        if (world.grants.length === 0) return;
        const store = await storeOf(world);
        for (const scope of scopes.slice(1)) {
          await store.db
            .insertInto('scope_placements')
            .values({ scope, parent: null, display_name: '', created_at: 0 })
            .execute();
        }
        const guard = lastOwnerGuard({
          snapshot: PolicySnapshot.from(await loadPolicyRows(store.db)),
          reachable: async (_tx, { id }) => Promise.resolve(reachable.includes(id)),
        });
        const posts = [
          ...scopes.map((scope) => ({ scope, actions: administration })),
          ...world.denials.map(({ scope }) => ({ scope, actions: [liftsDenials] })),
        ];
        const holders = async (tx: Tx) => {
          const at = { scopes, placements: [], matters: isAdministrative, only: null };
          const policy = unconditionally(await loadPolicyAt(tx, at));
          return posts.map((post) => people.filter((id) => holds(policy, id, post)));
        };
        const undone = new Error('undone');
        const inTransaction = async (act: (tx: Tx) => Promise<void>): Promise<void> => {
          const run = store.db.transaction().execute(async (tx) => {
            await act(tx);
            throw undone;
          });
          await expect(run).rejects.toBe(undone);
        };
        const id = ids('3', world.grants.length)[which % world.grants.length] ?? '';
        // What was found by transactions before may be of use, or not.
        if (isWarm) {
          const other = ids('3', world.grants.length)[(which + 1) % world.grants.length] ?? '';
          await inTransaction(async (tx) => {
            await guard(tx, await taken(tx, other)).catch(() => undefined);
          });
        }
        await inTransaction(async (tx) => {
          const before = await holders(tx);
          const changes = await taken(tx, id);
          const after = await holders(tx);
          const isLocked = posts.some(
            (_post, i) =>
              !(after[i] ?? []).some((one) => reachable.includes(one)) &&
              (before[i] ?? []).some((one) => !(after[i] ?? []).includes(one)),
          );
          const answer = guard(tx, changes);
          if (isLocked) await expect(answer).rejects.toMatchObject({ code: 'last_owner' });
          else await expect(answer).resolves.toBeUndefined();
          if (isLocked) refused += 1;
          else passed += 1;
        });
        await store.close();
      },
    ),
    { seed: 20_261_126, numRuns: runs(60) },
  );
  // Both came about.
  expect(Math.min(refused, passed)).toBeGreaterThan(5);
});

test('who holds the root stands for what is beneath it, but where they are denied it', async () => {
  const [ada, bob] = people;
  if (ada === undefined || bob === undefined) throw new Error('nobody is there');
  for (const isDenied of [true, false]) {
    const store = await storeOf({
      disabled: [],
      members: [],
      grants: [
        ['/', roleIds.owner, ada],
        ['/subscriptions/s', roleIds.owner, bob],
      ],
      denials: isDenied ? [{ scope: '/subscriptions/s', principals: [ada], excludePrincipals: [] }] : [],
    });
    const guard = lastOwnerGuard({
      snapshot: PolicySnapshot.from(await loadPolicyRows(store.db)),
      reachable: () => Promise.resolve(true),
    });
    const given = ids('3', 2)[1] ?? '';
    const take = store.db.transaction().execute(async (tx) => guard(tx, await taken(tx, given)));
    if (isDenied) await expect(take).rejects.toMatchObject({ code: 'last_owner' });
    else await expect(take).resolves.toBeUndefined();
    await store.close();
  }
});
