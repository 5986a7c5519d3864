import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../lib/ids.ts';
import type { Change } from '../store/changes.ts';
import { builtInRoles, roleIds } from './built-in-roles.ts';
import { decide, isAllowed } from './decide.ts';
import { everyone, PolicySnapshot, type PolicyRows } from './snapshot.ts';
import {
  ada,
  assignment,
  ben,
  cleo,
  deny,
  group,
  job,
  person,
  platformTeam,
  researchers,
  rows,
  subscription,
  training,
  visionTeam,
  workspace,
} from './testing/people.ts';
import { small } from './testing/worlds.ts';

const stranger = 'ffffffff-0000-4000-8000-000000000000' as PrincipalId;
const read = { action: 'Contoso.X/y/read', dataAction: false };
const team = '/providers/microsoft.management/managementgroups/team';
const company = '/providers/microsoft.management/managementgroups/company';

function load(more: Partial<PolicyRows> = {}): PolicySnapshot {
  return PolicySnapshot.from({ ...rows, ...more }, small);
}

/** Takes in changes one after the other; all of them have to be taken. */
function change(snapshot: PolicySnapshot, ...changes: readonly Change[]): void {
  for (const each of changes) {
    const sequence = snapshot.version + 1;
    snapshot.apply({ sequence, previous: snapshot.version, change: each });
    expect(snapshot.fault).toBe(null);
    expect(snapshot.version).toBe(sequence);
  }
}

function faultOf({ fault }: PolicySnapshot): string | null {
  return fault?.kind === 'broken' ? String(fault.error) : (fault?.kind ?? null);
}

describe('a snapshot tells of principals', () => {
  test('those that the directory knows, not those only mentioned', () => {
    const snapshot = load({ roleAssignments: [assignment(9, '/', roleIds.owner, stranger)] });
    expect(snapshot.principal(ada)).toEqual(rows.principals[0]);
    expect(snapshot.principal(stranger)).toBe(undefined);
    expect(snapshot.principal(everyone as PrincipalId)).toBe(undefined);
    expect([...snapshot.principals()]).toEqual(rows.principals);
  });

  test('each with its enabled groups, and theirs', () => {
    const snapshot = load({ roleAssignments: [assignment(9, '/', roleIds.owner, stranger)] });
    expect(snapshot.identitiesOf(ada)).toEqual([ada, visionTeam, researchers]);
    expect(snapshot.identitiesOf(stranger)).toEqual([]);
    expect(snapshot.identitiesOf('nobody' as PrincipalId)).toEqual([]);
    const disabled = { ...person(visionTeam, 'Vision team'), kind: 'group' as const, enabled: false };
    change(snapshot, { kind: 'principal.updated', principal: disabled });
    expect(snapshot.identitiesOf(ada)).toEqual([ada]);
  });

  test('and says yes to one that was asked about before it was enabled, or known', () => {
    const roleAssignments = [ada, stranger].map((id, i) => assignment(i, '/', roleIds.owner, id));
    const disabled = { ...person(ada, 'Ada'), enabled: false };
    const snapshot = load({ principals: [disabled], memberships: [], roleAssignments });
    const access = { ...read, scope: '/' };
    for (const id of [ada, stranger]) expect(isAllowed(snapshot, id, access)).toBe(false);
    change(
      snapshot,
      { kind: 'principal.updated', principal: { ...disabled, enabled: true } },
      { kind: 'principal.created', principal: person(stranger, 'Stranger') },
    );
    for (const id of [ada, stranger]) expect(isAllowed(snapshot, id, access)).toBe(true);
  });

  test('and forgets a deleted one, its memberships in both directions with it', () => {
    const snapshot = load();
    change(snapshot, { kind: 'principal.deleted', id: visionTeam, principalKind: 'group' });
    expect(snapshot.principal(visionTeam)).toBe(undefined);
    expect(snapshot.identitiesOf(ada)).toEqual([ada]);
    const principal = { ...person(visionTeam, 'Vision team'), kind: 'group' as const };
    change(snapshot, { kind: 'principal.created', principal });
    expect(snapshot.identitiesOf(ada)).toEqual([ada]);
    expect(snapshot.identitiesOf(visionTeam)).toEqual([visionTeam]);
    change(snapshot, { kind: 'principal.deleted', id: stranger, principalKind: 'user' });
    expect([...snapshot.principals()]).toHaveLength(rows.principals.length);
  });
});

