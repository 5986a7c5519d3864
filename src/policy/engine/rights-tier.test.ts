import { describe, expect, test } from 'vitest';
import type { Permission } from '../../store/changes.ts';
import { decide, isAllowed } from '../decide.ts';
import { PolicySnapshot, type PolicyRows } from '../snapshot.ts';
import { decided } from '../testing/decided.ts';
import { dice } from '../testing/dice.ts';
import { rightsOf } from '../testing/engine-parts.ts';
import {
  ada,
  assignment,
  ben,
  cleo,
  deny,
  group,
  researchers,
  rows,
  subscription,
  visionTeam,
} from '../testing/people.ts';
import { referenceDecide } from '../testing/reference-evaluator.ts';
import { runs } from '../testing/runs.ts';
import { roleDefinition } from '../testing/world.ts';
import type { Access } from '../types.ts';
import { missingGrant } from './outcomes.ts';

const room = { rightsBytes: 2 ** 18, maskBytes: 2 ** 12, cachedDecisions: 1 };
const verbs = ['read', 'write', 'delete'] as const;
const may = (verb: string): Permission => ({
  actions: [`N/t/${verb}`],
  notActions: [],
  dataActions: [],
  notDataActions: [],
});
const roleDefinitions = verbs.map((verb, i) =>
  roleDefinition(`88888888-0000-4000-8000-00000000000${i}`, [may(verb)]),
);
const at = (scope: string, verb = 'read'): Access => ({ action: `N/t/${verb}`, dataAction: false, scope });
const world: PolicyRows = { ...rows, roleDefinitions, roleAssignments: [], denyAssignments: [] };
const reader = roleDefinitions[0]!.id;

