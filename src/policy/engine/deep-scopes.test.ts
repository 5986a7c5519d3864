import { describe, expect, test } from 'vitest';
import { decide, isAllowed } from '../decide.ts';
import { PolicySnapshot } from '../snapshot.ts';
import { ada, assignment, ben, group, rows } from '../testing/people.ts';
import { roleDefinition } from '../testing/world.ts';
import { small } from '../testing/worlds.ts';

describe('a right far above', () => {
  test('is found past more assigned scopes than a chain tells, whatever their numbers', () => {
    const read = { actions: ['N/t/read'], notActions: [], dataActions: [], notDataActions: [] };
    const role = roleDefinition('33333333-0000-4000-8000-000000000001', [read]);
    const levels = Array.from({ length: 10 }, (_, i) => `${group}${'/a'.repeat(i)}`);
    for (const [i, granted] of levels.entries()) {
      const snapshot = PolicySnapshot.from(
        {
          ...rows,
          denyAssignments: [],
          roleDefinitions: [role],
          // Others lie between, so that a scope's number does not tell what is above it.
          roleAssignments: [
            ...levels.flatMap((scope, j) => [
              assignment(j, scope, role.id, ben),
              assignment(50 + j, `/elsewhere/${j}/b`, role.id, ben),
            ]),
            assignment(99, granted, role.id, ada),
          ],
        },
        { ...small, compileAfter: 1 },
      );
      for (const [j, scope] of levels.entries()) {
        const access = { action: 'N/t/read', dataAction: false, scope };
        expect([i, j, decide(snapshot, ada, access).allowed]).toEqual([i, j, j >= i]);
        expect([i, j, isAllowed(snapshot, ada, access)]).toEqual([i, j, j >= i]);
      }
    }
  });
});
