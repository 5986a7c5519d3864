import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAllowed } from '../decide.ts';
import { isWithin } from '../scope.ts';
import { PolicySnapshot, type PolicyRows } from '../snapshot.ts';
import { changedRows, makesRing } from '../testing/changed-rows.ts';
import { dice } from '../testing/dice.ts';
import { masksOf } from '../testing/engine-parts.ts';
import { ada, assignment, ben, deny, group, rows, subscription, visionTeam } from '../testing/people.ts';
import { referenceDecide } from '../testing/reference-evaluator.ts';
import { runs } from '../testing/runs.ts';
import { accesses, changes, firstWorld, roleDefinition, users } from '../testing/world.ts';
import { histories, worldAfter } from '../testing/worlds.ts';
import { no, undecided, untold, yes } from './mask-tier.ts';

const reading = { actions: ['N/t/read'], notActions: [], dataActions: [], notDataActions: [] };
const read = { action: 'N/t/read', dataAction: false };

/** Roles that nobody needs, so that those of the world are numbered far apart. */
function fillers(from: number, count: number) {
  return Array.from({ length: count }, (_, i) =>
    roleDefinition(`77777777-0000-4000-8000-${String(from + i).padStart(12, '0')}`, [reading]),
  );
}

const tables = {
  'one group of roles': (world: PolicyRows) => world,
  'several groups of roles': (world: PolicyRows): PolicyRows => ({
    ...world,
    roleDefinitions: world.roleDefinitions.flatMap((role, i) => [...fillers(i * 40, 40), role]),
  }),
};

describe.each(Object.entries(tables))('yes or no from compiled masks, %s', (_, spread) => {
  const start = spread(firstWorld);

  test.each([
    ['with room for all', { compileAfter: 1, cachedDecisions: 1, maskBytes: 2 ** 17 }],
    ['with little room', { compileAfter: 1, cachedDecisions: 1, maskBytes: 2 ** 12 }],
    ['and from outcomes of before', { compileAfter: 1, cachedDecisions: 2 ** 8, maskBytes: 2 ** 17 }],
  ])('agree with the reference evaluator after every change, %s', (__, room) => {
    let allowed = 0;
    let checks = 0;
    fc.assert(
      fc.property(
        histories,
        fc.array(changes, { minLength: 6, maxLength: 10 }),
        fc.array(accesses, { minLength: 8, maxLength: 8 }),
        (history, more, asked) => {
          let world = worldAfter(history, start);
          const snapshot = PolicySnapshot.from(world, { rightsBytes: 2 ** 14, ...room });
          for (const [i, change] of more.entries()) {
            if (makesRing(world, change)) continue;
            world = changedRows(world, change, 1_000 + i);
            snapshot.apply({ previous: snapshot.version, sequence: 1_000 + i, change });
            for (const user of users) {
              for (const access of asked) {
                const expected = referenceDecide(world, user, access).allowed;
                checks++;
                if (expected) allowed++;
                if (isAllowed(snapshot, user, access) === expected) continue;
                expect({ user, access, allowed: !expected }).toEqual({ user, access, allowed: expected });
              }
            }
          }
        },
      ),
      { seed: 20_261_125, numRuns: runs(12) },
    );
    expect(allowed).toBeGreaterThan(0);
    expect(allowed).toBeLessThan(checks);
    if (runs(12) < 12) return;
    expect(allowed).toBeGreaterThan(checks / 20);
    expect(allowed).toBeLessThan((checks * 19) / 20);
  });
});

