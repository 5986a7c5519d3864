import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Change } from '../../store/changes.ts';
import { roleIds } from '../built-in-roles.ts';
import { decide, isAllowed } from '../decide.ts';
import { everyone, PolicySnapshot, type PolicyRows } from '../snapshot.ts';
import { assignment, deny, group, person } from '../testing/people.ts';
import { small } from '../testing/worlds.ts';

const team = named('group-team');
const others = named('group-others');
const spared = named('group-spared');
const first = named('user-first');
const second = named('user-second');
const third = named('user-third');
const access = { action: 'Contoso.X/read', dataAction: false, scope: group };

function named(name: string): PrincipalId {
  return name as PrincipalId;
}

const world: PolicyRows = {
  principals: [
    ...[first, second, third].map((id) => person(id, id)),
    ...[team, others, spared].map((id) => ({ ...person(id, id), kind: 'group' as const })),
  ],
  memberships: [first, second, third].map((member) => ({ group: team, member: member })),
  roleDefinitions: [],
  roleAssignments: [],
  denyAssignments: [],
  version: 0,
};

const reader = {
  id: roleIds.reader,
  roleName: 'Reader',
  description: '',
  type: 'BuiltInRole' as const,
  permissions: [{ actions: ['*/read'], notActions: [], dataActions: [], notDataActions: [] }],
  assignableScopes: ['/'],
};

const tiers = [
  ['compiled', { ...small, compileAfter: 1 }],
  ['compiled, and nothing remembered', { ...small, compileAfter: 1, cachedDecisions: 1 }],
  ['not compiled', { ...small, compileAfter: 1_000_000 }],
] as const;

describe.each(tiers)('an exclusion from a deny assignment, %s', (_, options) => {
  const load = (more: Partial<PolicyRows>) =>
    PolicySnapshot.from(
      {
        ...world,
        roleDefinitions: [reader],
        roleAssignments: [assignment(1, '/', roleIds.reader, team)],
        ...more,
      },
      options,
    );
  const ask = (snapshot: PolicySnapshot, who: PrincipalId) => {
    const { allowed } = decide(snapshot, who, access);
    expect(isAllowed(snapshot, who, access)).toBe(allowed);
    return allowed;
  };
  const change = (snapshot: PolicySnapshot, ...changes: readonly Change[]) => {
    for (const each of changes)
      snapshot.apply({ sequence: snapshot.version + 1, previous: snapshot.version, change: each });
    expect(snapshot.fault).toBe(null);
  };
  const all = (snapshot: PolicySnapshot) => [first, second, third].map((who) => ask(snapshot, who));

  test('spares one who is otherwise just like the others, whoever asks first', () => {
    for (const order of [
      [first, second, third],
      [third, second, first],
    ]) {
      const snapshot = load({
        denyAssignments: [deny(1, { principals: [team], excludePrincipals: [second] })],
      });
      for (const who of order) ask(snapshot, who);
      expect(all(snapshot)).toEqual([false, true, false]);
    }
  });

  test('spares the members of a group that is nothing else', () => {
    const memberships = [...world.memberships, { group: spared, member: third }];
    const denial = deny(1, { principals: [team], excludePrincipals: [spared] });
    const snapshot = load({ memberships, denyAssignments: [denial] });
    expect(all(snapshot)).toEqual([false, false, true]);
    change(snapshot, { kind: 'group.member-added', group: spared, member: first });
    expect(all(snapshot)).toEqual([true, false, true]);
    change(snapshot, { kind: 'group.member-removed', group: spared, member: third });
    expect(all(snapshot)).toEqual([true, false, false]);
  });

  test('counts at once, and ends at once, for whoever asked before', () => {
    const snapshot = load({});
    const denial = deny(1, { principals: [team], excludePrincipals: [] });
    const sparing = { ...denial, excludePrincipals: [second, third] };
    expect(all(snapshot)).toEqual([true, true, true]);
    change(snapshot, { kind: 'deny-assignment.put', assignment: sparing });
    expect(all(snapshot)).toEqual([false, true, true]);
    change(snapshot, { kind: 'deny-assignment.put', assignment: denial });
    expect(all(snapshot)).toEqual([false, false, false]);
    change(snapshot, { kind: 'deny-assignment.put', assignment: sparing });
    expect(all(snapshot)).toEqual([false, true, true]);
    change(snapshot, { kind: 'deny-assignment.deleted', assignment: sparing });
    expect(all(snapshot)).toEqual([true, true, true]);
  });

  test('of somebody whom the directory does not know yet is kept for when it does', () => {
    const late = named('user-late');
    const forAll = deny(1, { principals: [named(everyone)], excludePrincipals: [late] });
    const snapshot = load({ denyAssignments: [forAll] });
    const { size } = load({});
    change(
      snapshot,
      { kind: 'group.member-added', group: team, member: late },
      { kind: 'group.member-removed', group: team, member: late },
      { kind: 'principal.created', principal: person(late, 'Late') },
      { kind: 'group.member-added', group: team, member: late },
    );
    expect([ask(snapshot, late), ask(snapshot, first)]).toEqual([true, false]);
    change(
      snapshot,
      { kind: 'principal.deleted', id: late, principalKind: 'user' },
      { kind: 'principal.created', principal: person(late, 'Late') },
      { kind: 'group.member-added', group: team, member: late },
    );
    expect([ask(snapshot, late), ask(snapshot, first)]).toEqual([true, false]);
    change(
      snapshot,
      { kind: 'principal.deleted', id: late, principalKind: 'user' },
      { kind: 'deny-assignment.deleted', assignment: forAll },
    );
    expect(snapshot.size).toEqual(size);
  });

  test('of everyone is none, even where a group has that name', () => {
    const zero = named(everyone);
    const snapshot = load({
      principals: [...world.principals, { ...person(zero, 'Everyone'), kind: 'group' }],
      memberships: [...world.memberships, { group: zero, member: first }],
      denyAssignments: [deny(1, { principals: [team], excludePrincipals: [zero, second] })],
    });
    expect(all(snapshot)).toEqual([false, true, false]);
  });
});

