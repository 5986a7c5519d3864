import type { PrincipalId } from '../lib/ids.ts';
import type { AssignmentPrincipalType, PrincipalKind } from '../store/changes.ts';
import type { GrantRequest, Remedy } from './explanation.ts';
import type { PolicySnapshot } from './snapshot.ts';

const principalTypes: Readonly<Record<PrincipalKind, AssignmentPrincipalType>> = {
  user: 'User',
  group: 'Group',
  application: 'ServicePrincipal',
  'managed-identity': 'ServicePrincipal',
  job: 'ServicePrincipal',
};

export function principalTypeOf(kind: PrincipalKind): AssignmentPrincipalType {
  return principalTypes[kind];
}

/** The request that would give a role, ready to be sent by whoever may; null for a principal that does not exist. */
export function grantRequest(
  snapshot: PolicySnapshot,
  id: PrincipalId,
  role: Remedy['roles'][number] | undefined,
  scope: string,
): GrantRequest | null {
  const principal = snapshot.principal(id);
  if (!principal || !role) return null;
  const at = scope === '/' ? '' : scope;
  const subscription = /^\/subscriptions\/[^/]+/.exec(scope)?.[0] ?? '';
  return {
    method: 'PUT',
    path: `${at}/providers/Microsoft.Authorization/roleAssignments/{guid}?api-version=2022-04-01`,
    body: {
      properties: {
        roleDefinitionId: `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role.id}`,
        principalId: id,
        principalType: principalTypeOf(principal.kind),
      },
    },
    scope,
    command: grantCommands({ roleName: role.roleName, principalId: id, kind: principal.kind, scope })
      .lockstep,
  };
}

/** The commands, of Lockstep's own and of Azure's command line, that give a role. */
export function grantCommands(grant: {
  readonly roleName: string;
  readonly principalId: PrincipalId;
  readonly kind: PrincipalKind;
  readonly scope: string;
}): { readonly lockstep: string; readonly az: string } {
  const { principalId } = grant;
  const [role, scope] = [shellWord(grant.roleName), shellWord(grant.scope)];
  return {
    lockstep: `lockstep role assign --role ${role} --assignee ${principalId} --scope ${scope}`,
    az:
      `az role assignment create --role ${role} --assignee-object-id ${principalId} ` +
      `--assignee-principal-type ${principalTypeOf(grant.kind)} --scope ${scope}`,
  };
}

/** As one word of a POSIX shell, whatever it holds: names and scopes are other people's texts. */
function shellWord(text: string): string {
  return /^[\w./~%:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
