import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../lib/ids.ts';
import type { Permission, RoleAssignment } from '../store/changes.ts';
import { decide } from './decide.ts';
import { PolicySnapshot, type PolicyRows } from './snapshot.ts';
import { referenceDecide } from './testing/reference-evaluator.ts';
import {
  accesses,
  changedRows,
  changes,
  firstWorld,
  groups,
  scopes,
  users,
  type PolicyChange,
} from './testing/world.ts';
import type { Access, Verdict } from './types.ts';

const seed = 20_261_122;
const histories = fc.array(changes, { minLength: 25, maxLength: 60 });
const questions = fc.array(accesses, { minLength: 3, maxLength: 3 });

describe('the engine and the reference evaluator', () => {
  test.each([
    ['as shipped', {}],
    ['on compiled rights alone', { compileAfter: 1, cachedDecisions: 1 }],
    ['on rights that are compiled in little room', { compileAfter: 1, rightsBytes: 4_096 }],
    ["on each one's own assignments alone", { compileAfter: 1_000, cachedDecisions: 1 }],
  ])('agree on the decision and on the policy named, after every single change, %s', (_, options) => {
    let checks = 0;
    let allowed = 0;
    let denied = 0;
    fc.assert(
      fc.property(histories, questions, (history, asked) => {
        let rows = firstWorld;
        const snapshot = PolicySnapshot.from(rows, options);
        for (const [i, change] of history.entries()) {
          rows = changedRows(rows, change, i + 1);
          snapshot.apply({ sequence: i + 1, change });
          for (const user of users) {
            for (const access of asked) {
              const answer = named(decide(snapshot, user, access));
              expect(answer).toEqual(referenceDecide(rows, user, access));
              checks++;
              if (answer.allowed) allowed++;
              if (answer.reason === 'deny-assignment') denied++;
            }
          }
        }
      }),
      { seed, numRuns: 40 },
    );
    expect(checks).toBeGreaterThan(10_000);
    expect(allowed).toBeGreaterThan(checks / 20);
    expect(denied).toBeGreaterThan(checks / 100);
  });

  test.each([40, 2_101])('agree in worlds where one scope holds %i assignments more', (crowd) => {
    let checks = 0;
    fc.assert(
      fc.property(histories, questions, fc.constantFrom(...scopes), (history, asked, crowded) => {
        let rows = worldAfter(history);
        const snapshot = PolicySnapshot.from(rows, { compileAfter: crowd > 1_000 ? 1 : 2 });
        const apply = (change: PolicyChange, version: number): void => {
          rows = changedRows(rows, change, version);
          snapshot.apply({ sequence: version, change });
        };
        const [pattern] = rows.roleAssignments;
        if (!pattern) return;
        const holders = [...users, ...groups];
        const added: RoleAssignment[] = Array.from({ length: crowd }, (_, i) => ({
          ...pattern,
          id: `crowd-${(i * 7) % crowd}`,
          scope: crowded,
          roleDefinitionId: rows.roleDefinitions[i % rows.roleDefinitions.length]?.id ?? '',
          principalId: holders[i % holders.length] ?? pattern.principalId,
        }));
        rows = { ...rows, roleAssignments: [...rows.roleAssignments, ...added] };
        for (const [i, assignment] of added.entries()) {
          snapshot.apply({ sequence: 1_000 + i, change: { kind: 'role-assignment.put', assignment } });
        }
        for (let i = 0; i < 40; i += 3) {
          const assignment = added[(i * 11) % crowd];
          if (assignment) apply({ kind: 'role-assignment.deleted', assignment }, 10_000 + i);
          for (const user of users) {
            for (const access of asked) {
              expect(named(decide(snapshot, user, access))).toEqual(referenceDecide(rows, user, access));
              checks++;
            }
          }
        }
      }),
      { seed, numRuns: crowd > 1_000 ? 2 : 30 },
    );
    expect(checks).toBeGreaterThan(100);
  });
});

describe('a snapshot changed step by step', () => {
  test('equals one built anew from the rows', () => {
    fc.assert(
      fc.property(histories, questions, (history, asked) => {
        const grown = PolicySnapshot.from(firstWorld);
        for (const [i, change] of history.entries()) grown.apply({ sequence: i + 1, change });
        const rows = worldAfter(history);
        const built = PolicySnapshot.from(rows);
        expect(grown.version).toBe(built.version);
        expect(grown.size).toEqual(built.size);
        for (const user of users) {
          expect(new Set(grown.identitiesOf(user))).toEqual(new Set(built.identitiesOf(user)));
          for (const access of asked)
            expect(decide(grown, user, access)).toEqual(decide(built, user, access));
        }
      }),
      { seed, numRuns: 100 },
    );
  });

  test('is the same whatever the order of the rows it was built from', () => {
    const result = check((rows, asked) => {
      const reversed: PolicyRows = {
        ...rows,
        principals: rows.principals.toReversed(),
        memberships: rows.memberships.toReversed(),
        roleDefinitions: rows.roleDefinitions.toReversed(),
        roleAssignments: rows.roleAssignments.toReversed(),
        denyAssignments: rows.denyAssignments.toReversed(),
      };
      return same(answers(reversed, asked), answers(rows, asked));
    });
    expect(result).toMatchObject({ failed: false });
  });
});

