import { describe, expect, test } from 'vitest';
import type { RoleDefinition } from '../../store/changes.ts';
import { decide, isAllowed } from '../decide.ts';
import { PolicySnapshot } from '../snapshot.ts';
import { ada, assignment, deny, group, rows } from '../testing/people.ts';
import { small } from '../testing/worlds.ts';
import type { Access } from '../types.ts';

/** Names that no catalogue has are numbered as they are met, so many at a time; then the numbers are used again. */
const numbered = 4_096;

const roleOf = (actions: readonly string[]): RoleDefinition => ({
  ...(rows.roleDefinitions[0] ?? expect.fail()),
  id: 'eeeeeeee-0000-4000-8000-000000000001',
  permissions: [{ actions, notActions: [], dataActions: [], notDataActions: [] }],
});

const asked = (name: string): Access => ({ action: name, dataAction: false, scope: group });

/** Each asked often enough for an outcome to be remembered and found again. */
function answersOf(snapshot: PolicySnapshot, name: (i: number) => string): Set<boolean> {
  const answers = new Set<boolean>();
  for (let i = 0; i < numbered; i++) {
    const access = asked(name(i));
    for (let again = 0; again < 3; again++) {
      answers.add(isAllowed(snapshot, ada, access));
      answers.add(decide(snapshot, ada, access).allowed);
    }
  }
  return answers;
}

const granted = (name: (i: number) => string) => (i: number) => `Contoso.Granted/${name(i)}`;
const other = (name: (i: number) => string) => (i: number) => `Contoso.Other/${name(i)}`;
const lower = (i: number) => `kind${i}/read`;
const mixed = (i: number) => `Kind${i}/Read`;

describe.each([
  ['as they are written in policies', lower],
  ['in another case', mixed],
])('more names of actions than are remembered, %s', (_, name) => {
  test.each([1, 1_000_000])(
    'are granted to nobody for those that had their numbers before',
    (compileAfter) => {
      const role = roleOf(['Contoso.Granted/*']);
      const world = {
        ...rows,
        roleDefinitions: [...rows.roleDefinitions, role],
        roleAssignments: [assignment(1, group, role.id, ada)],
      };
      const snapshot = PolicySnapshot.from(world, { ...small, compileAfter, cachedDecisions: 2 ** 14 });
      for (let round = 0; round < 2; round++) {
        expect(answersOf(snapshot, granted(name))).toEqual(new Set([true]));
        expect(answersOf(snapshot, other(name))).toEqual(new Set([false]));
      }
    },
  );

  test.each([1, 1_000_000])(
    'are denied to nobody for those that had their numbers before',
    (compileAfter) => {
      const role = roleOf(['*']);
      const permissions = [
        { actions: ['Contoso.Granted/*'], notActions: [], dataActions: [], notDataActions: [] },
      ];
      const world = {
        ...rows,
        roleDefinitions: [...rows.roleDefinitions, role],
        roleAssignments: [assignment(1, group, role.id, ada)],
        denyAssignments: [deny(1, { permissions })],
      };
      const snapshot = PolicySnapshot.from(world, { ...small, compileAfter, cachedDecisions: 2 ** 14 });
      for (let round = 0; round < 2; round++) {
        expect(answersOf(snapshot, granted(name))).toEqual(new Set([false]));
        expect(answersOf(snapshot, other(name))).toEqual(new Set([true]));
      }
    },
  );
});

test('a name that code begins to use is decided as it was from a request', () => {
  const role = roleOf(['Contoso.Granted/*']);
  const world = {
    ...rows,
    roleDefinitions: [...rows.roleDefinitions, role],
    roleAssignments: [assignment(1, group, role.id, ada)],
    denyAssignments: [
      deny(1, {
        permissions: [
          { actions: ['Contoso.Granted/not/*'], notActions: [], dataActions: [], notDataActions: [] },
        ],
      }),
    ],
  };
  const snapshot = PolicySnapshot.from(world, { ...small, compileAfter: 1 });
  const names = ['Contoso.Granted/a/read', 'Contoso.Granted/not/read', 'Contoso.Other/read'];
  const answers = () => names.map((name) => isAllowed(snapshot, ada, asked(name)));
  for (const name of names) {
    expect(answers()).toEqual([true, false, false]);
    snapshot.engine.actionHandle(name, false);
  }
  expect(answers()).toEqual([true, false, false]);
  expect(names.map((name) => decide(snapshot, ada, asked(name)).allowed)).toEqual([true, false, false]);
});