describe('a snapshot tells of roles', () => {
  const custom = {
    id: 'cccccccc-0000-4000-8000-000000000001',
    roleName: 'Custom',
    description: '',
    type: 'CustomRole' as const,
    permissions: [{ actions: ['Contoso.X/*'], notActions: [], dataActions: [], notDataActions: [] }],
    assignableScopes: ['/'],
  };

  test('those that are defined, not those only assigned', () => {
    const snapshot = load({ roleAssignments: [assignment(9, '/', custom.id, ada)] });
    expect([...snapshot.roleDefinitions()]).toEqual(builtInRoles);
    expect(snapshot.roleDefinition(roleIds.owner)?.roleName).toBe('Owner');
    expect(snapshot.roleDefinition(custom.id)).toBe(undefined);
    expect(snapshot.roleDefinition('none')).toBe(undefined);
    expect(snapshot.permissionsOf(roleIds.reader)?.contains('x/read', false)).toBe(true);
    expect(snapshot.permissionsOf(custom.id)).toBe(undefined);
    expect(snapshot.permissionsOf('none')).toBe(undefined);
  });

  test('and enforces their changes at once, whoever asked before', () => {
    const snapshot = load({ roleAssignments: [assignment(9, '/', custom.id, ada)] });
    const access = { ...read, scope: group };
    const ask = () => [decide(snapshot, ada, access).allowed, isAllowed(snapshot, ada, access)];
    for (let i = 0; i < 12; i++) expect(ask()).toEqual([false, false]);
    change(snapshot, { kind: 'role-definition.put', definition: custom });
    for (let i = 0; i < 12; i++) expect(ask()).toEqual([true, true]);
    expect(snapshot.roleDefinition(custom.id)).toEqual(custom);
    expect(decide(snapshot, ada, access).cause).toMatchObject({ roleName: 'Custom' });
    const other = { ...custom, permissions: [] };
    change(snapshot, { kind: 'role-definition.put', definition: other });
    expect(ask()).toEqual([false, false]);
    change(snapshot, { kind: 'role-definition.put', definition: custom });
    expect(ask()).toEqual([true, true]);
    change(snapshot, { kind: 'role-definition.deleted', id: custom.id });
    expect(ask()).toEqual([false, false]);
    expect(snapshot.roleDefinition(custom.id)).toBe(undefined);
    expect(snapshot.permissionsOf(custom.id)).toBe(undefined);
  });
});

describe('a snapshot tells of role assignments', () => {
  const [first, second] = rows.roleAssignments;

  test('one by its id, all, those of a principal itself, and those at exactly some scopes', () => {
    const snapshot = load({ denyAssignments: [deny(1, { scope: group })] });
    const ids = (found: Iterable<{ readonly id: string }>) =>
      Array.from(found, ({ id }) => id.slice(-1)).sort();
    expect(snapshot.roleAssignment(first?.id ?? '')).toEqual(first);
    expect(snapshot.roleAssignment('none')).toBe(undefined);
    expect(ids(snapshot.roleAssignments())).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(snapshot.assignmentsOf(visionTeam)).toEqual([second]);
    expect(ids(snapshot.assignmentsOf(job))).toEqual(['5', '6']);
    expect(snapshot.assignmentsOf(ada)).toEqual([]);
    expect(snapshot.assignmentsOf(stranger)).toEqual([]);
    expect(ids(snapshot.assignmentsAt([group]))).toEqual(['1']);
    expect(ids(snapshot.assignmentsAt([training, subscription, '/nowhere']))).toEqual(['2', '3', '4', '6']);
    expect(ids(snapshot.assignmentsAt(['/nowhere']))).toEqual([]);
    expect(ids(snapshot.assignmentsAt([]))).toEqual([]);
  });

  test('as they now are: put again in another place, or gone', () => {
    const snapshot = load();
    if (!first) throw new Error('the world has assignments');
    const moved = { ...first, scope: workspace };
    change(snapshot, { kind: 'role-assignment.put', assignment: moved });
    expect(snapshot.roleAssignment(first.id)).toEqual(moved);
    expect([...snapshot.roleAssignments()]).toHaveLength(6);
    expect([...snapshot.assignmentsAt([group])]).toEqual([]);
    change(snapshot, { kind: 'role-assignment.deleted', assignment: moved });
    expect(snapshot.roleAssignment(first.id)).toBe(undefined);
    expect([...snapshot.roleAssignments()]).toHaveLength(5);
    expect([...snapshot.assignmentsAt([workspace])]).toHaveLength(1);
    // A second time it is nothing.
    change(snapshot, { kind: 'role-assignment.deleted', assignment: moved });
    expect([...snapshot.roleAssignments()]).toHaveLength(5);
  });

  test('with their scopes in normal form, and refuses rows without a scope by name', () => {
    const snapshot = load({ roleAssignments: [assignment(9, group.toUpperCase(), roleIds.owner, ada)] });
    expect(snapshot.roleAssignment(assignment(9, '', '', ada).id)?.scope).toBe(group);
    expect(() => load({ roleAssignments: [assignment(9, 'nowhere', roleIds.owner, ada)] })).toThrow(
      /000000000009 is at 'nowhere', which is not a scope/,
    );
  });
});

