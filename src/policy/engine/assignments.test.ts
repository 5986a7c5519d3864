import { describe, expect, test } from 'vitest';
import type { RoleAssignment } from '../../store/changes.ts';
import { decide, isAllowed } from '../decide.ts';
import { PolicySnapshot } from '../snapshot.ts';
import { dice } from '../testing/dice.ts';
import { enginePartsOf } from '../testing/engine-parts.ts';
import { ada, assignment, ben, deny, group, rows, subscription } from '../testing/people.ts';
import { roleDefinition } from '../testing/world.ts';
import { small } from '../testing/worlds.ts';

const nothing = { ...rows, roleAssignments: [], denyAssignments: [] };
const reading = { actions: ['N/t/read'], notActions: [], dataActions: [], notDataActions: [] };
const reader = roleDefinition('33333333-0000-4000-8000-000000000001', [reading]);
const everyColumn = Array.from({ length: 64 }, (_, column) => column);
const idsOf = (all: Iterable<{ readonly id: string }>): string[] => Array.from(all, ({ id }) => id).sort();

const guids = [
  '00000000-0000-4000-8000-000000000000',
  '00000000-0000-4000-8000-000000000001',
  '00000000-0000-4001-8000-000000000000',
  '00000000-0000-4001-9000-000000000000',
  '00000000-0000-5001-9000-000000000000',
  '00000000-000a-4001-9000-000000000000',
  '00000000-0010-4001-9000-000000000000',
  '0000000a-0000-4000-8000-000000000000',
  '00000010-0000-4000-8000-000000000000',
  '90000000-0000-4000-8000-000000000000',
  'a0000000-0000-4000-8000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
];

describe('slots of assignments', () => {
  test.each(['role', 'deny'])(
    'are in the order of their ids, whatever their form: %s assignments',
    (kind) => {
      const ids = [
        ...guids,
        'A0000000-0000-4000-8000-000000000000',
        'a00000000-0000-4000-8000-000000000000',
        '0-0000-4000-8000-000000000000',
        '90000000-0-4000-8000-000000000000',
        'a',
        'B',
        'zzz',
      ];
      const { assignments } = enginePartsOf({
        ...nothing,
        roleAssignments:
          kind === 'role' ? ids.map((id) => ({ ...assignment(0, group, reader.id, ada), id })) : [],
        denyAssignments: kind === 'deny' ? ids.map((id) => ({ ...deny(0, {}), id })) : [],
      });
      for (const [a, left] of ids.entries()) {
        expect((kind === 'role' ? assignments.grantAt(a) : assignments.denialAt(a)).id).toBe(left);
        for (const [b, right] of ids.entries()) {
          expect([left, right, assignments.before(a, b)]).toEqual([left, right, left < right]);
        }
      }
    },
  );

  test('are put in order without a look at the ids themselves where GUIDs differ in their first 52 bits', () => {
    const { assignments } = enginePartsOf(nothing);
    let looks = 0;
    for (const guid of guids) {
      const given = {
        ...assignment(0, group, reader.id, ada),
        get id() {
          looks++;
          return guid;
        },
      };
      assignments.putGrant(given);
    }
    for (const [a, left] of guids.entries()) {
      for (const [b, right] of guids.entries()) {
        looks = 0;
        assignments.before(a, b);
        expect([left, right, looks]).toEqual([left, right, left.slice(0, 15) === right.slice(0, 15) ? 2 : 0]);
      }
    }
  });

  test('hold what was put last, and nothing of what was there before', () => {
    const { assignments, principals, scopes } = enginePartsOf(nothing);
    const model = new Map<string, RoleAssignment>();
    const roll = dice(3);
    for (let i = 0; i < 600; i++) {
      const scope = [subscription, group, `${group}/x`][roll(3)]!;
      const each = assignment(roll(12), scope, reader.id, [ada, ben][roll(2)]!);
      if (roll(3) === 0) {
        assignments.deleteGrant(each.id);
        model.delete(each.id);
      } else {
        assignments.putGrant(each);
        model.set(each.id, each);
      }
      const all = [...model.values()];
      expect(idsOf(assignments.grants())).toEqual(idsOf(all));
      const here = [scopes.find(scope), scopes.find(subscription)].filter((number) => number >= 0);
      const wanted = all.filter((it) => it.scope === scope || it.scope === subscription);
      expect(idsOf(assignments.grantsAt(here, everyColumn))).toEqual(idsOf(wanted));
      for (const id of [ada, ben]) {
        const node = principals.get(id);
        expect(idsOf(node ? assignments.grantsOf(node.index) : [])).toEqual(
          idsOf(all.filter(({ principalId }) => principalId === id)),
        );
      }
    }
  });

  test('are not taken for those of the other kind, nor for what is not there', () => {
    const { assignments, roles, scopes } = enginePartsOf({
      ...nothing,
      roleAssignments: [assignment(1, group, reader.id, ada)],
      denyAssignments: [deny(2, {})],
    });
    expect(assignments.denialAt(1).id).toBe(deny(2, {}).id);
    for (const slot of [1, 2]) expect(() => assignments.grantAt(slot)).toThrow(/^slot \d holds no role/);
    for (const slot of [0, 2]) expect(() => assignments.denialAt(slot)).toThrow(/^slot \d holds no deny/);
    expect(idsOf(assignments.grantsAt([0, 1, 2, 3, 4, 5], everyColumn))).toEqual([
      assignment(1, group, reader.id, ada).id,
    ]);
    const { column } = roles.mention(reader.id);
    expect(idsOf(assignments.grantsAt([scopes.find(group)], [column]))).toHaveLength(1);
    const others = everyColumn.filter((other) => other !== column);
    expect(idsOf(assignments.grantsAt([scopes.find(group)], others))).toEqual([]);
    expect(idsOf(assignments.grantsAt([], everyColumn))).toEqual([]);
  });

  test('have room at once for as many as are expected', () => {
    const { assignments } = enginePartsOf(nothing);
    assignments.expect(1_000);
    const { words } = assignments;
    expect(words.length).toBeGreaterThanOrEqual(1_000);
    for (let i = 0; i < 1_000; i++) assignments.putGrant(assignment(i, group, reader.id, ada));
    expect(assignments.words).toBe(words);
  });

  test('of many of one principal at one scope may end in any order', () => {
    const all = Array.from({ length: 8 }, (_, i) => assignment(i, group, reader.id, ada));
    for (const order of [all, all.toReversed(), [...all.slice(3), ...all.slice(0, 3)]]) {
      const { assignments, principals } = enginePartsOf({ ...nothing, roleAssignments: all });
      const left = new Set(all.map(({ id }) => id));
      for (const { id } of order) {
        assignments.deleteGrant(id);
        left.delete(id);
        expect(idsOf(assignments.grantsOf(principals.index(ada)))).toEqual([...left]);
      }
    }
  });

  test('are used again when what they held has ended', () => {
    const { assignments } = enginePartsOf({
      ...nothing,
      roleAssignments: [assignment(1, group, reader.id, ben)],
    });
    const { words } = assignments;
    for (let i = 0; i < words.length * 2; i++) {
      assignments.putGrant(assignment(2, group, reader.id, ada));
      assignments.deleteGrant(assignment(2, group, reader.id, ada).id);
      assignments.putDenial(deny(3, {}));
      assignments.deleteDenial(deny(3, {}).id);
    }
    expect(assignments.words).toBe(words);
  });

  test('keep no condition of an assignment that was there before', () => {
    // The role is conditional too: so the slot is asked whether it has a condition of its own.
    const careful = roleDefinition(reader.id, [{ ...reading, condition: 'Exists @Request[x]' }]);
    const snapshot = PolicySnapshot.from({ ...nothing, roleDefinitions: [careful] }, small);
    const access = { action: 'N/t/read', dataAction: false, scope: group, attributes: { request: { x: 1 } } };
    const conditions = [
      'Exists @Request[y]',
      null,
      '@Request[x] NumericEquals 1',
      'Exists @Request[y]',
      null,
    ];
    for (const [i, condition] of conditions.entries()) {
      const given = { ...assignment(i, group, careful.id, ada), condition };
      const step = (change: Parameters<PolicySnapshot['apply']>[0]['change']): void =>
        snapshot.apply({ previous: snapshot.version, sequence: snapshot.version + 1, change });
      step({ kind: 'role-assignment.put', assignment: given });
      expect([i, isAllowed(snapshot, ada, access)]).toEqual([i, condition !== 'Exists @Request[y]']);
      step({ kind: 'role-assignment.deleted', assignment: given });
      expect([i, isAllowed(snapshot, ada, access)]).toEqual([i, false]);
    }
  });
});

