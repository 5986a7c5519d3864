import { failure } from '../../../lib/errors.ts';

/** What is served here of each provider: resource types, and versions of the API that clients may name. */
const served: Readonly<Record<string, { types: readonly string[]; apiVersions: readonly string[] }>> = {
  'Microsoft.Authorization': {
    types: ['roleAssignments', 'roleDefinitions', 'denyAssignments', 'permissions', 'providerOperations'],
    apiVersions: ['2022-04-01', '2018-09-01-preview', '2018-07-01', '2015-07-01'],
  },
  'Microsoft.MachineLearningServices': {
    types: [
      'workspaces',
      'workspaces/codes',
      'workspaces/codes/versions',
      'workspaces/computes',
      'workspaces/data',
      'workspaces/data/versions',
      'workspaces/datastores',
      'workspaces/environments',
      'workspaces/environments/versions',
      'workspaces/jobs',
      'workspaces/models',
      'workspaces/models/versions',
    ],
    apiVersions: ['2024-10-01', '2024-04-01', '2023-04-01', '2022-10-01'],
  },
  'Microsoft.Management': {
    types: ['managementGroups', 'managementGroups/subscriptions'],
    apiVersions: ['2023-04-01', '2021-04-01', '2020-05-01'],
  },
  'Microsoft.Resources': {
    types: ['tenants', 'subscriptions', 'subscriptions/resourceGroups', 'subscriptions/providers'],
    apiVersions: ['2022-12-01', '2022-09-01', '2021-04-01'],
  },
};

/** learn.microsoft.com/rest/api/resources/providers; `prefix` is empty, or the subscription's path. */
export function providerList(prefix: string): object[] {
  return Object.keys(served).map((namespace) => providerOf(namespace, prefix));
}

/** Throws `not_found` (InvalidResourceNamespace) for a provider that is not served here. */
export function providerNamed(name: string, prefix: string): object {
  const namespace = Object.keys(served).find((known) => known.toLowerCase() === name.toLowerCase());
  if (namespace !== undefined) return providerOf(namespace, prefix);
  throw failure('not_found', `The resource provider '${name.slice(0, 80)}' is not served here.`, {
    azureCode: 'InvalidResourceNamespace',
  });
}

function providerOf(namespace: string, prefix: string): object {
  const { types = [], apiVersions = [] } = served[namespace] ?? {};
  return {
    id: `${prefix}/providers/${namespace}`,
    namespace,
    registrationState: 'Registered',
    registrationPolicy: 'RegistrationFree',
    resourceTypes: types.map((resourceType) => ({ resourceType, locations: ['local'], apiVersions })),
  };
}
