import { randomUUID } from 'node:crypto';
import { ownScope } from '../../src/api/own-actions.ts';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import type { Scene } from '../e2e/scene.ts';

/** An application with a secret: who az and Terraform act as. */
export interface Delegate {
  readonly id: string;
  readonly appId: string;
  readonly secret: string;
}

export interface Delegates {
  /** Owner of the subscription, and administrator of the directory. */
  readonly platform: Delegate;
  /** May make people and groups Storage Blob Data Readers in the workspace's resource group, and give nothing else. */
  readonly delegate: Delegate;
  /** Reads the workspace, and nothing else. */
  readonly guest: Delegate;
  /** Holds no role. */
  readonly visitor: Delegate;
}

/** The roles that the delegate may give, and the kinds of principals that may have them. */
export const bounds = boundsOf(roleIds.storageBlobDataReader, "'User', 'Group'");

/** Applications whose rights differ, made by the administrator. */
export async function openDelegates({ house, cast }: Scene): Promise<Delegates> {
  const subscription = `/subscriptions/${house.stage.place.subscriptionId}`;
  const resourceGroup = `${subscription}/resourceGroups/${house.stage.place.resourceGroup}`;
  const application = async (displayName: string): Promise<Delegate> => {
    const { id, appId } = await house.admin.change<{ id: string; appId: string }>(
      'POST',
      '/v1.0/applications',
      { displayName },
      [201],
    );
    const { secretText: secret } = await house.admin.change<{ secretText: string }>(
      'POST',
      `/v1.0/applications/${id}/addPassword`,
      { passwordCredential: { displayName: 'interop' } },
      [200],
    );
    return { id, appId, secret };
  };
  const give = async (to: Delegate, role: string, scope: string, condition?: string) => {
    const properties = {
      roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${role}`,
      principalId: to.id,
      ...(condition === undefined ? {} : { condition, conditionVersion: '2.0' }),
    };
    const path = `${scope}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`;
    await house.admin.change('PUT', `${path}?api-version=2022-04-01`, { properties }, [201]);
  };
  const platform = await application('platform');
  const delegate = await application('delegate');
  const guest = await application('guest');
  await give(platform, roleIds.owner, subscription);
  await give(platform, roleIds.lockstepAdministrator, ownScope);
  await give(delegate, roleIds.rbacAdministrator, resourceGroup, bounds);
  await give(guest, roleIds.reader, cast.scopes.workspace);
  return { platform, delegate, guest, visitor: await application('visitor') };
}

/** The condition that Azure's portal writes for a constrained delegate: what may be given, and what taken away. */
function boundsOf(role: string, kinds: string): string {
  const within = (verb: 'write' | 'delete', source: 'Request' | 'Resource') =>
    `((!(ActionMatches{'Microsoft.Authorization/roleAssignments/${verb}'})) OR ` +
    `(@${source}[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${role}} AND ` +
    `@${source}[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {${kinds}}))`;
  return `${within('write', 'Request')} AND ${within('delete', 'Resource')}`;
}
