import { expect, test } from 'vitest';
import { roleIds } from './built-in-roles.ts';
import { holdsRoleTouching, holdsRoleWithin } from './holds-role-within.ts';
import { PolicySnapshot } from './snapshot.ts';
import { ada, assignment, cleo, group, rows, subscription, visionTeam, workspace } from './testing/people.ts';

test.each([
  ['above', subscription, false, true],
  ['at', group, true, true],
  ['beneath', workspace, true, true],
  ['beside', `${group}2`, false, false],
])(
  'a role %s the scope, held through a group, is within it or touches it as the case may be',
  (_, at, within, touches) => {
    const roleAssignments = [assignment(1, at, roleIds.reader, visionTeam)];
    const snapshot = PolicySnapshot.from({ ...rows, roleAssignments });
    expect([holdsRoleWithin(snapshot, ada, group), holdsRoleTouching(snapshot, ada, group)]).toEqual([
      within,
      touches,
    ]);
    expect(holdsRoleTouching(snapshot, cleo, group)).toBe(false);
  },
);
