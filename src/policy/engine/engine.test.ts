import { describe, expect, test } from 'vitest';
import { roleIds } from '../built-in-roles.ts';
import { decide, isAllowed } from '../decide.ts';
import { PolicySnapshot } from '../snapshot.ts';
import { ada, assignment, ben, deny, group, rows, subscription } from '../testing/people.ts';
import { runs } from '../testing/runs.ts';
import { small } from '../testing/worlds.ts';
import type { Access } from '../types.ts';

const read = 'Microsoft.MachineLearningServices/workspaces/read';
const everywhere = { actions: [read], notActions: [], dataActions: [], notDataActions: [] };

/** For tables of a few thousand entries. */
const room = { rightsBytes: 2 ** 20, maskBytes: 2 ** 20, cachedDecisions: 2 ** 12 };

function at(scope: string): Access {
  return { action: read, dataAction: false, scope };
}

function workspaceNamed(name: string): string {
  return `${group}/providers/microsoft.machinelearningservices/workspaces/${name}`;
}

describe('compiled rights', () => {
  // Tables are built in scratch memory that grows as it is written to: every length has to come out whole.
  test.each(runs(10) < 10 ? [10, 100, 1_433] : [10, 100, 1_000, 1_350, 1_433, 2_000, 3_500])(
    'answer as the assignments do for somebody with %i of them',
    (count) => {
      const own = Array.from({ length: count }, (_, i) =>
        assignment(1_000 + i, workspaceNamed(`w${i}`), roleIds.reader, ada),
      );
      const denied = Array.from({ length: Math.ceil(count / 5) }, (_, i) =>
        deny(i, { scope: workspaceNamed(`w${i * 5}`), permissions: [everywhere] }),
      );
      const root = deny(99_999, {
        scope: '/',
        permissions: [{ ...everywhere, actions: ['Contoso.X/y/read'] }],
      });
      const world = { ...rows, roleAssignments: own, denyAssignments: [...denied, root] };
      const compiled = PolicySnapshot.from(world, { ...room, compileAfter: 1 });
      const plain = PolicySnapshot.from(world, { ...room, compileAfter: 1_000_000 });
      for (let i = 0; i < count; i++) {
        const access = at(`${workspaceNamed(`w${i}`)}/jobs/j`);
        const verdict = decide(plain, ada, access);
        expect(verdict.allowed).toBe(i % 5 !== 0);
        expect(decide(compiled, ada, access)).toEqual(verdict);
        expect(isAllowed(compiled, ada, access)).toBe(verdict.allowed);
      }
      const elsewhere = { action: 'Contoso.X/y/read', dataAction: false, scope: workspaceNamed('w1') };
      expect(isAllowed(compiled, ada, elsewhere)).toBe(false);
    },
  );

  test('leave to the condition what a permission of a deny assignment denies on one', () => {
    const condition = "@Request[x] StringEquals 'red'";
    const denied = deny(1, { scope: '/', permissions: [{ ...everywhere, condition }] });
    const world = {
      ...rows,
      roleAssignments: [assignment(1, group, roleIds.reader, ada)],
      denyAssignments: [denied],
    };
    const snapshot = PolicySnapshot.from(world, { ...small, compileAfter: 1 });
    const asked = (x: string): Access => ({ ...at(group), attributes: { request: { x } } });
    for (let i = 0; i < 3; i++) {
      expect(isAllowed(snapshot, ada, asked('red'))).toBe(false);
      expect(isAllowed(snapshot, ada, asked('blue'))).toBe(true);
      // What cannot be told denies.
      expect(isAllowed(snapshot, ada, at(group))).toBe(false);
    }
  });

  test('are one table for all whose rights are the same', () => {
    const members = Array.from({ length: 50 }, (_, i) => ({
      ...(rows.principals[0] ?? {
        kind: 'user' as const,
        displayName: '',
        enabled: true,
        sponsorId: null,
        signInName: null,
      }),
      id: `33333333-0000-4000-8000-${String(i).padStart(12, '0')}` as typeof ada,
    }));
    const [team] = rows.memberships;
    if (!team) throw new Error('the world has a group');
    const world = {
      ...rows,
      principals: [...rows.principals, ...members],
      memberships: [...rows.memberships, ...members.map(({ id }) => ({ group: team.group, member: id }))],
    };
    const snapshot = PolicySnapshot.from(world, { ...room, compileAfter: 1 });
    decide(snapshot, members[0]?.id ?? ada, at(group));
    const one = snapshot.engine.rightsSize;
    for (const { id } of members) decide(snapshot, id, at(group));
    expect(snapshot.engine.rightsSize).toBe(one);
  });
});

describe('handles', () => {
  test('of a principal that is gone find nobody, even when it comes back', () => {
    const snapshot = PolicySnapshot.from(rows, small);
    const { engine } = snapshot;
    const handle = engine.principalHandle(ben);
    const action = engine.actionHandle(read, false);
    const scope = engine.scopeHandle(subscription);
    expect(engine.allows(handle, action, scope, null)).toBe(true);
    snapshot.apply({
      sequence: 11,
      previous: 10,
      change: { kind: 'principal.deleted', id: ben, principalKind: 'user' },
    });
    expect(engine.allows(handle, action, scope, null)).toBe(false);
    expect(engine.decide(handle, action, scope, null)).toBeLessThan(0);
  });

  test('of a scope outlive the assignments there', () => {
    const snapshot = PolicySnapshot.from(rows, small);
    const { engine } = snapshot;
    const handle = engine.scopeHandle(workspaceNamed('kept'));
    const given = assignment(77, workspaceNamed('kept'), roleIds.reader, ada);
    const ask = () =>
      engine.allows(engine.principalHandle(ada), engine.actionHandle('Contoso.X/read', false), handle, null);
    expect(ask()).toBe(false);
    snapshot.apply({
      sequence: 11,
      previous: 10,
      change: { kind: 'role-assignment.put', assignment: given },
    });
    expect(ask()).toBe(true);
    snapshot.apply({
      sequence: 12,
      previous: 11,
      change: { kind: 'role-assignment.deleted', assignment: given },
    });
    expect(ask()).toBe(false);
    engine.dropScope(handle);
  });

  test('of an action keep their meaning when a caller asks for thousands of names', () => {
    const { engine } = PolicySnapshot.from(rows, small);
    const handle = engine.actionHandle(read, false);
    const ask = () => engine.allows(engine.principalHandle(ben), handle, engine.place(group), null);
    expect(ask()).toBe(true);
    for (let i = 0; i < 20_000; i++) engine.actions.number(`Contoso.X/kind${i}/read`, i % 2 === 0);
    expect(engine.actions.name(handle)).toBe(read.toLowerCase());
    expect(ask()).toBe(true);
  });
});