const company = '/providers/microsoft.management/managementgroups/company';
const team = '/providers/microsoft.management/managementgroups/team';
const named = (parent: string, kind: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${parent}/${kind}${String(i).padStart(2, '0')}`);
const things = named(`${group}/providers/n/t`, 'x', 40);

/** Where something is assigned: among few scopes above one another, or among more than a block lists. */
const places = {
  'above the resource groups': [
    '/',
    company,
    team,
    subscription,
    ...named(`${subscription}/resourcegroups`, 'g', 3),
  ],
  'in one resource group': [group, ...things.slice(0, 4), ...things.slice(0, 3).map((it) => `${it}/u/y`)],
  'at very many scopes of one resource group': [group, ...things, ...things.map((it) => `${it}/u/y`)],
  'at very many scopes of one subscription': [
    subscription,
    ...named(`${subscription}/resourcegroups`, 'g', 40),
    ...named(subscription, 's', 40),
  ],
};

/** So many role assignments and deny assignments to Ada and her groups, with ids in no order. */
function crowd(seed: number, scopes: readonly string[], grants: number, denials: number): PolicyRows {
  const roll = dice(seed);
  const one = <T>(all: readonly T[]): T => all[roll(all.length)]!;
  const holders = [ada, visionTeam, researchers, ben];
  const sometimes = () =>
    roll(4) === 0 ? { condition: `@Request[tag:colour] StringEquals '${one(['red', 'blue'])}'` } : {};
  return {
    ...world,
    placements: [
      { scope: team, parent: company, displayName: '' },
      { scope: subscription, parent: team, displayName: '' },
    ],
    roleAssignments: Array.from({ length: grants }, (_, i) => ({
      ...assignment((i * 7_919) % 1_009, one(scopes), one(roleDefinitions).id, one(holders)),
      ...sometimes(),
    })),
    denyAssignments: Array.from({ length: denials }, (_, i) =>
      deny((i * 7_919) % 1_009, {
        scope: one(scopes),
        permissions: [may(one(verbs))],
        principals: [one(holders)],
        excludePrincipals: roll(5) === 0 ? [visionTeam] : [],
        doNotApplyToChildScopes: roll(3) === 0,
        ...sometimes(),
      }),
    ),
  };
}

describe('the policy that decides', () => {
  test('is found in little room among up to 32 scopes, and without a look at each of them among more', () => {
    const thing = (i: number): string => `${group}/providers/n/t/x${i}`;
    const heldAt = (count: number) => {
      const held = Array.from({ length: count }, (_, i) => assignment(i, thing(i), reader, ada));
      const { rights, ask } = rightsOf({ ...world, roleAssignments: held }, ada);
      for (let i = 0; i <= count; i++) {
        const found = ask(at(`${thing(i)}/u/y`));
        expect([count, i, found]).toEqual([count, i, i < count ? i : missingGrant]);
      }
      return rights.bytes;
    };
    const empty = heldAt(0);
    expect(heldAt(32) - empty).toBeLessThan(32 * 6 * 4);
    // There is a directory.
    expect(heldAt(33) - empty).toBeGreaterThan(33 * 9 * 4);
    for (const count of [36, 43, 54, 64, 65, 70, 100, 127, 129, 1_100]) heldAt(count);
  });

  test.each(
    Object.entries(places).flatMap(([where, scopes]) =>
      [
        [20, 6],
        [90, 30],
      ].map(([grants, denials]) => [where, grants!, denials!, scopes] as const),
    ),
  )(
    'is the one that the reference evaluator names: %s, %i grants, %i denials',
    (_, grants, denials, scopes) => {
      const reasons = new Set<string>();
      const attributes = { request: { 'tag:colour': 'red' } };
      const asked = [...scopes.slice(0, 12), ...scopes.slice(-4)].flatMap((scope) =>
        verbs.flatMap((verb) => [at(scope, verb), at(`${scope === '/' ? '' : scope}/beneath`, verb)]),
      );
      for (let seed = 0; seed < Math.max(runs(4), 2); seed++) {
        const rowsOfIt = crowd(seed, scopes, grants, denials);
        const compiled = PolicySnapshot.from(rowsOfIt, { ...room, compileAfter: 1 });
        const plain = PolicySnapshot.from(rowsOfIt, { ...room, compileAfter: 1_000_000 });
        for (const each of asked) {
          const access = { ...each, attributes };
          const expected = referenceDecide(rowsOfIt, ada, access);
          reasons.add(expected.reason);
          for (const snapshot of [compiled, plain]) {
            const answer = decided(snapshot, ada, access);
            if (answer.policyId !== expected.policyId) expect({ seed, access, ...answer }).toEqual(expected);
          }
        }
      }
      expect(reasons.size).toBeGreaterThan(1);
    },
  );

  test.each(Object.entries(places))('is of nobody whose rights were compiled before: %s', (_, scopes) => {
    const attributes = { request: { 'tag:colour': 'red' } };
    const asked = scopes
      .slice(0, 8)
      .flatMap((scope) => verbs.map((verb) => ({ ...at(scope, verb), attributes })));
    const wrong: unknown[] = [];
    for (let seed = 0; seed < Math.max(runs(12), 6); seed++) {
      const rowsOfIt = crowd(seed, scopes, 6 + seed * 2, 4);
      const snapshot = PolicySnapshot.from(rowsOfIt, { ...room, maskBytes: 2 ** 18, compileAfter: 1 });
      // Ben holds less than Ada, and after her; Cleo holds nothing.
      for (const who of [ada, ben, cleo, ada]) {
        for (const access of asked) {
          const { allowed, policyId } = referenceDecide(rowsOfIt, who, access);
          const answer = {
            allowed: isAllowed(snapshot, who, access),
            policyId: decided(snapshot, who, access).policyId,
          };
          if (answer.allowed !== allowed || answer.policyId !== policyId)
            wrong.push({ seed, who, access, answer });
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('is found beneath any number of scopes', () => {
    const levels = Array.from({ length: 12 }, (_, i) => `${group}${'/a'.repeat(i)}`);
    for (const [i, granted] of levels.entries()) {
      const snapshot = PolicySnapshot.from(
        {
          ...world,
          // Siblings too, so that a scope's number does not tell what lies above it.
          roleAssignments: [
            ...levels.flatMap((scope, j) => [
              assignment(j, scope, reader, ben),
              assignment(50 + j, `${scope}/b`, reader, ben),
            ]),
            assignment(99, granted, reader, ada),
          ],
        },
        { ...room, compileAfter: 1 },
      );
      for (const [j, scope] of levels.entries()) {
        expect([i, j, decide(snapshot, ada, at(scope)).allowed]).toEqual([i, j, j >= i]);
        expect([i, j, isAllowed(snapshot, ada, at(`${scope}/c`))]).toEqual([i, j, j >= i]);
      }
    }
  });
});

describe('an outcome', () => {
  const condition = "@Request[tag:colour] StringEquals 'red'";

  test('holds for later only where no condition was asked', () => {
    const { ask, rights } = rightsOf(
      {
        ...world,
        roleAssignments: [
          assignment(1, group, reader, ada),
          { ...assignment(2, `${group}/x`, roleDefinitions[1]!.id, ada), condition },
        ],
      },
      ada,
    );
    for (let i = 0; i < 2; i++) {
      expect([ask(at(group)), rights.asked]).toEqual([0, false]);
      expect([ask(at(`${group}/x`, 'write')), rights.asked]).toEqual([-1, true]);
      expect([ask(at(`${group}/x`)), rights.asked]).toEqual([0, false]);
      expect([ask(at(`${group}/x`, 'delete')), rights.asked]).toEqual([-1, false]);
    }
  });

  test.each([
    ["ActionMatches{'N/T/READ'}", true, true],
    ["ActionMatches{'N/t/write'}", false, false],
    ["SubOperationMatches{'List'}", true, false],
    ["SubOperationMatches{'Other'}", false, false],
    ["NOT (SubOperationMatches{'List'})", false, true],
  ])('of a condition that asks %s is %s, and %s when nothing is told', (text, expected, untold) => {
    const conditional = {
      ...world,
      roleAssignments: [{ ...assignment(1, group, reader, ada), condition: text }],
    };
    const access = { ...at(group), subOperation: 'List' };
    expect(decide(PolicySnapshot.from(conditional, room), ada, access).allowed).toBe(expected);
    expect(referenceDecide(conditional, ada, access).allowed).toBe(expected);
    expect(rightsOf(conditional, ada).ask(at(group), null)).toBe(untold ? 0 : -1);
  });
});

describe('a compiled table', () => {
  test.each([1, 30, 100])(
    'takes no room for what can never be named: %i assignments of one kind',
    (count) => {
      const of = (n: number) => {
        const assigned = things
          .slice(0, 20)
          .flatMap((scope, i) =>
            Array.from({ length: n }, (_, j) =>
              assignment(i * 1_000 + j, scope, roleDefinitions[j % 2]!.id, ada),
            ),
          );
        return rightsOf({ ...world, roleAssignments: assigned }, ada);
      };
      const [few, many] = [of(2), of(2 * count)];
      for (const { ask } of [few, many]) ask(at(group));
      expect(few.rights.bytes).toBeGreaterThan(200);
      expect(many.rights.bytes).toBe(few.rights.bytes);
    },
  );

  test('is searched at a few places, of however many scopes it is about', () => {
    for (const scopes of [
      named(`${subscription}/resourcegroups`, 'g', 40),
      named('/subscriptions', 's', 40),
    ]) {
      const assigned = scopes.map((scope, i) => assignment(i, scope, reader, ada));
      const { ask, places: found } = rightsOf({ ...world, roleAssignments: assigned }, ada);
      ask(at(group));
      // Pairs of the directory of 40 keys, less one.
      expect(found()).toBe(127);
    }
  });
});