describe('what was compiled', () => {
  test.each([
    ['somebody', 0],
    ['a group', 1],
  ])('is never of before, however often %s is given rights and loses them', (_, ofGroup) => {
    const roll = dice(ofGroup);
    const verbs = ['read', 'write', 'delete', 'list'];
    const roleDefinitions = verbs.map((verb, i) =>
      roleDefinition(`33333333-0000-4000-8000-00000000001${i}`, [{ ...reading, actions: [`N/t/${verb}`] }]),
    );
    const snapshot = PolicySnapshot.from(
      { ...nothing, roleDefinitions },
      { ...small, compileAfter: 1, cachedDecisions: 1 },
    );
    const holder = ofGroup === 1 ? rows.memberships[0]!.group : ada;
    const held = new Set<number>();
    for (let i = 0; i < 400; i++) {
      const verb = roll(4);
      const given = assignment(verb, group, roleDefinitions[verb]!.id, holder);
      const kind = held.has(verb) ? 'role-assignment.deleted' : 'role-assignment.put';
      if (!held.delete(verb)) held.add(verb);
      snapshot.apply({
        previous: snapshot.version,
        sequence: snapshot.version + 1,
        change: { kind, assignment: given },
      });
      // Not after each: what was made some changes ago must not be found again.
      if (roll(2) === 0) continue;
      for (const [j, each] of verbs.entries()) {
        const access = { action: `N/t/${each}`, dataAction: false, scope: group };
        expect([i, j, decide(snapshot, ada, access).allowed]).toEqual([i, j, held.has(j)]);
        expect([i, j, isAllowed(snapshot, ada, access)]).toEqual([i, j, held.has(j)]);
      }
    }
  });
});
