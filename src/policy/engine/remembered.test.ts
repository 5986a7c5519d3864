import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Change } from '../../store/changes.ts';
import { decide, isAllowed } from '../decide.ts';
import { everyone, PolicySnapshot, type PolicyRows } from '../snapshot.ts';
import { ada, assignment, ben, deny, group, rows, subscription } from '../testing/people.ts';
import { roleDefinition } from '../testing/world.ts';
import { small } from '../testing/worlds.ts';
import type { Access } from '../types.ts';

const may = (verb: string) => ({
  actions: [`N/t/${verb}`],
  notActions: [],
  dataActions: [],
  notDataActions: [],
});
const reader = roleDefinition('33333333-0000-4000-8000-000000000001', [may('read')]);
const world: PolicyRows = {
  ...rows,
  roleDefinitions: [reader],
  roleAssignments: [assignment(1, group, reader.id, ada)],
  denyAssignments: [],
};

// One or the other, since what they remember may take each other's place.
const ways: readonly [
  string,
  (snapshot: PolicySnapshot, principal: PrincipalId, access: Access) => boolean,
][] = [
  ['decide', (snapshot, principal, access) => decide(snapshot, principal, access).allowed],
  ['isAllowed', isAllowed],
];

describe.each(ways)('what %s remembers', (_, ask) => {
  const open = (given: Partial<PolicyRows> = {}) => {
    const snapshot = PolicySnapshot.from({ ...world, ...given }, { ...small, compileAfter: 1 });
    return {
      engine: snapshot.engine,
      step: (change: Change): void =>
        snapshot.apply({ previous: snapshot.version, sequence: snapshot.version + 1, change }),
      /** Twice, so that it is remembered when it is asked again. */
      may: (verb: string, scope: string, who = ada): boolean => {
        const access = { action: `N/t/${verb}`, dataAction: false, scope };
        const first = ask(snapshot, who, access);
        expect(ask(snapshot, who, access)).toBe(first);
        return first;
      },
    };
  };

  test.each(['role-assignment', 'deny-assignment'])(
    'is never of another scope that had its number: %s',
    (kind) => {
      const { step, may: mayAda } = open();
      for (let i = 0; i < 6; i++) {
        const scope = [`${group}/x`, '/elsewhere'][i % 2]!;
        // Ben's, so that nothing changes for Ada but the numbers of scopes.
        const given = assignment(2, scope, reader.id, ben);
        const denied = deny(2, { scope, principals: [ben] });
        const isGrant = kind === 'role-assignment';
        step(
          isGrant
            ? { kind: 'role-assignment.put', assignment: given }
            : { kind: 'deny-assignment.put', assignment: denied },
        );
        expect([i, mayAda('read', scope)]).toEqual([i, i % 2 === 0]);
        step(
          isGrant
            ? { kind: 'role-assignment.deleted', assignment: given }
            : { kind: 'deny-assignment.deleted', assignment: denied },
        );
      }
    },
  );

  test('is never of another scope that had its number, when one is no longer kept', () => {
    const { engine, may: mayAda } = open();
    for (let i = 0; i < 6; i++) {
      const scope = [`${group}/x`, '/elsewhere'][i % 2]!;
      const handle = engine.scopeHandle(scope);
      expect(engine.place(scope)).toBe(handle);
      expect([i, mayAda('read', scope)]).toEqual([i, i % 2 === 0]);
      engine.dropScope(handle);
      expect(engine.place(scope)).not.toBe(handle);
    }
  });

  test('stays when a scope that is no longer kept is still needed', () => {
    const { engine, may: mayAda } = open();
    const handle = engine.scopeHandle(group);
    expect(mayAda('read', group)).toBe(true);
    engine.dropScope(handle);
    expect(engine.place(group)).toBe(handle);
    expect(mayAda('read', group)).toBe(true);
  });

  test.each(['passing ones', 'one that is kept'])(
    'is never of another action that had its number: %s',
    (others) => {
      const { engine, may: mayAda } = open({
        roleDefinitions: [{ ...reader, permissions: [may('read'), may('list'), may('get')] }],
        denyAssignments: [deny(1, { permissions: [may('list'), may('none')] })],
      });
      let kept = 0;
      const turn = (): void => {
        if (others === 'passing ones') for (let i = 0; i < 4_096; i++) engine.actions.number(`x/${i}`, false);
        else engine.actionHandle(`x/${kept++}`, false);
      };
      // Each after each other one.
      const order = [
        'read',
        'list',
        'get',
        'none',
        'read',
        'get',
        'list',
        'none',
        'get',
        'read',
        'none',
        'list',
        'read',
      ];
      for (const [i, verb] of order.entries()) {
        turn();
        expect([i, verb, mayAda(verb, group)]).toEqual([i, verb, verb === 'read' || verb === 'get']);
      }
    },
  );

  test('is not outlived by what everyone is denied, nor by its end', () => {
    const { step, may: mayAda } = open();
    const denied = deny(1, {
      principals: [everyone as PrincipalId],
      permissions: [may('read')],
      scope: subscription,
    });
    for (let i = 0; i < 3; i++) {
      expect(mayAda('read', group)).toBe(true);
      step({ kind: 'deny-assignment.put', assignment: denied });
      expect(mayAda('read', group)).toBe(false);
      step({ kind: 'deny-assignment.deleted', assignment: denied });
    }
    expect(mayAda('read', group)).toBe(true);
  });

  test('is not outlived by a place in the tree', () => {
    const team = '/providers/microsoft.management/managementgroups/team';
    const { step, may: mayAda } = open({ roleAssignments: [assignment(1, team, reader.id, ada)] });
    for (let i = 0; i < 3; i++) {
      expect(mayAda('read', group)).toBe(false);
      step({ kind: 'scope.placed', placement: { scope: subscription, parent: team, displayName: '' } });
      expect(mayAda('read', group)).toBe(true);
      step({ kind: 'scope.removed', scope: subscription });
    }
    expect(mayAda('read', group)).toBe(false);
  });

  test('is not outlived by a role', () => {
    const { step, may: mayAda } = open();
    for (let i = 0; i < 3; i++) {
      expect([mayAda('read', group), mayAda('write', group)]).toEqual([true, false]);
      step({ kind: 'role-definition.put', definition: { ...reader, permissions: [may('write')] } });
      expect([mayAda('read', group), mayAda('write', group)]).toEqual([false, true]);
      step({ kind: 'role-definition.put', definition: reader });
    }
  });

  test('is denied when the action is first named in code after it was denied', () => {
    for (const named of [false, true]) {
      const { engine, may: mayAda } = open({ denyAssignments: [deny(1, { permissions: [may('read')] })] });
      if (named) engine.actionHandle('N/t/read', false);
      expect([named, mayAda('read', group)]).toEqual([named, false]);
      engine.actionHandle('N/t/read', false);
      expect([named, mayAda('read', group)]).toEqual([named, false]);
    }
  });

  test('takes room of its own', () => {
    const { engine, may: mayAda } = open();
    const empty = engine.rightsSize;
    expect(mayAda('read', group)).toBe(true);
    const one = engine.rightsSize;
    expect(one).toBeGreaterThan(empty);
    expect(mayAda('read', group, ben)).toBe(false);
    expect(engine.rightsSize).toBeGreaterThan(one);
  });

  test('is told until something changes, whatever may be found anew', () => {
    const { engine, may: mayAda } = open();
    const write = { ...reader, permissions: [may('write')] };
    expect([mayAda('read', group), mayAda('write', group)]).toEqual([true, false]);
    // By itself this tells nobody.
    engine.roles.put(write);
    expect([mayAda('read', group), mayAda('write', group)]).toEqual([true, false]);
    engine.changeRoles();
    expect([mayAda('read', group), mayAda('write', group)]).toEqual([false, true]);
    engine.roles.put(reader);
    expect([mayAda('read', group), mayAda('write', group)]).toEqual([false, true]);
  });

  test('is not what a condition has told', () => {
    const condition = "@Request[x] StringEquals 'a'";
    const given = { roleAssignments: [{ ...assignment(1, group, reader.id, ada), condition }] };
    const snapshot = PolicySnapshot.from({ ...world, ...given }, { ...small, compileAfter: 1 });
    for (const x of ['a', 'b', 'a', 'a', 'b']) {
      const access = { action: 'N/t/read', dataAction: false, scope: group, attributes: { request: { x } } };
      expect(ask(snapshot, ada, access)).toBe(x === 'a');
    }
  });

  test('is not looked at while nothing is asked again, and answers are the same', () => {
    const snapshot = PolicySnapshot.from(
      { ...world, roleDefinitions: [{ ...reader, permissions: [may('read/*')] }] },
      { ...small, compileAfter: 1 },
    );
    const wrong: number[] = [];
    for (let i = 0; i < 4_600; i++) {
      const [verb, scope] = [i % 2 === 0 ? 'read' : 'write', i % 3 === 0 ? '/other' : group];
      const allowed = ask(snapshot, ada, { action: `N/t/${verb}/${i}`, dataAction: false, scope });
      if (allowed !== (i % 2 === 0 && i % 3 !== 0)) wrong.push(i);
    }
    expect(wrong).toEqual([]);
    const access = { action: 'N/t/read/x', dataAction: false, scope: group };
    expect(ask(snapshot, ada, access)).toBe(true);
    snapshot.engine.roles.delete(reader.id);
    // Not remembered: so it is found anew.
    expect(ask(snapshot, ada, access)).toBe(false);
  });
});

test.each(['asked again', 'passed by'])(
  'yes or no is told by masks alone, while what is remembered is %s',
  (how) => {
    const { engine } = PolicySnapshot.from(world, { ...small, compileAfter: 1 });
    const [who, place] = [engine.principalHandle(ada), engine.place(group)];
    const [read, write] = ['N/t/read', 'N/t/write'].map((action) => engine.actionHandle(action, false));
    if (how === 'passed by')
      for (let i = 0; i < 4_096; i++) engine.allows(who, engine.actions.number(`x/${i}`, false), place, null);
    for (let times = 0; times < 2; times++) {
      expect(engine.allows(who, read!, place, null)).toBe(true);
      expect(engine.allows(who, write!, place, null)).toBe(false);
    }
    // Nothing was compiled that names a policy, before the first is asked for.
    const { rightsSize } = engine;
    expect(engine.decide(who, read!, place, null)).toBe(0);
    expect(engine.rightsSize).toBeGreaterThan(rightsSize);
  },
);