describe('laws', () => {
  test('one more role assignment never takes access away', () => {
    const result = check((rows, asked) => {
      const pattern = rows.roleAssignments[0];
      if (!pattern) return true;
      const before = answers(rows, asked);
      return scopes.every((scope) => {
        const roleAssignments = [...rows.roleAssignments, { ...pattern, id: 'more', scope }];
        const after = answers({ ...rows, roleAssignments }, asked);
        return before.every(({ allowed }, i) => !allowed || after[i]?.allowed);
      });
    });
    expect(result).toMatchObject({ failed: false });
  });

  test('one more deny assignment never adds access', () => {
    const everything: Permission = { actions: ['*'], notActions: [], dataActions: [], notDataActions: [] };
    const result = check((rows, asked) => {
      const deny = {
        id: 'more',
        name: 'more',
        description: '',
        scope: '/a/b',
        permissions: [everything],
        doNotApplyToChildScopes: false,
        principals: groups,
        excludePrincipals: [],
      };
      const before = answers(rows, asked);
      const after = answers({ ...rows, denyAssignments: [...rows.denyAssignments, deny] }, asked);
      return after.every(({ allowed }, i) => !allowed || before[i]?.allowed);
    });
    expect(result).toMatchObject({ failed: false });
  });

  test('what is allowed at a scope is allowed at everything beneath it when nothing is denied', () => {
    const result = check((rows, asked) => {
      const free = { ...rows, denyAssignments: [] };
      const beneath = asked.map((access) => ({
        ...access,
        scope: `${access.scope === '/' ? '' : access.scope}/beneath/it`,
      }));
      const below = answers(free, beneath);
      return answers(free, asked).every(({ allowed }, i) => !allowed || below[i]?.allowed);
    });
    expect(result).toMatchObject({ failed: false });
  });

  test('flattening nested groups changes no decision', () => {
    const result = check((rows, asked) => {
      const whole = rows.principals.length === users.length + groups.length;
      if (!whole || rows.principals.some((row) => row.kind === 'group' && !row.enabled)) return true;
      const snapshot = PolicySnapshot.from(rows);
      const memberships = users.flatMap((member) =>
        snapshot
          .identitiesOf(member)
          .filter((id) => id !== member)
          .map((group) => ({ group, member })),
      );
      return same(answers({ ...rows, memberships }, asked), answers(rows, asked));
    });
    expect(result).toMatchObject({ failed: false });
  });

  test('case of actions and scopes changes nothing', () => {
    const result = check((rows, asked) => {
      const loud = asked.map((access) => ({
        ...access,
        action: access.action.toUpperCase(),
        scope: access.scope.toUpperCase(),
      }));
      return same(answers(rows, loud), answers(rows, asked));
    });
    expect(result).toMatchObject({ failed: false });
  });

  test('without the deny assignment that is named, the outcome changes or another one is named', () => {
    const result = check((rows, asked) =>
      answers(rows, asked).every(({ cause }, i) => {
        if (cause.kind !== 'deny-assignment') return true;
        const denyAssignments = rows.denyAssignments.filter((row) => row.id !== cause.id);
        return !same([answers({ ...rows, denyAssignments }, asked)[i]?.cause], [cause]);
      }),
    );
    expect(result).toMatchObject({ failed: false });
  });
});

function check(law: (rows: PolicyRows, asked: readonly Access[]) => boolean): { readonly failed: boolean } {
  return fc.check(
    fc.property(histories, questions, (history, asked) => law(worldAfter(history), asked)),
    { seed, numRuns: 60 },
  );
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function worldAfter(history: readonly PolicyChange[]): PolicyRows {
  let rows = firstWorld;
  for (const [i, change] of history.entries()) rows = changedRows(rows, change, i + 1);
  return rows;
}

function answers(rows: PolicyRows, asked: readonly Access[]): Verdict[] {
  const snapshot = PolicySnapshot.from(rows);
  return users.flatMap((user: PrincipalId) => asked.map((access) => decide(snapshot, user, access)));
}

function named({ allowed, cause }: Verdict): { allowed: boolean; reason: string; policyId: string | null } {
  return { allowed, reason: cause.kind, policyId: 'id' in cause ? cause.id : null };
}
