import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../lib/ids.ts';
import type { Change } from '../store/changes.ts';
import { roleIds } from './built-in-roles.ts';
import { decide, decideForAll, isAllowed, isAllowedForAll } from './decide.ts';
import { everyone, PolicySnapshot, type PolicyRows } from './snapshot.ts';
import {
  ada,
  assignment,
  ben,
  cleo,
  deny,
  group,
  job,
  patients,
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
import { policyIdOf, type Access } from './types.ts';

const submit = act('Microsoft.MachineLearningServices/workspaces/jobs/write', workspace);
const readBlob = data('Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read', training);

describe('a role assignment', () => {
  test('reaches through nested groups to the scopes beneath its own', () => {
    expect(ask(rows, ada, submit)).toBe(`roleAssignment:${assignment(1, '', '', ada).id}`);
  });

  test('stops at the segment: a scope that merely begins alike is another', () => {
    const trap = { ...submit, scope: `${group}-2/providers/x/y/z` };
    expect(ask(rows, ada, trap)).toBe('default:missing-grant');
  });

  test('with * in actions grants no data action', () => {
    expect(ask(rows, ben, submit)).toMatch(/^roleAssignment/);
    expect(ask(rows, ben, readBlob)).toBe('default:missing-grant');
  });

  test("'s notActions take away from its own role only", () => {
    const keys = act('Microsoft.MachineLearningServices/workspaces/listKeys/action', workspace);
    expect(ask(rows, ada, keys)).toBe('default:missing-grant');
    const more = {
      ...rows,
      roleAssignments: [...rows.roleAssignments, assignment(9, group, roleIds.contributor, ada)],
    };
    expect(ask(more, ada, keys)).toMatch(/^roleAssignment/);
  });

  test('to an identity or of a role that is gone is harmless', () => {
    const orphans = [
      assignment(8, '/', roleIds.owner, 'ffffffff-0000-4000-8000-000000000000' as PrincipalId),
      assignment(9, '/', 'eeeeeeee-0000-4000-8000-000000000000', cleo),
    ];
    const world = { ...rows, roleAssignments: [...rows.roleAssignments, ...orphans] };
    expect(ask(world, cleo, submit)).toBe('default:missing-grant');
    expect(ask(world, orphans[0]?.principalId ?? ada, submit)).toBe('default:unknown-principal');
  });

  test('to the everyone GUID gives nobody anything', () => {
    const world = {
      ...rows,
      roleAssignments: [...rows.roleAssignments, assignment(9, '/', roleIds.owner, everyone as PrincipalId)],
    };
    expect(ask(world, cleo, submit)).toBe('default:missing-grant');
  });

  test('is named by nearest scope, then lowest id', () => {
    const roleAssignments = [
      assignment(7, workspace, roleIds.owner, ada),
      assignment(3, workspace, roleIds.owner, researchers),
      assignment(1, '/', roleIds.owner, ada),
    ];
    expect(ask({ ...rows, roleAssignments }, ada, submit)).toBe(`roleAssignment:${roleAssignments[1]?.id}`);
  });
});

describe('an Owner and a Reader', () => {
  test('manage and see, as Ben and Cleo do in the README', () => {
    expect(ask(rows, ben, act('Microsoft.Storage/storageAccounts/delete', group))).toMatch(/^roleAssignment/);
    expect(ask(rows, cleo, act('Microsoft.Authorization/roleAssignments/read', workspace))).toMatch(
      /^roleAssignment/,
    );
    expect(ask(rows, cleo, act('Microsoft.Authorization/roleAssignments/write', workspace))).toBe(
      'default:missing-grant',
    );
  });
});

describe('a deny assignment', () => {
  const with_ = (...denyAssignments: PolicyRows['denyAssignments']): PolicyRows => ({
    ...rows,
    denyAssignments,
  });

  test('wins over every grant, whichever is nearer', () => {
    expect(ask(with_(deny(1, { scope: '/', principals: [researchers] })), ada, submit)).toMatch(
      /^denyAssignment/,
    );
  });

  test('is named by nearest scope, then lowest id', () => {
    const far = deny(1, { scope: '/' });
    const near = deny(3, { scope: workspace });
    const alsoNear = deny(2, { scope: workspace });
    expect(ask(with_(far, near, alsoNear), ada, submit)).toBe(`denyAssignment:${alsoNear.id}`);
  });

  test('for everyone spares only whom it excludes, groups counted', () => {
    const world = with_(
      deny(1, { principals: [everyone as PrincipalId], excludePrincipals: [platformTeam] }),
    );
    expect(ask(world, ben, submit)).toMatch(/^roleAssignment/);
    expect(ask(world, ada, submit)).toMatch(/^denyAssignment/);
  });

  test('cannot exclude everyone', () => {
    const world = with_(deny(1, { excludePrincipals: [everyone as PrincipalId] }));
    expect(ask(world, ada, submit)).toMatch(/^denyAssignment/);
  });

  test('that does not apply to child scopes holds at its own scope only', () => {
    expect(ask(with_(deny(1, { doNotApplyToChildScopes: true })), ada, submit)).toMatch(/^roleAssignment/);
    expect(ask(with_(deny(1, { scope: workspace, doNotApplyToChildScopes: true })), ada, submit)).toMatch(
      /^deny/,
    );
  });

  test('that does not apply to child scopes does not, whichever scopes are known', () => {
    const own = deny(1, { scope: '/first', doNotApplyToChildScopes: true });
    const world = { ...with_(own), roleAssignments: [assignment(1, '/', roleIds.owner, ada)] };
    for (const compileAfter of [1, 1_000]) {
      const snapshot = PolicySnapshot.from(world, { ...small, compileAfter });
      const ask = (scope: string) => [
        decide(snapshot, ada, act('x/read', scope)).allowed,
        isAllowed(snapshot, ada, act('x/read', scope)),
      ];
      expect([ask('/first'), ask('/first/x'), ask('/')]).toEqual([
        [false, false],
        [true, true],
        [true, true],
      ]);
    }
  });

  test('still holds through a disabled group, which grants and excludes no more', () => {
    const principals = rows.principals.map((row) =>
      row.id === visionTeam ? { ...row, enabled: false } : row,
    );
    expect(ask({ ...rows, principals }, ada, submit)).toBe('default:missing-grant');
    const world = { ...with_(deny(1, { principals: [researchers] })), principals };
    expect(ask(world, ada, submit)).toMatch(/^denyAssignment/);
    const excluded = {
      ...with_(deny(1, { principals: [ada], excludePrincipals: [visionTeam] })),
      principals,
    };
    expect(ask(excluded, ada, submit)).toMatch(/^denyAssignment/);
  });
});

describe('whoever is not a live principal of the directory', () => {
  test('is refused: unknown, disabled, or a group cycle that leads nowhere', () => {
    const principals = rows.principals.map((row) => (row.id === ada ? { ...row, enabled: false } : row));
    expect(ask({ ...rows, principals }, ada, submit)).toBe('default:disabled-principal');
    expect(ask(rows, 'nobody' as PrincipalId, submit)).toBe('default:unknown-principal');
    const memberships = [...rows.memberships, { group: visionTeam, member: researchers }];
    expect(ask({ ...rows, memberships }, cleo, submit)).toBe('default:missing-grant');
    expect(ask({ ...rows, memberships }, ada, submit)).toMatch(/^roleAssignment/);
  });

  test('gains nothing from a membership in something that is not a group', () => {
    const memberships = [...rows.memberships, { group: ben, member: cleo }];
    const roleAssignments = [...rows.roleAssignments, assignment(9, '/', roleIds.owner, ben)];
    expect(ask({ ...rows, memberships, roleAssignments }, cleo, submit)).toBe('default:missing-grant');
  });
});

describe('an access', () => {
  test('is compared without case, scope and action alike', () => {
    expect(ask(rows, ada, act(submit.action.toUpperCase(), workspace.toUpperCase()))).toMatch(
      /^roleAssignment/,
    );
  });

  test.each(['', 'subscriptions/x', '/a//b', '/a/../b', '/a/b?c', '/a/\u0000'])(
    'at %j, which is no scope, is refused even to the root Owner',
    (scope) => {
      const world = { ...rows, roleAssignments: [assignment(9, '/', roleIds.owner, ben)] };
      expect(ask(world, ben, { ...submit, scope })).toBe('default:policy-unavailable');
    },
  );

  test('cannot slip past a deny by its case or a trailing slash', () => {
    const world = { ...rows, denyAssignments: [deny(1, { scope: workspace })] };
    for (const scope of [workspace.toUpperCase(), `${workspace}/`, `${workspace.toUpperCase()}/jobs/j`]) {
      expect(ask(world, ada, { ...submit, scope })).toMatch(/^denyAssignment/);
    }
  });
});

describe('a delegation chain', () => {
  const load = () => PolicySnapshot.from(rows, small);

  test('is allowed only if every authority is; the first that lacks the right is named', () => {
    const snapshot = load();
    expect(decideForAll(snapshot, [ada, job], readBlob)).toMatchObject({ allowed: true, decidedFor: ada });
    expect(decideForAll(snapshot, [ada, job], submit)).toMatchObject({ allowed: false, decidedFor: job });
    expect(decideForAll(snapshot, [job, cleo], submit)).toMatchObject({ allowed: false, decidedFor: job });
  });

  test('without authorities is refused', () => {
    const snapshot = load();
    expect(decideForAll(snapshot, [], readBlob)).toEqual({
      allowed: false,
      cause: { kind: 'unknown-principal' },
      decidedFor: null,
    });
    expect(isAllowedForAll(snapshot, [], readBlob)).toBe(false);
  });

  test('carries the policy of the authority that it is decided for', () => {
    const snapshot = load();
    const refused = decideForAll(snapshot, [ada, job, cleo], submit);
    expect(refused).toEqual({ ...decide(snapshot, job, submit), decidedFor: job });
    const allowed = decideForAll(snapshot, [ada, job], readBlob);
    expect(allowed).toEqual({ ...decide(snapshot, ada, readBlob), decidedFor: ada });
  });

  test('is allowed without a name exactly when it is with one', () => {
    const snapshot = load();
    for (const authorities of [[ada], [ada, job], [job, ada], [ada, ben], [cleo, ada], [ada, ada]]) {
      for (const access of [readBlob, submit]) {
        expect(isAllowedForAll(snapshot, authorities, access)).toBe(
          decideForAll(snapshot, authorities, access).allowed,
        );
      }
    }
  });

  test('gives a job what it reads and registers, not what submits or cancels', () => {
    const snapshot = load();
    const ml = 'Microsoft.MachineLearningServices/workspaces';
    for (const action of ['models/versions/write', 'experiments/runs/write', 'data/versions/read']) {
      expect(decide(snapshot, job, act(`${ml}/${action}`, workspace)).allowed).toBe(true);
    }
    for (const action of [
      'jobs/read',
      'jobs/write',
      'jobs/cancel/action',
      'jobs/delete',
      'write',
      'data/versions/write',
    ]) {
      expect(decide(snapshot, job, act(`${ml}/${action}`, workspace)).allowed).toBe(false);
    }
    const patientData = { ...readBlob, scope: `${patients}/blobs/a.csv` };
    expect(decide(snapshot, job, patientData).allowed).toBe(false);
  });
});

describe('a verdict', () => {
  const denial = deny(1, { scope: workspace, principals: [job] });
  const disabled = rows.principals.map((row) => (row.id === cleo ? { ...row, enabled: false } : row));
  const orphan = assignment(9, subscription, 'eeeeeeee-0000-4000-8000-000000000000', cleo);
  const world = {
    ...rows,
    principals: disabled,
    denyAssignments: [denial],
    roleAssignments: [...rows.roleAssignments, orphan],
  };
  const load = () => PolicySnapshot.from(world, small);
  const stranger = 'nobody' as PrincipalId;

  test('names the role assignment that allows, whole', () => {
    const snapshot = load();
    const { id, scope, roleDefinitionId, principalId } = assignment(
      1,
      group,
      roleIds.machineLearningDataScientist,
      researchers,
    );
    const roleName = 'AzureML Data Scientist';
    expect(decide(snapshot, ada, submit)).toEqual({
      allowed: true,
      cause: { kind: 'role-assignment', id, roleDefinitionId, roleName, scope, principalId },
    });
  });

  test('names the deny assignment that refuses, whole', () => {
    const snapshot = load();
    const { id, name, scope } = denial;
    expect(decide(snapshot, job, act('x/read', workspace))).toEqual({
      allowed: false,
      cause: { kind: 'deny-assignment', id, name, scope },
    });
  });

  test('names the deny assignment also where nothing else is assigned at all', () => {
    const lonely = PolicySnapshot.from({ ...rows, roleAssignments: [], denyAssignments: [denial] }, small);
    expect(decide(lonely, job, submit).cause).toMatchObject({ kind: 'deny-assignment', id: denial.id });
  });

  test('is a refusal whatever else the reason', () => {
    const snapshot = load();
    const refusal = (kind: string) => ({ allowed: false, cause: { kind } });
    expect(decide(snapshot, ada, readBlob).allowed).toBe(true);
    expect(decide(snapshot, ada, act('x/write', workspace))).toEqual(refusal('missing-grant'));
    expect(decide(snapshot, stranger, submit)).toEqual(refusal('unknown-principal'));
    expect(decide(snapshot, cleo, submit)).toEqual(refusal('disabled-principal'));
    expect(decide(snapshot, ada, { ...submit, scope: 'no scope' })).toEqual(refusal('policy-unavailable'));
  });

  test('refuses when the decision itself fails', () => {
    const snapshot = load();
    const broken: Access = {
      ...submit,
      get scope(): string {
        throw new Error('the request is gone');
      },
    };
    expect(decide(snapshot, ada, broken)).toEqual({ allowed: false, cause: { kind: 'policy-unavailable' } });
    expect(isAllowed(snapshot, ada, broken)).toBe(false);
  });

  test('refuses whoever is disabled after it was allowed', () => {
    const changing = PolicySnapshot.from(world, { ...small, compileAfter: 1 });
    expect([isAllowed(changing, ada, submit), isAllowed(changing, ada, submit)]).toEqual([true, true]);
    const principal = { ...person(ada, 'Ada'), enabled: false };
    changing.apply({ sequence: 11, previous: 10, change: { kind: 'principal.updated', principal } });
    expect(isAllowed(changing, ada, submit)).toBe(false);
    expect(decide(changing, ada, submit).cause.kind).toBe('disabled-principal');
    changing.apply({
      sequence: 12,
      previous: 11,
      change: { kind: 'principal.updated', principal: person(ada, 'Ada') },
    });
    expect(isAllowed(changing, ada, submit)).toBe(true);
  });

  test('is a refusal for everything once the snapshot is at fault, also of what was allowed', () => {
    const faulty = PolicySnapshot.from(world, { ...small, compileAfter: 1 });
    expect(isAllowed(faulty, ada, submit)).toBe(true);
    expect(decide(faulty, ada, submit).allowed).toBe(true);
    faulty.apply({
      sequence: Number.NaN,
      previous: 10,
      change: { kind: 'principal.deleted', id: ben, principalKind: 'user' },
    });
    expect(isAllowed(faulty, ada, submit)).toBe(false);
    expect(isAllowedForAll(faulty, [ada], submit)).toBe(false);
    expect(decide(faulty, ada, submit)).toEqual({ allowed: false, cause: { kind: 'policy-unavailable' } });
  });

  test('without a name is the same as with one', () => {
    const snapshot = load();
    const asked = [
      submit,
      readBlob,
      act('x/read', workspace),
      act('x/read', '/'),
      { ...submit, scope: 'none' },
    ];
    for (const who of [ada, ben, cleo, job, stranger, researchers]) {
      for (const access of asked) {
        const { allowed } = decide(snapshot, who, access);
        for (let i = 0; i < 12; i++) expect(isAllowed(snapshot, who, access)).toBe(allowed);
      }
    }
  });
});

describe('Azure’s administrative roles', () => {
  const holds = (role: string, action: string): boolean => {
    const world = { ...rows, roleAssignments: [assignment(1, subscription, role, ada)] };
    return decide(PolicySnapshot.from(world, small), ada, act(action, workspace)).allowed;
  };

  test('Contributor may do everything except decide who may', () => {
    expect(holds(roleIds.contributor, 'Microsoft.Storage/storageAccounts/write')).toBe(true);
    expect(holds(roleIds.contributor, 'Microsoft.Authorization/roleAssignments/read')).toBe(true);
    expect(holds(roleIds.contributor, 'Microsoft.Authorization/roleAssignments/write')).toBe(false);
    expect(holds(roleIds.contributor, 'Microsoft.Authorization/roleDefinitions/delete')).toBe(false);
  });

  test('RBAC Administrator manages assignments, not role definitions or resources', () => {
    expect(holds(roleIds.rbacAdministrator, 'Microsoft.Authorization/roleAssignments/write')).toBe(true);
    expect(holds(roleIds.rbacAdministrator, 'Microsoft.Authorization/roleDefinitions/write')).toBe(false);
    expect(holds(roleIds.rbacAdministrator, 'Microsoft.Storage/storageAccounts/write')).toBe(false);
  });

  test('Lockstep Auditor sees and does not touch', () => {
    expect(holds(roleIds.lockstepAuditor, 'Lockstep.Access/sessions/read')).toBe(true);
    expect(holds(roleIds.lockstepAuditor, 'Lockstep.Access/sessions/cut/action')).toBe(false);
  });
});

describe('a snapshot', () => {
  const removal: Change = { kind: 'group.member-removed', group: visionTeam, member: ada };

  test('enforces a change at once and carries its sequence as version', () => {
    const snapshot = PolicySnapshot.from(rows, small);
    expect(decide(snapshot, ada, submit).allowed).toBe(true);
    snapshot.apply({ sequence: 11, previous: 10, change: removal });
    expect(decide(snapshot, ada, submit).allowed).toBe(false);
    expect(snapshot.version).toBe(11);
  });

  test('ignores what it has already seen, so a replay cannot give a right back', () => {
    const snapshot = PolicySnapshot.from(rows, small);
    const addition: Change = { kind: 'group.member-added', group: visionTeam, member: ada };
    snapshot.apply({ sequence: 12, previous: 10, change: removal });
    snapshot.apply({ sequence: 11, previous: 10, change: addition });
    snapshot.apply({ sequence: 12, previous: 10, change: addition });
    expect(decide(snapshot, ada, submit).allowed).toBe(false);
    expect(snapshot.fault).toBeNull();
    expect(snapshot.version).toBe(12);
  });

  test('refuses everything while a change is missing, and goes on when it has come', () => {
    const snapshot = PolicySnapshot.from(rows);
    const addition: Change = { kind: 'group.member-added', group: visionTeam, member: ada };
    snapshot.apply({ sequence: 15, previous: 12, change: addition });
    expect(snapshot.fault).toEqual({ kind: 'behind', after: 10, upTo: 15 });
    expect(decide(snapshot, ben, submit).cause.kind).toBe('policy-unavailable');
    snapshot.apply({ sequence: 12, previous: 10, change: removal });
    expect(decide(snapshot, ben, submit).cause.kind).toBe('policy-unavailable');
    expect(snapshot.version).toBe(12);
    snapshot.apply({ sequence: 15, previous: 12, change: addition });
    expect(snapshot.fault).toBeNull();
    expect(decide(snapshot, ada, submit).allowed).toBe(true);
  });

  test('does not follow a feed that goes another way than it came', () => {
    const snapshot = PolicySnapshot.from(rows);
    snapshot.apply({ sequence: 12, previous: 9, change: removal });
    expect(snapshot.fault?.kind).toBe('broken');
    expect(snapshot.version).toBe(10);
  });

  test('loaded anew, it is sound again, but still misses what it has heard of beyond the rows', () => {
    const snapshot = PolicySnapshot.from(rows);
    snapshot.apply({ sequence: Number.NaN, previous: 10, change: removal });
    snapshot.apply({ sequence: 13, previous: 11, change: removal });
    snapshot.load({ ...rows, version: 11 });
    expect(snapshot.fault).toEqual({ kind: 'behind', after: 11, upTo: 13 });
    snapshot.apply({ sequence: 13, previous: 11, change: removal });
    expect(decide(snapshot, ada, submit).allowed).toBe(false);
    expect(snapshot.fault).toBeNull();
    expect(() => snapshot.load(rows)).toThrow(RangeError);
    expect(snapshot.version).toBe(13);
  });

  test.each([Number.NaN, 11.5, Number.POSITIVE_INFINITY])(
    'refuses everything once told to apply sequence %s',
    (sequence) => {
      const snapshot = PolicySnapshot.from(rows, small);
      snapshot.apply({ sequence, previous: 10, change: removal });
      expect(snapshot.fault?.kind).toBe('broken');
      expect(decide(snapshot, ben, submit).cause.kind).toBe('policy-unavailable');
    },
  );

  test('refuses everything once a change cannot be taken in', () => {
    const snapshot = PolicySnapshot.from(rows, small);
    snapshot.apply({
      sequence: 11,
      previous: 10,
      change: { kind: 'deny-assignment.put', assignment: deny(1, { scope: 'nowhere' }) },
    });
    expect(decide(snapshot, ben, submit).cause.kind).toBe('policy-unavailable');
    expect(snapshot.version).toBe(10);
  });

  test('is not built from rows whose scope is no scope', () => {
    const world = { ...rows, roleAssignments: [assignment(9, 'nowhere', roleIds.owner, ada)] };
    expect(() => PolicySnapshot.from(world, small)).toThrow(RangeError);
  });

  test('lets go of the identities and scopes of jobs that came and went', () => {
    const snapshot = PolicySnapshot.from(rows, small);
    const { size } = snapshot;
    let sequence = 10;
    for (let i = 0; i < 500; i++) {
      const id = `22222222-0000-4000-8000-${String(i).padStart(12, '0')}` as PrincipalId;
      const granted = { ...assignment(1_000 + i, `${workspace}/jobs/j${i}`, roleIds.reader, id) };
      const changes: Change[] = [
        { kind: 'principal.created', principal: { ...person(id, 'job'), kind: 'job' } },
        { kind: 'role-assignment.put', assignment: granted },
        { kind: 'role-assignment.deleted', assignment: granted },
        { kind: 'principal.deleted', id, principalKind: 'job' },
      ];
      for (const change of changes) snapshot.apply({ previous: sequence, sequence: ++sequence, change });
    }
    expect(snapshot.size).toEqual(size);
  });
});

function ask(world: PolicyRows, principal: PrincipalId, access: Access): string {
  return policyIdOf(decide(PolicySnapshot.from(world, small), principal, access).cause);
}

function act(action: string, scope: string): Access {
  return { action, dataAction: false, scope };
}

function data(action: string, scope: string): Access {
  return { action, dataAction: true, scope };
}
