import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PolicyChange, RoleAssignment } from '../store/changes.ts';
import { isAllowed } from './decide.ts';
import { PolicySnapshot } from './snapshot.ts';
import { changedRows } from './testing/changed-rows.ts';
import { decided } from './testing/decided.ts';
import { referenceDecide } from './testing/reference-evaluator.ts';
import { runs } from './testing/runs.ts';
import { groups, scopes, users } from './testing/world.ts';
import { histories, questions, worldAfter } from './testing/worlds.ts';

const room = { rightsBytes: 2 ** 22, maskBytes: 2 ** 22, cachedDecisions: 2 ** 12 };

describe('where one scope holds very many assignments', () => {
  test.each([
    [40, 12],
    [2_101, 2],
  ])('%i more, the engine and the reference evaluator agree', (crowd, usual) => {
    let checks = 0;
    fc.assert(
      fc.property(histories, questions, fc.constantFrom(...scopes), (history, asked, crowded) => {
        let rows = worldAfter(history);
        const [pattern] = rows.roleAssignments;
        if (!pattern) return;
        const snapshots = [
          { compileAfter: crowd > 1_000 ? 1 : 2 },
          { compileAfter: 1, cachedDecisions: 1 },
        ].map((options) => PolicySnapshot.from(rows, { ...room, ...options }));
        const apply = (change: PolicyChange, version: number): void => {
          rows = changedRows(rows, change, version);
          for (const snapshot of snapshots) {
            snapshot.apply({ sequence: version, previous: snapshot.version, change });
          }
        };
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
          const change = { kind: 'role-assignment.put', assignment } as const;
          for (const snapshot of snapshots) {
            snapshot.apply({ sequence: 1_000 + i, previous: snapshot.version, change });
          }
        }
        for (let i = 0; i < 40; i += 4) {
          const assignment = added[(i * 11) % crowd];
          if (assignment) apply({ kind: 'role-assignment.deleted', assignment }, 10_000 + i);
          for (const user of users) {
            for (const access of asked) {
              const expected = referenceDecide(rows, user, access);
              for (const snapshot of snapshots) {
                expect(decided(snapshot, user, access)).toEqual(expected);
                expect(isAllowed(snapshot, user, access)).toBe(expected.allowed);
              }
              checks++;
            }
          }
        }
      }),
      { seed: 20_261_122, numRuns: runs(usual) },
    );
    expect(checks).toBeGreaterThan(100);
  });
});
