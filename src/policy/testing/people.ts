import type { PrincipalId } from '../../lib/ids.ts';
import type { DenyAssignment, PrincipalRecord, RoleAssignment } from '../../store/changes.ts';
import { builtInRoles, roleIds } from '../built-in-roles.ts';
import type { PolicyRows } from '../snapshot.ts';

/** The three people of the room's README, their groups, and one job. */
export const ada = id(1);
export const ben = id(2);
export const cleo = id(3);
export const job = id(4);
export const researchers = id(11);
export const visionTeam = id(12);
export const platformTeam = id(13);

export const subscription = '/subscriptions/00000000-0000-4000-8000-00000000aaaa';
export const group = `${subscription}/resourcegroups/vision`;
export const workspace = `${group}/providers/microsoft.machinelearningservices/workspaces/lab`;
export const account = `${group}/providers/microsoft.storage/storageaccounts/pictures`;
export const training = `${account}/blobservices/default/containers/training`;
export const patients = `${account}/blobservices/default/containers/patients`;

/** Ada trains models, Ben owns the platform, Cleo audits. */
export const rows: PolicyRows = {
  principals: [
    person(ada, 'Ada'),
    person(ben, 'Ben'),
    person(cleo, 'Cleo'),
    { ...person(job, 'train-42'), kind: 'job', sponsorId: ada },
    { ...person(researchers, 'Researchers'), kind: 'group' },
    { ...person(visionTeam, 'Vision team'), kind: 'group' },
    { ...person(platformTeam, 'Platform team'), kind: 'group' },
  ],
  memberships: [
    { group: visionTeam, member: ada },
    { group: researchers, member: visionTeam },
    { group: platformTeam, member: ben },
  ],
  roleDefinitions: builtInRoles,
  roleAssignments: [
    assignment(1, group, roleIds.machineLearningDataScientist, researchers),
    assignment(2, training, roleIds.storageBlobDataReader, visionTeam),
    assignment(3, subscription, roleIds.owner, platformTeam),
    assignment(4, subscription, roleIds.reader, cleo),
    assignment(5, workspace, roleIds.lockstepJobRuntime, job),
    assignment(6, training, roleIds.storageBlobDataReader, job),
  ],
  denyAssignments: [],
  version: 10,
};

export function assignment(n: number, scope: string, role: string, principalId: PrincipalId): RoleAssignment {
  return {
    id: `aaaaaaaa-0000-4000-8000-${String(n).padStart(12, '0')}`,
    scope,
    roleDefinitionId: role,
    principalId,
    principalType: 'User',
    description: '',
    createdOn: '2026-01-01T00:00:00.000Z',
    createdBy: ben,
  };
}

export function deny(n: number, given: Partial<DenyAssignment>): DenyAssignment {
  return {
    id: `dddddddd-0000-4000-8000-${String(n).padStart(12, '0')}`,
    name: `deny ${n}`,
    description: '',
    scope: group,
    permissions: [{ actions: ['*'], notActions: [], dataActions: ['*'], notDataActions: [] }],
    doNotApplyToChildScopes: false,
    principals: [ada],
    excludePrincipals: [],
    ...given,
  };
}

export function person(principal: PrincipalId, displayName: string): PrincipalRecord {
  return { id: principal, kind: 'user', displayName, enabled: true, sponsorId: null, signInName: null };
}

export function id(n: number): PrincipalId {
  return `11111111-0000-4000-8000-${String(n).padStart(12, '0')}` as PrincipalId;
}
