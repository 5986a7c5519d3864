import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent } from 'undici';
import { lockstep, type CiIssuer } from '../../../examples/four-day-training-job/processes.ts';
import { CredentialsFile } from '../../../src/cli/connection/credentials.ts';
import { accessToken } from '../../../src/cli/connection/tokens.ts';
import { roleIds } from '../../../src/policy/built-in-roles.ts';
import type { Client, Sent } from './client.ts';
import type { Announcement } from './gateway-process.ts';

export interface Workload {
  readonly id: string;
  readonly appId: string;
}

/** The people, applications, groups and roles among whom the actors play. */
export interface Stage {
  readonly client: Client;
  readonly issuer: CiIssuer;
  readonly tenantId: string;
  readonly storageAccount: string;
  /** Resource id of the workspace. */
  readonly workspace: string;
  readonly environment: string;
  /** Scope of the datasets' container. */
  readonly datasets: string;
  /** The administrator's tokens, by what they are for. */
  readonly admin: { readonly graph: string; readonly arm: string; readonly events: string };
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** Submits jobs in the name of a person who stays. */
  readonly ci: Workload;
  /** Submits jobs in the name of a person who leaves, again and again. */
  readonly leaver: Workload & { readonly person: string; readonly group: string };
  /** May read the datasets exactly while it is in its group. */
  readonly probe: Workload & { readonly group: string };
}

const arm = '?api-version=2022-04-01';

export async function setStage(
  at: Announcement,
  client: Client,
  issuer: CiIssuer,
  temporary: string,
): Promise<Stage> {
  const admin = await signIn(at, temporary);
  const graph = (method: string, path: string, body?: object) =>
    must<{ id: string; appId: string }>(client, method, path, { token: admin.graph, ...(body && { body }) });
  const user = async (name: string) =>
    (
      await graph('POST', '/v1.0/users', {
        displayName: name,
        userPrincipalName: `${name}@palmer.example`,
        accountEnabled: true,
        passwordProfile: { password: randomUUID() },
      })
    ).id;
  const group = async (displayName: string) => (await graph('POST', '/v1.0/groups', { displayName })).id;
  const member = (id: string, of: string) =>
    graph('POST', `/v1.0/groups/${of}/members/$ref`, { '@odata.id': directoryObject(id) });
  const workload = async (displayName: string, sponsor: string): Promise<Workload> => {
    const made = await graph('POST', '/v1.0/applications', { displayName, lockstepSponsorId: sponsor });
    await graph('POST', `/v1.0/applications/${made.id}/federatedIdentityCredentials`, {
      name: 'production',
      issuer: issuer.issuer,
      audiences: ['api://AzureADTokenExchange'],
      lockstepClaims: { repository_id: '4242', repository_owner_id: '4200', environment: 'production' },
    });
    return { id: made.id, appId: made.appId };
  };

  const { subscriptionId, resourceGroup, name } = at.workspace;
  const groupScope = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers`;
  const workspace = `${groupScope}/Microsoft.MachineLearningServices/workspaces/${name}`;
  const container = (of: string) =>
    `${groupScope}/Microsoft.Storage/storageAccounts/${at.storageAccount}/blobServices/default/containers/${of}`;
  const datasets = container('azureml-blobstore');
  const assign = (scope: string, role: string, principalId: string) =>
    must(client, 'PUT', `${scope}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}${arm}`, {
      token: admin.arm,
      body: assignment(role, principalId, 'Group'),
    });

  const ada = await user('ada');
  const bob = await user('bob');
  const [engineers, interns, readers] = [
    await group('engineers'),
    await group('interns'),
    await group('readers'),
  ];
  const [ci, leaver, probe] = [
    await workload('ci', ada),
    await workload('intern-ci', bob),
    await workload('probe', ada),
  ];
  for (const [id, of] of [
    [ada, engineers],
    [ci.id, engineers],
    [bob, interns],
    [leaver.id, interns],
  ] as const)
    await member(id, of);
  for (const of of [engineers, interns]) await assign(workspace, roleIds.machineLearningDataScientist, of);
  await assign(datasets, roleIds.storageBlobDataContributor, engineers);
  await assign(container('azureml'), roleIds.storageBlobDataContributor, engineers);
  await assign(datasets, roleIds.storageBlobDataReader, readers);
  const environment = `${workspace}/environments/host/versions/1`;
  await must(client, 'PUT', `${environment}${arm}`, {
    token: admin.arm,
    body: { properties: { image: 'host' } },
  });
  return {
    client,
    issuer,
    tenantId: at.tenantId,
    storageAccount: at.storageAccount,
    workspace,
    environment,
    datasets,
    admin,
    users: [await user('cleo'), await user('dan'), await user('eve')],
    groups: [await group('red'), await group('blue')],
    ci,
    leaver: { ...leaver, person: bob, group: interns },
    probe: { ...probe, group: readers },
  };
}

export function directoryObject(id: string): string {
  return `https://graph.microsoft.com/v1.0/directoryObjects/${id}`;
}

export function assignment(role: string, principalId: string, principalType: 'User' | 'Group'): object {
  const roleDefinitionId = `/providers/Microsoft.Authorization/roleDefinitions/${role}`;
  return { properties: { roleDefinitionId, principalId, principalType } };
}

async function must<T>(client: Client, method: string, path: string, sent: Sent): Promise<T> {
  const answer = await client.send(method, path, sent);
  if (answer.status >= 300) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text()}`);
  return (answer.bytes.length === 0 ? null : answer.json()) as T;
}

async function signIn(at: Announcement, temporary: string): Promise<Stage['admin']> {
  const environment = {
    LOCKSTEP_CONFIG_HOME: temporary,
    LOCKSTEP_URL: at.url,
    LOCKSTEP_CA: at.certificateAuthorityFile,
  };
  const signedIn = await lockstep(['login', '--link', at.adminLink ?? ''], environment);
  if (signedIn.exitCode !== 0) throw new Error(`the CLI could not sign in: ${signedIn.stderr}`);
  const agent = new Agent({ connect: { ca: readFileSync(at.certificateAuthorityFile, 'utf8') } });
  const file = new CredentialsFile(join(temporary));
  const token = (resource: string) => accessToken({ file, server: at.url, agent, advice: '' }, resource);
  try {
    return {
      graph: await token('https://graph.microsoft.com'),
      arm: await token('https://management.azure.com'),
      events: await token('api://lockstep'),
    };
  } finally {
    await agent.close();
  }
}