describe('a snapshot tells of deny assignments', () => {
  test('one by its id, and all', () => {
    const [one, two] = [deny(1, { scope: group }), deny(2, { principals: [ben, cleo] })];
    const snapshot = load({ denyAssignments: [one, two] });
    expect(snapshot.denyAssignment(two.id)).toEqual(two);
    expect(snapshot.denyAssignment('none')).toBe(undefined);
    expect([...snapshot.denyAssignments()]).toEqual([one, two]);
    change(snapshot, { kind: 'deny-assignment.deleted', assignment: one });
    change(snapshot, { kind: 'deny-assignment.deleted', assignment: one });
    expect([...snapshot.denyAssignments()]).toEqual([two]);
    expect(decide(snapshot, cleo, { ...read, scope: group }).cause).toMatchObject({ id: two.id });
  });

  test('that name somebody twice, and lets go of them whole', () => {
    const twice = deny(1, { principals: [ada, ada], excludePrincipals: [platformTeam, platformTeam] });
    const snapshot = load();
    const { size } = snapshot;
    change(
      snapshot,
      { kind: 'deny-assignment.put', assignment: twice },
      { kind: 'deny-assignment.put', assignment: twice },
    );
    expect(decide(snapshot, ada, { ...read, scope: group }).cause).toMatchObject({ id: twice.id });
    change(snapshot, { kind: 'deny-assignment.deleted', assignment: twice });
    expect(decide(snapshot, ada, { ...read, scope: group }).cause.kind).toBe('missing-grant');
    expect(snapshot.size).toEqual(size);
  });
});

describe('a snapshot tells of the tree of scopes', () => {
  const placed = { scope: subscription, parent: team, displayName: '' };
  const placements = [placed, { scope: team, parent: company, displayName: 'Team' }];

  test('by paths, and by placements where there are any', () => {
    const snapshot = load({ placements });
    expect(snapshot.ancestors('/')).toEqual(['/']);
    expect(snapshot.ancestors('/a/b')).toEqual(['/a/b', '/a', '/']);
    expect(snapshot.ancestors(group)).toEqual([
      group,
      `${subscription}/resourcegroups`,
      subscription,
      team,
      company,
      '/providers/microsoft.management/managementgroups',
      '/providers/microsoft.management',
      '/providers',
      '/',
    ]);
    expect(snapshot.isWithin(group, team)).toBe(true);
    expect(snapshot.isWithin(group, company)).toBe(true);
    expect(snapshot.isWithin(group, subscription)).toBe(true);
    expect(snapshot.isWithin(team, group)).toBe(false);
    expect(snapshot.placement(subscription)).toEqual(placed);
    expect(snapshot.placement(group)).toBe(undefined);
    expect([...snapshot.placements()]).toEqual(placements);
  });

  test('placed at the root: no longer beneath what its path says', () => {
    const snapshot = load({ placements: [{ scope: subscription, parent: null, displayName: '' }] });
    expect(snapshot.ancestors(group)).toEqual([group, `${subscription}/resourcegroups`, subscription, '/']);
  });

  test('and decides by it at once when it changes', () => {
    const snapshot = load({ roleAssignments: [assignment(9, company, roleIds.reader, ada)] });
    const { size } = snapshot;
    const access = { ...read, scope: group };
    const ask = () => [decide(snapshot, ada, access).allowed, isAllowed(snapshot, ada, access)];
    for (let i = 0; i < 12; i++) expect(ask()).toEqual([false, false]);
    for (const placement of placements) change(snapshot, { kind: 'scope.placed', placement });
    for (let i = 0; i < 12; i++) expect(ask()).toEqual([true, true]);
    change(snapshot, { kind: 'scope.placed', placement: { ...placed, parent: null } });
    expect(ask()).toEqual([false, false]);
    change(snapshot, { kind: 'scope.placed', placement: placed });
    expect(ask()).toEqual([true, true]);
    change(snapshot, { kind: 'scope.removed', scope: team });
    expect(ask()).toEqual([false, false]);
    change(snapshot, { kind: 'scope.removed', scope: subscription }, { kind: 'scope.removed', scope: team });
    expect(snapshot.size).toEqual(size);
    expect([...snapshot.placements()]).toEqual([]);
  });

  test('refuses a ring, more than a hundred steps, and a scope that is not in normal form', () => {
    const named = (name: string | number) => `/providers/microsoft.management/managementgroups/${name}`;
    const put = (snapshot: PolicySnapshot, scope: string, parent: string | null) => {
      snapshot.apply({
        sequence: snapshot.version + 1,
        previous: snapshot.version,
        change: { kind: 'scope.placed', placement: { scope, parent, displayName: '' } },
      });
      return faultOf(snapshot);
    };
    expect(put(load({ placements }), company, team)).toBe(`RangeError: ${company} cannot be beneath itself`);
    expect(put(load(), team, team)).toBe(`RangeError: ${team} cannot be beneath itself`);
    expect(put(load(), team.toUpperCase(), null)).toBe(
      `RangeError: '${team.toUpperCase()}' is not a scope that can be placed`,
    );
    expect(put(load(), 'team', null)).toContain("'team' is not a scope that can be placed");
    const deep = load();
    for (let i = 0; i < 99; i++) expect(put(deep, named(i + 1), i === 0 ? null : named(i))).toBeNull();
    expect(put(deep, named(100), named(99))).toBeNull();
    expect(put(deep, named(101), named(100))).toBe(
      `RangeError: ${named(101)} would be more than 100 steps down`,
    );
  });
});

