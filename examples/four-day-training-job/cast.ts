// The people, the CI application, the data and the roles of the story: made once, found again afterwards.
import { randomUUID } from 'node:crypto';
import type { LockstepClient } from './lockstep-client.ts';

export interface Place {
  readonly tenantId: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  readonly workspace: string;
  readonly storageAccount: string;
  readonly issuer: string;
}

export interface Cast {
  /** Data scientist; answers for the CI application, so she owns its jobs. */
  readonly ada: string;
  /** Keeper of the field notes: Owner of that container. */
  readonly grace: string;
  readonly engineers: string;
  readonly ci: { readonly id: string; readonly appId: string };
  readonly scopes: {
    readonly workspace: string;
    readonly datasets: string;
    readonly outputs: string;
    readonly fieldNotes: string;
  };
}

/** Built-in role definitions, by their names in Azure. */
const roles = {
  owner: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
  dataScientist: 'f6c7c914-8db3-469d-8ca1-694a8f32e121',
  blobContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe',
  blobOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b',
} as const;

export async function assembleCast(admin: LockstepClient, place: Place): Promise<Cast> {
  const { ada, grace } = {
    ada: await user(admin, 'Ada Byron', 'ada@palmer.example'),
    grace: await user(admin, 'Grace Murray', 'grace@palmer.example'),
  };
  const engineers = await group(admin, 'ml-engineers');
  const ci = await application(admin, 'penguins-ci', ada);
  await federate(admin, ci.id, place.issuer);
  for (const member of [ada, ci.id]) await addMember(admin, engineers, member);

  const storage = `/subscriptions/${place.subscriptionId}/resourceGroups/${place.resourceGroup}/providers/Microsoft.Storage/storageAccounts/${place.storageAccount}`;
  const container = (name: string) => `${storage}/blobServices/default/containers/${name}`;
  const workspaceId = `/subscriptions/${place.subscriptionId}/resourceGroups/${place.resourceGroup}/providers/Microsoft.MachineLearningServices/workspaces/${place.workspace}`;
  const scopes = {
    workspace: workspaceId,
    datasets: container('azureml-blobstore'),
    outputs: container('azureml'),
    fieldNotes: container('field-notes'),
  };
  await assign(admin, scopes.workspace, roles.dataScientist, engineers, 'Group');
  await assign(admin, scopes.datasets, roles.blobContributor, engineers, 'Group');
  await assign(admin, scopes.outputs, roles.blobContributor, engineers, 'Group');
  await assign(admin, scopes.fieldNotes, roles.owner, grace, 'User');
  await assign(admin, scopes.fieldNotes, roles.blobOwner, grace, 'User');
  await fieldNotes(admin, place, scopes.fieldNotes);
  return { ada, grace, engineers, ci, scopes };
}

export async function addMember(admin: LockstepClient, groupId: string, member: string): Promise<void> {
  const { value } = await admin.get<{ value: { id: string }[] }>(`/v1.0/groups/${groupId}/members`);
  if (value.some((present) => present.id === member)) return;
  const reference = { '@odata.id': `https://graph.microsoft.com/v1.0/directoryObjects/${member}` };
  await admin.change('POST', `/v1.0/groups/${groupId}/members/$ref`, reference, [204]);
}

export async function removeMember(admin: LockstepClient, groupId: string, member: string): Promise<void> {
  await admin.change('DELETE', `/v1.0/groups/${groupId}/members/${member}/$ref`, undefined, [204]);
}

async function user(admin: LockstepClient, displayName: string, userPrincipalName: string): Promise<string> {
  const found = await find(admin, 'users', `userPrincipalName eq '${userPrincipalName}'`);
  if (found !== undefined) return found.id;
  const profile = {
    displayName,
    userPrincipalName,
    accountEnabled: true,
    passwordProfile: { password: randomUUID() },
  };
  return (await admin.change<{ id: string }>('POST', '/v1.0/users', profile, [201])).id;
}

async function group(admin: LockstepClient, displayName: string): Promise<string> {
  const found = await find(admin, 'groups', `displayName eq '${displayName}'`);
  return found?.id ?? (await admin.change<{ id: string }>('POST', '/v1.0/groups', { displayName }, [201])).id;
}

async function application(
  admin: LockstepClient,
  displayName: string,
  sponsorId: string,
): Promise<{ id: string; appId: string }> {
  const found = await find(admin, 'applications', `displayName eq '${displayName}'`);
  return (
    found ?? admin.change('POST', '/v1.0/applications', { displayName, lockstepSponsorId: sponsorId }, [201])
  );
}

/** The federated credential of step 1: individual claims, none of them a name that somebody could take over. */
async function federate(admin: LockstepClient, applicationId: string, issuer: string): Promise<void> {
  const path = `/v1.0/applications/${applicationId}/federatedIdentityCredentials`;
  const { value } = await admin.get<{ value: { id: string; issuer: string }[] }>(path);
  for (const stale of value.filter((credential) => credential.issuer !== issuer)) {
    await admin.change('DELETE', `${path}/${stale.id}`, undefined, [204]);
  }
  if (value.some((credential) => credential.issuer === issuer)) return;
  const credential = {
    name: `ci-${new URL(issuer).port}`,
    issuer,
    audiences: ['api://AzureADTokenExchange'],
    lockstepClaims: {
      repository_id: '4242',
      repository_owner_id: '4200',
      environment: 'production',
      ref: 'refs/heads/main',
    },
  };
  await admin.change('POST', path, credential, [201]);
}

async function assign(
  admin: LockstepClient,
  scope: string,
  role: string,
  principalId: string,
  principalType: 'User' | 'Group',
): Promise<void> {
  const properties = {
    roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${role}`,
    principalId,
    principalType,
  };
  const path = `${scope}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}?api-version=2022-04-01`;
  await admin.change('PUT', path, { properties }, [201, 409]);
}

/** The dataset that nobody gave the job. The administrator may not write data either, before giving himself the role. */
async function fieldNotes(admin: LockstepClient, place: Place, scope: string): Promise<void> {
  const { principal } = await admin.get<{ principal: { id: string } }>('/admin/v1/me');
  await assign(admin, scope, roles.blobOwner, principal.id, 'User');
  const container = `/${place.storageAccount}/field-notes`;
  await admin.change('PUT', `${container}?restype=container`, undefined, [201, 409]);
  const notes = Buffer.from('Nest positions, not for publication.\n');
  const answer = await admin.send('PUT', `${container}/nests/positions.csv`, notes, {
    'x-ms-blob-type': 'BlockBlob',
    'x-ms-version': '2025-11-05',
  });
  if (answer.status !== 201)
    throw new Error(`the field notes were not written: ${answer.status} ${JSON.stringify(answer.body)}`);
}

async function find(
  admin: LockstepClient,
  kind: string,
  filter: string,
): Promise<{ id: string; appId: string } | undefined> {
  const { value } = await admin.get<{ value: { id: string; appId: string }[] }>(
    `/v1.0/${kind}?$filter=${encodeURIComponent(filter)}`,
  );
  return value[0];
}