describe('small worlds of few roles, laid out in advance', () => {
  const verbs = ['read', 'write', 'delete'] as const;
  const scopes = [
    '/',
    subscription,
    group,
    `${group}/providers/n/t/a`,
    `${group}/providers/n/t/a/u/x`,
    `${group}/providers/n/t/a/u/x/v/y`,
    `${group}/providers/n/t/b`,
    `${subscription}/resourcegroups/other`,
    `${subscription}/resourcegroups/other/providers/n/t/a`,
  ];
  const asked = scopes.flatMap((scope) =>
    verbs.map((verb) => ({
      action: `N/t/${verb}`,
      dataAction: false,
      scope,
      attributes: { request: { 'tag:colour': 'red' } },
    })),
  );
  const colours = ['red', 'blue'] as const;
  const may = (verb: string) => ({ ...reading, actions: [`N/t/${verb}`] });

  /** Ada holds some of the roles herself and some through her groups, with and without conditions; she is denied some. */
  function world(seed: number, layers: number, denials: number): PolicyRows {
    const roll = dice(seed);
    const roleDefinitions = Array.from({ length: layers }, (_, layer) => [
      ...fillers(layer * 40, 40),
      ...verbs.map((verb, i) =>
        roleDefinition(`88888888-0000-4000-8000-${String(layer * 3 + i).padStart(12, '0')}`, [may(verb)]),
      ),
    ]).flat();
    const held = roleDefinitions.filter(({ id }) => id.startsWith('8'));
    const holders = [ada, visionTeam, ada, ben];
    return {
      ...rows,
      roleDefinitions,
      roleAssignments: Array.from({ length: 3 + roll(5) }, (_, i) => ({
        ...assignment(i, scopes[roll(scopes.length)]!, held[roll(held.length)]!.id, holders[roll(4)]!),
        ...(roll(3) === 0 && { condition: `@Request[tag:colour] StringEquals '${colours[roll(2)]!}'` }),
      })),
      denyAssignments: Array.from({ length: denials }, (_, i) =>
        deny(i, {
          scope: scopes[roll(scopes.length)]!,
          permissions: [may(verbs[roll(3)]!)],
          principals: [holders[roll(3)]!],
          excludePrincipals: roll(4) === 0 ? [visionTeam] : [],
          doNotApplyToChildScopes: roll(4) === 0,
          ...(roll(3) === 0 && { condition: `@Request[tag:colour] StringEquals '${colours[roll(2)]!}'` }),
        }),
      ),
    };
  }

  /** Whether something unsure, to whomever it is assigned, is at or above the scope. */
  function isUnsure({ roleAssignments, denyAssignments }: PolicyRows, scope: string): boolean {
    return (
      roleAssignments.some((it) => it.condition && isWithin(scope, it.scope)) ||
      denyAssignments.some((it) => (it.condition || it.doNotApplyToChildScopes) && isWithin(scope, it.scope))
    );
  }

  test.each([
    [1, 0],
    [1, 2],
    [3, 0],
    [3, 4],
  ])(
    'answer as the reference evaluator, at once where all is sure: roles in %i layers, %i denials',
    (layers, denials) => {
      const wrong: unknown[] = [];
      const told = { yes: 0, no: 0, undecided: 0 };
      for (let seed = 0; seed < Math.max(runs(40), 16); seed++) {
        const rowsOfIt = world(seed * 4 + layers + denials, layers, denials);
        const { ask } = masksOf(rowsOfIt, ada);
        const snapshot = PolicySnapshot.from(rowsOfIt, {
          compileAfter: 1,
          cachedDecisions: 1,
          maskBytes: 2 ** 17,
          rightsBytes: 2 ** 14,
        });
        for (const access of asked) {
          const expected = referenceDecide(rowsOfIt, ada, access).allowed;
          const answer = ask(access);
          told[answer === undecided ? 'undecided' : answer === yes ? 'yes' : 'no']++;
          const unsure = answer === undecided && isUnsure(rowsOfIt, access.scope);
          if (!unsure && answer !== (expected ? yes : no)) wrong.push({ seed, access, expected, answer });
          if (isAllowed(snapshot, ada, access) !== expected) wrong.push({ seed, access, expected });
        }
      }
      expect(wrong).toEqual([]);
      expect(Math.min(told.yes, told.no, told.undecided)).toBeGreaterThan(10);
    },
  );
});

