import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../../lib/ids.ts';
import { builtInRoles } from '../built-in-roles.ts';
import { compileCondition } from '../conditions/compile.ts';
import { decide } from '../decide.ts';
import { PolicySnapshot, type PolicyRows } from '../snapshot.ts';
import { CedarOracle } from '../testing/cedar-oracle.ts';
import { assignment, researchers, rows, workspace } from '../testing/people.ts';
import { referenceDecide } from '../testing/reference-evaluator.ts';
import { runs } from '../testing/runs.ts';
import { accesses, groups, users } from '../testing/world.ts';
import { deniedHistories, small, worldAfter } from '../testing/worlds.ts';
import { policyIdOf, type Access } from '../types.ts';
import { cedarCondition } from './condition.ts';

const principals = [...users, ...groups.slice(0, 1), 'nobody' as PrincipalId];
const asked = (many: number): fc.Arbitrary<Access[]> =>
  // The scope in normal form, as whoever asks has to give it; and one place, which is what Cedar is asked about.
  fc.array(
    accesses.map((access) => {
      const { subtree: _, ...one } = access;
      return { ...one, scope: one.scope.toLowerCase() };
    }),
    { minLength: many, maxLength: many },
  );
/** Long enough for a machine that is busy; to make a failing case smaller may take as long again. */
const patience = runs(120_000);

describe('Cedar, asked about the export', () => {
  test(
    'decides as the engine does, and for the policy that the engine names',
    { timeout: patience * 2 },
    () => {
      const counted = { checks: 0, allowed: 0, denied: 0, conditions: 0 };
      fc.assert(
        fc.property(deniedHistories, asked(8), (history, questions) => {
          const rows = expressible(worldAfter(history));
          const snapshot = PolicySnapshot.from(rows, small);
          const cedar = new CedarOracle(rows, questions);
          counted.conditions += conditionsIn(rows);
          for (const principal of principals) {
            for (const access of questions) {
              const { allowed, cause } = decide(snapshot, principal, access);
              const answer = cedar.decide(principal, access);
              counted.checks++;
              if (allowed) counted.allowed++;
              if (cause.kind === 'deny-assignment') counted.denied++;
              const policyId = policyIdOf(cause);
              const named =
                cause.kind === 'missing-grant'
                  ? answer.policyIds.length === 0
                  : answer.policyIds.includes(policyId);
              if (answer.allowed === allowed && named) continue;
              expect({ principal, access, ...answer }).toEqual({
                principal,
                access,
                allowed,
                policyIds: [policyId],
              });
            }
          }
        }),
        { seed: 20_261_125, numRuns: runs(60), interruptAfterTimeLimit: patience },
      );
      // The worlds are no deserts: grants, denies and conditions all decide.
      expect(counted.allowed).toBeGreaterThan(counted.checks / 40);
      expect(counted.denied).toBeGreaterThan(counted.checks / 20);
      expect(counted.conditions).toBeGreaterThan(counted.checks / 100);
    },
  );

  test(
    'never allows what Lockstep denies, where a condition could not be said in Cedar',
    { timeout: patience },
    () => {
      let inexact = 0;
      fc.assert(
        fc.property(deniedHistories, asked(4), (history, questions) => {
          const rows = worldAfter(history);
          const cedar = new CedarOracle(rows, questions);
          if (!cedar.exported.notes.some(({ kind }) => kind === 'not-expressible')) return;
          inexact++;
          for (const principal of principals) {
            for (const access of questions) {
              if (!cedar.decide(principal, access).allowed) continue;
              expect(referenceDecide(rows, principal, access).allowed).toBe(true);
            }
          }
        }),
        { seed: 20_261_125, numRuns: runs(20), interruptAfterTimeLimit: patience },
      );
      expect(inexact).toBeGreaterThan(0);
    },
  );
});

describe('the export', () => {
  test('is valid by its own schema, whatever the policy', () => {
    fc.assert(
      fc.property(deniedHistories, asked(2), (history, questions) => {
        expect(new CedarOracle(worldAfter(history), questions).problems()).toEqual([]);
      }),
      { seed: 20_261_125, numRuns: runs(4) },
    );
  });

  test('is valid for the roles that Lockstep ships', () => {
    const roleAssignments = builtInRoles.map(({ id }, i) => assignment(i, workspace, id, researchers));
    const cedar = new CedarOracle({ ...rows, roleAssignments }, []);
    expect(cedar.exported.policies).toHaveLength(builtInRoles.length + 2);
    expect(cedar.problems()).toEqual([]);
  });
});

/** Without the conditions that Cedar has no words for; those that are no condition at all stay. */
function expressible(rows: PolicyRows): PolicyRows {
  const kept = <T extends { readonly condition?: string | null }>(row: T): T =>
    canBeSaid(row.condition ?? '') ? row : { ...row, condition: null };
  const permissions = <
    T extends { readonly permissions: PolicyRows['roleDefinitions'][number]['permissions'] },
  >(
    row: T,
  ): T => ({ ...row, permissions: row.permissions.map(kept) });
  return {
    ...rows,
    roleAssignments: rows.roleAssignments.map(kept),
    denyAssignments: rows.denyAssignments.map(kept).map(permissions),
    roleDefinitions: rows.roleDefinitions.map(permissions),
  };
}

function canBeSaid(text: string): boolean {
  const compiled = compileCondition(text);
  return compiled.kind === 'error' || cedarCondition(compiled.condition.tree, () => 'true').kind === 'ok';
}

function conditionsIn(rows: PolicyRows): number {
  return [...rows.roleAssignments, ...rows.denyAssignments].filter(({ condition }) => condition).length;
}