describe('a snapshot tells of tags', () => {
  const condition = "@Resource[tags:project] StringEquals 'red'";
  const conditional = { ...assignment(9, group, roleIds.reader, ada), condition };
  const tagged = (project: string): Change => ({
    kind: 'resource.put',
    id: workspace.toUpperCase(),
    type: 'x',
    created: false,
    tags: project === '' ? {} : { Project: project },
  });

  test('to conditions, as they now are, of the nearest resource that has any', () => {
    const snapshot = load({
      roleAssignments: [conditional],
      tags: [{ scope: group, tags: { project: 'blue' } }],
    });
    const ask = () => decide(snapshot, ada, { ...read, scope: `${workspace}/jobs/j` }).allowed;
    expect(ask()).toBe(false);
    change(snapshot, tagged('red'));
    expect(ask()).toBe(true);
    change(snapshot, { kind: 'resource.put', id: workspace, type: 'x', created: false });
    expect(ask()).toBe(true);
    change(snapshot, tagged(''));
    expect(ask()).toBe(false);
    change(snapshot, tagged('red'));
    expect(ask()).toBe(true);
    change(snapshot, { kind: 'resource.deleted', id: workspace.toUpperCase(), type: 'x' });
    expect(ask()).toBe(false);
    change(snapshot, {
      kind: 'resource.put',
      id: group,
      type: 'x',
      created: false,
      tags: { project: 'red' },
    });
    expect(ask()).toBe(true);
  });
});

describe('a change', () => {
  test('of a kind that carries no policy is taken in and changes nothing', () => {
    const snapshot = load();
    const before = decide(snapshot, ada, { ...read, scope: group });
    change(
      snapshot,
      { kind: 'container.created', scope: training },
      { kind: 'container.deleted', scope: training },
    );
    expect(decide(snapshot, ada, { ...read, scope: group })).toEqual(before);
  });

  test('at or below the version is passed by, one without a whole sequence is a fault that says so', () => {
    const snapshot = load();
    const removal: Change = { kind: 'group.member-removed', group: visionTeam, member: ada };
    snapshot.apply({ sequence: 10, previous: 9, change: removal });
    expect(snapshot.identitiesOf(ada)).toHaveLength(3);
    snapshot.apply({ sequence: 10.5, previous: 10, change: removal });
    expect(faultOf(snapshot)).toBe('RangeError: 10.5 is not a sequence of the feed');
    expect(snapshot.version).toBe(10);
    expect(snapshot.identitiesOf(ada)).toHaveLength(3);
    // The first fault stays.
    snapshot.apply({ sequence: Number.POSITIVE_INFINITY, previous: 10, change: removal });
    expect(faultOf(snapshot)).toContain('10.5');
  });

  test('for everyone is felt by whoever asked before', () => {
    const snapshot = load();
    const access = { ...read, scope: group };
    const ask = () => [decide(snapshot, cleo, access).allowed, isAllowed(snapshot, cleo, access)];
    for (let i = 0; i < 12; i++) expect(ask()).toEqual([true, true]);
    const forAll = deny(1, { principals: [everyone as PrincipalId], excludePrincipals: [platformTeam] });
    change(snapshot, { kind: 'deny-assignment.put', assignment: forAll });
    for (let i = 0; i < 12; i++) expect(ask()).toEqual([false, false]);
    change(snapshot, { kind: 'group.member-added', group: platformTeam, member: cleo });
    for (let i = 0; i < 12; i++) expect(ask()).toEqual([true, true]);
    change(snapshot, { kind: 'group.member-removed', group: platformTeam, member: cleo });
    expect(ask()).toEqual([false, false]);
    change(snapshot, { kind: 'deny-assignment.deleted', assignment: forAll });
    expect(ask()).toEqual([true, true]);
  });
});