describe('a principal', () => {
  const compiled = { compileAfter: 1, cachedDecisions: 1, maskBytes: 2 ** 20, rightsBytes: 2 ** 16 };
  const nothing = { ...rows, roleAssignments: [], denyAssignments: [] };
  const [role] = fillers(0, 1);

  test.each([1, 13, 14, 60, 255, 256, 257, 300, 3_000])(
    'is allowed by each of %i assignments in one resource group',
    (count) => {
      const at = (i: number): string => `${group}/providers/n/t/x${i}`;
      const snapshot = PolicySnapshot.from(
        {
          ...nothing,
          roleDefinitions: [role!],
          roleAssignments: Array.from({ length: count }, (_, i) => assignment(i, at(i), role!.id, ada)),
          denyAssignments: Array.from({ length: Math.floor(count / 3) }, (_, i) =>
            deny(i, { scope: at(i * 3), permissions: [reading] }),
          ),
        },
        compiled,
      );
      for (let i = 0; i < count; i++) {
        const denied = i % 3 === 0 && i / 3 < Math.floor(count / 3);
        expect(isAllowed(snapshot, ada, { ...read, scope: `${at(i)}/u/y` })).toBe(!denied);
      }
      expect(isAllowed(snapshot, ada, { ...read, scope: at(count) })).toBe(false);
      expect(isAllowed(snapshot, ada, { ...read, scope: group })).toBe(false);
    },
  );

  test('is told apart by the nearest of many scopes above one another', () => {
    const levels = Array.from({ length: 15 }, (_, i) => `${group}${'/a'.repeat(i)}`);
    const permissions = [reading];
    for (const granted of [0, 3, 9, 14]) {
      for (const denied of [1, 4, 8, 13]) {
        const world = {
          ...nothing,
          roleDefinitions: [role!],
          // Nobody's, so that all levels are scopes at which something is assigned.
          roleAssignments: [
            ...levels.map((scope, i) => assignment(i, scope, role!.id, ben)),
            assignment(99, levels[granted]!, role!.id, ada),
          ],
          denyAssignments: [deny(1, { scope: levels[denied]!, permissions, principals: [ada] })],
        };
        const snapshot = PolicySnapshot.from(world, compiled);
        const { ask: masked } = masksOf(world, ada);
        for (const [i, scope] of levels.entries()) {
          expect([i, isAllowed(snapshot, ada, { ...read, scope })]).toEqual([i, i >= granted && i < denied]);
          // Three beneath the resource group are told in advance.
          const answer = i > 3 ? undecided : i >= granted && i < denied ? yes : no;
          expect([i, masked({ ...read, scope })]).toEqual([i, answer]);
        }
      }
    }
  });

  test('holds roles of more groups than a table has layers', () => {
    const all = fillers(0, 300);
    const snapshot = PolicySnapshot.from(
      {
        ...nothing,
        roleDefinitions: all.map((each, i) =>
          roleDefinition(each.id, [{ ...reading, actions: [`N/t/${i}/read`] }]),
        ),
        roleAssignments: all.map(({ id }, i) =>
          assignment(i, i % 2 === 0 ? subscription : group, id, visionTeam),
        ),
      },
      compiled,
    );
    for (let i = 0; i < all.length; i++) {
      const access = { action: `N/t/${i}/read`, dataAction: false, scope: subscription };
      expect([i, isAllowed(snapshot, ada, access)]).toEqual([i, i % 2 === 0]);
      expect([i, isAllowed(snapshot, ada, { ...access, scope: `${group}/x` })]).toEqual([i, true]);
    }
  });

  test('is denied what is denied at a scope or anywhere above it, and nothing else', () => {
    const verbs = ['read', 'write'];
    const may = (verb: string) => ({ ...reading, actions: [`N/t/${verb}`] });
    const levels = [group, `${group}/a`, `${group}/a/b`, `${group}/a/b/c`];
    const all = roleDefinition(role!.id, verbs.map(may));
    const wrong: unknown[] = [];
    for (let ways = 0; ways < 3 ** levels.length; ways++) {
      // At each level one of the two, or none.
      const denied = levels.map((_, i) => verbs[Math.floor(ways / 3 ** i) % 3]);
      const { ask } = masksOf(
        {
          ...nothing,
          roleDefinitions: [all],
          roleAssignments: [assignment(1, '/', all.id, ada)],
          denyAssignments: levels.flatMap((scope, i) => {
            const verb = denied[i];
            return verb === undefined ? [] : [deny(i, { scope, permissions: [may(verb)] })];
          }),
        },
        ada,
      );
      for (const [i, scope] of levels.entries()) {
        for (const verb of verbs) {
          const expected = denied.slice(0, i + 1).includes(verb) ? no : yes;
          const answer = ask({ action: `N/t/${verb}`, dataAction: false, scope });
          if (answer !== expected) wrong.push({ denied, scope, verb, answer });
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('is allowed in each of many resource groups what it holds there, and nothing else', () => {
    const each = Array.from({ length: 30 }, (_, i) => i);
    const roleDefinitions = each.map((i) =>
      roleDefinition(fillers(i, 1)[0]!.id, [{ ...reading, actions: [`N/t/${i}/read`] }]),
    );
    const at = (i: number): string => `${subscription}/resourcegroups/g${i}`;
    const within = (i: number): string => `${group}/providers/n/t/x${i}`;
    const world = {
      ...nothing,
      roleDefinitions,
      roleAssignments: [
        ...each.map((i) => assignment(i, within(i), roleDefinitions[i]!.id, i % 10 === 0 ? ada : ben)),
        ...Array.from({ length: 1_500 }, (_, i) =>
          assignment(100 + i, at(i), roleDefinitions[i % 30]!.id, ada),
        ),
      ],
    };
    const { ask: masked } = masksOf(world, ada);
    const wrong: unknown[] = [];
    const ask = (scope: string, i: number, expected: boolean): void => {
      const answer = masked({ action: `N/t/${i}/read`, dataAction: false, scope });
      if (answer !== (expected ? yes : no)) wrong.push({ scope, i, answer });
    };
    for (const i of each) for (const j of each) ask(within(i), j, i === j && i % 10 === 0);
    for (let i = 0; i < 1_500; i++) for (let j = i % 3; j < 30; j += 3) ask(at(i), j, j === i % 30);
    expect(wrong).toEqual([]);
  });
});

describe('a table of masks', () => {
  const nothing = { ...rows, roleAssignments: [], denyAssignments: [] };
  const [role] = fillers(0, 1);
  const at = (i: number): string => `${group}/providers/n/t/x${i}`;

  test('is made for what is held at up to 256 scopes of a resource group', () => {
    const heldAt = (count: number): PolicyRows => ({
      ...nothing,
      roleDefinitions: [role!],
      roleAssignments: Array.from({ length: count }, (_, i) => assignment(i, at(i), role!.id, ada)),
    });
    expect(masksOf(heldAt(256), ada).ask({ ...read, scope: at(255) })).toBe(yes);
    expect(masksOf(heldAt(257), ada).ask({ ...read, scope: at(255) })).toBe(untold);
    expect(masksOf(heldAt(1), ben).ask({ ...read, scope: at(0) })).toBe(no);
  });

  test('is made for roles of up to four groups of thirty', () => {
    const roleDefinitions = fillers(0, 150);
    const heldOf = (count: number): PolicyRows => ({
      ...nothing,
      roleDefinitions,
      roleAssignments: Array.from({ length: count }, (_, i) =>
        assignment(i, group, roleDefinitions[i * 30]!.id, ada),
      ),
    });
    expect(masksOf(heldOf(4), ada).ask({ ...read, scope: group })).toBe(yes);
    // Of one group alone it is told without a look at layers.
    expect([0, 1, 2].map((count) => masksOf(heldOf(count), ada).group)).toEqual([0, 0, -1]);
    const second = { ...heldOf(0), roleAssignments: [assignment(1, group, roleDefinitions[30]!.id, ada)] };
    expect(masksOf(second, ada).group).toBe(1);
    expect(masksOf(heldOf(5), ada).ask({ ...read, scope: group })).toBe(untold);
    // One that is held on a condition needs no layer of its own.
    const world = heldOf(5);
    const roleAssignments = world.roleAssignments.map((it, i) =>
      i === 2 ? { ...it, condition: 'Exists @Request[x]' } : it,
    );
    expect(masksOf({ ...world, roleAssignments }, ada).ask({ ...read, scope: group })).toBe(yes);
  });

  test('takes little room, and none for what is assigned twice', () => {
    const roleDefinitions = fillers(0, 30);
    const bytesFor = (times: number, scopes: number, denials = 0): number =>
      masksOf(
        {
          ...nothing,
          roleDefinitions,
          roleAssignments: Array.from({ length: scopes * 30 * times }, (_, i) =>
            assignment(i, at(i % scopes), roleDefinitions[i % 30]!.id, ada),
          ),
          denyAssignments: Array.from({ length: denials }, (_, i) =>
            deny(i, { scope: at(i), permissions: [reading] }),
          ),
        },
        ada,
      ).masks.bytes;
    const empty = bytesFor(1, 0);
    expect(bytesFor(1, 7)).toBeGreaterThan(empty);
    expect(bytesFor(3, 7)).toBe(bytesFor(1, 7));
    // Four bytes for each of 210 roles at scopes, and half as much again in buckets that are not full.
    expect(bytesFor(1, 7) - empty).toBeLessThan(210 * 4 * 1.7);
    expect(bytesFor(1, 0, 40) - empty).toBeLessThan(40 * (3 + 2) * 4 * 1.7);
  });

  test('lists what is denied above many resource groups once, whatever the number of layers', () => {
    const roleDefinitions = fillers(0, 60);
    const bytesFor = (count: number, denials: number, layers = 1): number =>
      masksOf(
        {
          ...nothing,
          roleDefinitions,
          roleAssignments: Array.from({ length: count }, (_, i) =>
            assignment(
              i,
              `${subscription}/resourcegroups/g${i}`,
              roleDefinitions[30 * (i % layers)]!.id,
              ada,
            ),
          ),
          denyAssignments: Array.from({ length: denials }, (_, i) =>
            deny(i, {
              scope: i % 2 === 0 ? '/' : subscription,
              permissions: [{ ...reading, actions: [`N/t/${i}/read`] }],
            }),
          ),
        },
        ada,
      ).masks.bytes;
    // The list, and where it is, three numbers for each resource group; of two layers the first tells it for half of them.
    expect(bytesFor(40, 100) - bytesFor(40, 0)).toBeLessThan(1_500);
    expect(bytesFor(40, 100, 2) - bytesFor(40, 0, 2)).toBeLessThan(1_200);
  });

  test.each([1, 7, 60, 300])('of what is held in %i resource groups is spread over buckets', (count) => {
    const { masks, buckets } = masksOf(
      {
        ...nothing,
        roleDefinitions: [role!],
        roleAssignments: Array.from({ length: count }, (_, i) =>
          assignment(i, `${subscription}/resourcegroups/g${i}`, role!.id, ada),
        ),
      },
      ada,
    );
    // Three numbers each, 32 in a bucket, of which a quarter is left free.
    expect(buckets).toBe(Math.ceil((count * 3) / 24));
    expect(masks.bytes).toBeLessThanOrEqual((buckets + 2) * 32 * 4);
  });

  test.each([1, 2])('lists thousands of denials, %i of them at each scope', (each) => {
    const denials = (count: number, scopeOf: (i: number) => string, from: number) =>
      Array.from({ length: count }, (_, i) =>
        deny(from + i, {
          scope: scopeOf(i),
          permissions: [{ ...reading, actions: [`N/t/${from + i}/read`] }],
        }),
      );
    const { ask } = masksOf(
      {
        ...nothing,
        roleDefinitions: [roleDefinition(role!.id, [{ ...reading, actions: ['*'] }])],
        roleAssignments: [assignment(1, subscription, role!.id, ada)],
        denyAssignments: [...denials(60, () => group, 0), ...denials(80 * each, (i) => at(i % 80), 1_000)],
      },
      ada,
    );
    const wrong: unknown[] = [];
    const check = (scope: string, n: number, expected: number): void => {
      const answer = ask({ action: `N/t/${n}/read`, dataAction: false, scope });
      if (answer !== expected) wrong.push({ scope, n, answer });
    };
    for (let i = 0; i < 80; i += 3) {
      for (const n of [0, 30, 59, 1_000 + i, 1_000 + 80 * (each - 1) + i]) check(at(i), n, no);
      for (const n of [60, 1_000 + ((i + 1) % 80)]) check(at(i), n, yes);
      check(group, i, i < 60 ? no : yes);
      check(group, 1_000 + i, yes);
      check(subscription, i, yes);
    }
    expect(wrong).toEqual([]);
  });
});
