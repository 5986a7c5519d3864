import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../lib/ids.ts';
import type { Permission } from '../store/changes.ts';
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
  test('agree on the decision and on the policy named, after every single change', () => {
    let checks = 0;
    let allowed = 0;
    let denied = 0;
    fc.assert(
      fc.property(histories, questions, (history, asked) => {
        let rows = firstWorld;
        const snapshot = PolicySnapshot.from(rows);
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
      { seed, numRuns: 80 },
    );
    expect(checks).toBeGreaterThan(20_000);
    expect(allowed).toBeGreaterThan(checks / 20);
    expect(denied).toBeGreaterThan(checks / 100);
  });

  test('agree in worlds where one scope holds enough assignments to be indexed', () => {
    fc.assert(
      fc.property(histories, questions, fc.constantFrom(...scopes), (history, asked, crowded) => {
        let rows = worldAfter(history);
        const snapshot = PolicySnapshot.from(rows);
        for (let i = 0; i < 40; i++) {
          const pattern = rows.roleAssignments[i % Math.max(1, rows.roleAssignments.length)];
          if (!pattern) return;
          const holders = [...users, ...groups];
          const holder = holders[i % holders.length] ?? pattern.principalId;
          const change: PolicyChange = {
            kind: 'role-assignment.put',
            assignment: { ...pattern, id: `crowd-${(i * 7) % 40}`, scope: crowded, principalId: holder },
          };
          rows = changedRows(rows, change, 1_000 + i);
          snapshot.apply({ sequence: 1_000 + i, change });
        }
        for (let i = 0; i < 40; i += 3) {
          const assignment = rows.roleAssignments.find((row) => row.id === `crowd-${i}`);
          if (!assignment) continue;
          const change: PolicyChange = { kind: 'role-assignment.deleted', assignment };
          rows = changedRows(rows, change, 2_000 + i);
          snapshot.apply({ sequence: 2_000 + i, change });
          expectAgreement(snapshot, rows, asked);
        }
      }),
      { seed, numRuns: 40 },
    );
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
        expect(grown.scopes.size).toBe(built.scopes.size);
        expect(grown.graph.size).toBe(built.graph.size);
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
    lawful((rows, asked) => {
      const reversed: PolicyRows = {
        ...rows,
        principals: rows.principals.toReversed(),
        memberships: rows.memberships.toReversed(),
        roleDefinitions: rows.roleDefinitions.toReversed(),
        roleAssignments: rows.roleAssignments.toReversed(),
        denyAssignments: rows.denyAssignments.toReversed(),
      };
      expect(answers(reversed, asked)).toEqual(answers(rows, asked));
    });
  });
});

describe('laws', () => {
  test('one more role assignment never takes access away', () => {
    lawful((rows, asked) => {
      const pattern = rows.roleAssignments[0];
      if (!pattern) return;
      for (const scope of scopes) {
        const more = {
          ...rows,
          roleAssignments: [...rows.roleAssignments, { ...pattern, id: 'more', scope }],
        };
        for (const [i, verdict] of answers(rows, asked).entries()) {
          if (verdict.allowed) expect(answers(more, asked)[i]?.allowed).toBe(true);
        }
      }
    });
  });

  test('one more deny assignment never adds access', () => {
    lawful((rows, asked) => {
      const everything: Permission = { actions: ['*'], notActions: [], dataActions: [], notDataActions: [] };
      const more: PolicyRows = {
        ...rows,
        denyAssignments: [
          ...rows.denyAssignments,
          {
            id: 'more',
            name: 'more',
            description: '',
            scope: '/a/b',
            permissions: [everything],
            doNotApplyToChildScopes: false,
            principals: groups,
            excludePrincipals: [],
          },
        ],
      };
      const before = answers(rows, asked);
      for (const [i, verdict] of answers(more, asked).entries()) {
        if (verdict.allowed) expect(before[i]?.allowed).toBe(true);
      }
    });
  });

  test('a decision for a scope is at least as open at everything beneath it when nothing is denied', () => {
    lawful((rows, asked) => {
      const snapshot = PolicySnapshot.from({ ...rows, denyAssignments: [] });
      for (const user of users) {
        for (const access of asked) {
          if (!decide(snapshot, user, access).allowed) continue;
          const scope = `${access.scope === '/' ? '' : access.scope}/beneath/it`;
          expect(decide(snapshot, user, { ...access, scope }).allowed).toBe(true);
        }
      }
    });
  });

  test('flattening nested groups changes no decision', () => {
    lawful((rows, asked) => {
      const snapshot = PolicySnapshot.from(rows);
      const disabled = rows.principals.some((row) => row.kind === 'group' && !row.enabled);
      if (disabled || rows.principals.length < users.length + groups.length) return;
      const flat: PolicyRows = {
        ...rows,
        memberships: users.flatMap((member) =>
          snapshot
            .identitiesOf(member)
            .filter((id) => id !== member)
            .map((group) => ({ group, member })),
        ),
      };
      expect(answers(flat, asked)).toEqual(answers(rows, asked));
    });
  });

  test('case of actions and scopes changes nothing', () => {
    lawful((rows, asked) => {
      const loud = asked.map((access) => ({
        ...access,
        action: access.action.toUpperCase(),
        scope: access.scope.toUpperCase(),
      }));
      expect(answers(rows, loud)).toEqual(answers(rows, asked));
    });
  });

  test('without the deny assignment that is named, the outcome changes or another one is named', () => {
    lawful((rows, asked) => {
      const snapshot = PolicySnapshot.from(rows);
      for (const user of users) {
        for (const access of asked) {
          const { cause } = decide(snapshot, user, access);
          if (cause.kind !== 'deny-assignment') continue;
          const fewer = {
            ...rows,
            denyAssignments: rows.denyAssignments.filter((row) => row.id !== cause.id),
          };
          expect(decide(PolicySnapshot.from(fewer), user, access).cause).not.toEqual(cause);
        }
      }
    });
  });
});

function lawful(law: (rows: PolicyRows, asked: readonly Access[]) => void): void {
  fc.assert(
    fc.property(histories, questions, (history, asked) => {
      law(worldAfter(history), asked);
    }),
    { seed, numRuns: 60 },
  );
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

function expectAgreement(snapshot: PolicySnapshot, rows: PolicyRows, asked: readonly Access[]): void {
  for (const user of users) {
    for (const access of asked) {
      expect(named(decide(snapshot, user, access))).toEqual(referenceDecide(rows, user, access));
    }
  }
}

function named({ allowed, cause }: Verdict): { allowed: boolean; reason: string; policyId: string | null } {
  return { allowed, reason: cause.kind, policyId: 'id' in cause ? cause.id : null };
}
