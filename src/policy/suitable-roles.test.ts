import { describe, expect, test } from 'vitest';
import type { Permission, RoleDefinition } from '../store/changes.ts';
import { builtInRoles, roleIds } from './built-in-roles.ts';
import { PolicySnapshot } from './snapshot.ts';
import { suitableRoles } from './suitable-roles.ts';
import { id, rows } from './testing/people.ts';

const scope = '/subscriptions/s/resourcegroups/g';
const ml = 'Microsoft.MachineLearningServices/workspaces';

function suggested(
  action: string,
  {
    roles = builtInRoles,
    dataAction = false,
  }: { roles?: readonly RoleDefinition[]; dataAction?: boolean } = {},
): string[] {
  const snapshot = PolicySnapshot.from({ ...rows, roleDefinitions: roles });
  return suitableRoles(snapshot, { action, dataAction, scope }, [scope]).map(({ roleName }) => roleName);
}

function custom(number: number, roleName: string, permission: Partial<Permission>): RoleDefinition {
  const whole = { actions: [], notActions: [], dataActions: [], notDataActions: [], ...permission };
  return {
    id: id(number),
    roleName,
    description: '',
    type: 'CustomRole',
    permissions: [whole],
    assignableScopes: ['/'],
  };
}

describe('suitable roles', () => {
  test('for looking are those that only look, before those that may run code', () => {
    expect(suggested(`${ml}/computes/read`)).toEqual([
      'Reader',
      'AzureML Compute Operator',
      'AzureML Data Scientist',
      'Contributor',
    ]);
    expect(suggested(`${ml}/experiments/read`)[0]).toBe('Reader');
  });

  test('never give access away where a role that does not is enough', () => {
    const giving = ['Owner', 'User Access Administrator', 'Role Based Access Control Administrator'];
    for (const action of [`${ml}/experiments/read`, `${ml}/jobs/write`, 'Contoso.X/y/action']) {
      expect(suggested(action).filter((name) => giving.includes(name))).toEqual([]);
    }
    expect(suggested('Microsoft.Authorization/roleAssignments/write')).toEqual([
      'Role Based Access Control Administrator',
      'User Access Administrator',
      'Owner',
    ]);
  });

  test('go by what kinds of action they hold before how many', () => {
    const roles = [
      custom(201, 'acts on this', { actions: [`${ml}/jobs/*`] }),
      custom(202, 'writes this', { actions: [`${ml}/jobs/read`, `${ml}/jobs/delete`] }),
      custom(203, 'reads all', { actions: ['*/read'] }),
      custom(204, 'reads this', { actions: [`${ml}/jobs/read`] }),
      custom(205, 'cancels this', { actions: [`${ml}/jobs/read`, `${ml}/jobs/cancel/action`] }),
    ];
    expect(suggested(`${ml}/jobs/read`, { roles })).toEqual([
      'reads this',
      'reads all',
      'writes this',
      'cancels this',
      'acts on this',
    ]);
  });

  test('are measured without what their notActions take away', () => {
    const roles = [
      custom(201, 'writes', { actions: [`${ml}/jobs/read`, `${ml}/jobs/write`] }),
      custom(202, 'reads in the end', {
        actions: ['*'],
        notActions: ['*/WRITE', '*/delete', '*/action'],
      }),
      custom(203, 'still acts', {
        actions: [`${ml}/*`],
        notActions: ['*/write', '*/delete', `${ml}/*/action`],
      }),
    ];
    expect(suggested(`${ml}/jobs/read`, { roles })).toEqual(['reads in the end', 'writes', 'still acts']);
  });

  test('are measured by their data actions likewise', () => {
    const blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs';
    const roles = [
      custom(201, 'moves', { dataActions: [`${blobs}/read`, `${blobs}/move/action`] }),
      custom(202, 'reads all', { dataActions: ['*/read'] }),
      custom(203, 'all but moving', { dataActions: [`${blobs}/*`], notDataActions: ['*/action'] }),
    ];
    expect(suggested(`${blobs}/read`, { roles, dataAction: true })).toEqual([
      'reads all',
      'all but moving',
      'moves',
    ]);
    expect(suggested(`${blobs}/read`, { dataAction: true })[0]).toBe('Storage Blob Data Reader');
  });

  test('that name a single way to give access away come last', () => {
    const roles = [
      custom(201, 'also elevates', {
        actions: [`${ml}/jobs/read`, 'Microsoft.Authorization/elevateAccess/action'],
      }),
      builtInRoles.find(({ id: each }) => each === roleIds.contributor) as RoleDefinition,
    ];
    expect(suggested(`${ml}/jobs/read`, { roles })).toEqual(['Contributor']);
  });
});