describe('what is denied to equals', () => {
  test('is compiled once again when nobody is excluded any more', () => {
    const snapshot = PolicySnapshot.from(
      {
        ...world,
        denyAssignments: [
          deny(1, { principals: [team] }),
          deny(2, { principals: [others], excludePrincipals: [second] }),
        ],
      },
      { ...small, compileAfter: 1 },
    );
    change(snapshot, { kind: 'deny-assignment.deleted', assignment: deny(2, {}) });
    decide(snapshot, first, access);
    const one = snapshot.engine.rightsSize;
    decide(snapshot, second, access);
    expect(snapshot.engine.rightsSize).toBe(one);
  });

  function change(snapshot: PolicySnapshot, each: Change): void {
    snapshot.apply({ sequence: snapshot.version + 1, previous: snapshot.version, change: each });
    expect(snapshot.fault).toBe(null);
  }
});

describe.each(tiers)('of two deny assignments, %s', (_, options) => {
  const permission = (name: string) => [
    { actions: [`Contoso.${name}/*`], notActions: [], dataActions: [], notDataActions: [] },
  ];
  const one = deny(1, { principals: [team], permissions: permission('One') });
  const two = deny(2, { principals: [team], permissions: permission('Two') });
  const roleAssignments = [assignment(1, '/', roleIds.reader, others)];
  const again = deny(3, { principals: [team], permissions: permission('One') });

  test.each([
    ['the first', one, two],
    ['the second', two, one],
  ])('%s ends alone', (__, gone, left) => {
    const snapshot = PolicySnapshot.from({ ...world, roleAssignments, denyAssignments: [one, two] }, options);
    const causeOf = (name: string) =>
      decide(snapshot, first, { ...access, action: `Contoso.${name}/read` }).cause;
    for (let i = 0; i < 3; i++) {
      expect(causeOf('One')).toMatchObject({ id: one.id });
      expect(causeOf('Two')).toMatchObject({ id: two.id });
    }
    const { version } = snapshot;
    snapshot.apply({
      sequence: version + 1,
      previous: version,
      change: { kind: 'deny-assignment.deleted', assignment: gone },
    });
    expect(causeOf(gone === one ? 'One' : 'Two')).toEqual({ kind: 'missing-grant' });
    expect(causeOf(left === one ? 'One' : 'Two')).toMatchObject({ id: left.id });
  });

  test('that deny the same one may end, and what they deny is let go of with the last', () => {
    const snapshot = PolicySnapshot.from({ ...world, denyAssignments: [one, again] }, options);
    const ask = () => decide(snapshot, first, { ...access, action: 'Contoso.One/read' }).cause.kind;
    expect(ask()).toBe('deny-assignment');
    for (const [assignment, kind] of [
      [one, 'deny-assignment'],
      [again, 'missing-grant'],
    ] as const) {
      const { version } = snapshot;
      expect(snapshot.engine.roles.permissions(0, true)).not.toBe(null);
      snapshot.apply({
        sequence: version + 1,
        previous: version,
        change: { kind: 'deny-assignment.deleted', assignment },
      });
      expect(ask()).toBe(kind);
    }
    expect(snapshot.engine.roles.permissions(0, true)).toBe(null);
  });
});
