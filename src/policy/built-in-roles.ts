import type { Permission, RoleDefinition } from '../store/changes.ts';

/** GUIDs of the roles that code refers to by name. */
export const roleIds = {
  owner: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
  contributor: 'b24988ac-6180-42a0-ab88-20f7382dd24c',
  reader: 'acdd72a7-3385-48ef-bd42-f606fba81ae7',
  userAccessAdministrator: '18d7d88d-d35e-4fb5-a5c3-7773c20a72d9',
  rbacAdministrator: 'f58310d9-a9f6-439a-9e8d-f62e7b41a168',
  managementGroupContributor: '5d58bcaf-24a5-4b20-bdb6-eed9f69fbe4c',
  managementGroupReader: 'ac63b705-f282-497d-ac71-919bf39d939d',
  machineLearningDataScientist: 'f6c7c914-8db3-469d-8ca1-694a8f32e121',
  machineLearningComputeOperator: 'e503ece1-11d0-4e8e-8e2c-7a6c3bf38815',
  machineLearningRegistryUser: '1823dd4f-9b8c-4ab6-ab4e-7397a3684615',
  machineLearningMetricsWriter: '635dd51f-9968-44d3-b7fb-6d9a6bd613ae',
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1',
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe',
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b',
  containerRegistryPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d',
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6',
  lockstepJobRuntime: '10c57e90-0000-4000-8000-000000000001',
  lockstepAdministrator: '10c57e90-0000-4000-8000-000000000002',
  lockstepAuditor: '10c57e90-0000-4000-8000-000000000003',
  lockstepJobSelf: '10c57e90-0000-4000-8000-000000000004',
} as const;

const machineLearning = 'Microsoft.MachineLearningServices';
const workspace = `${machineLearning}/workspaces`;
const containers = 'Microsoft.Storage/storageAccounts/blobServices/containers';
const blobs = `${containers}/blobs`;
const delegationKey = 'Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action';

/**
 * Azure's built-in roles that Lockstep ships, with Azure's GUIDs and permissions
 * (learn.microsoft.com/azure/role-based-access-control/built-in-roles), then Lockstep's own.
 */
export const builtInRoles: readonly RoleDefinition[] = [
  role(roleIds.owner, 'Owner', 'Manages every resource, and who may use it.', { actions: ['*'] }),
  role(roleIds.contributor, 'Contributor', 'Manages every resource, but not who may use it.', {
    actions: ['*'],
    notActions: [
      'Microsoft.Authorization/*/Delete',
      'Microsoft.Authorization/*/Write',
      'Microsoft.Authorization/elevateAccess/Action',
      'Microsoft.Blueprint/blueprintAssignments/write',
      'Microsoft.Blueprint/blueprintAssignments/delete',
      'Microsoft.Compute/galleries/share/action',
      'Microsoft.Purview/consents/write',
      'Microsoft.Purview/consents/delete',
      'Microsoft.Resources/deploymentStacks/manageDenySetting/action',
      'Lockstep.Access/*/action',
      'Lockstep.Access/*/delete',
      'Lockstep.Access/*/write',
      'Microsoft.Subscription/cancel/action',
      'Microsoft.Subscription/enable/action',
    ],
  }),
  role(roleIds.reader, 'Reader', 'Sees every resource and changes none.', { actions: ['*/read'] }),
  role(
    roleIds.userAccessAdministrator,
    'User Access Administrator',
    'Sees every resource and manages who may use it.',
    { actions: ['*/read', 'Microsoft.Authorization/*', 'Microsoft.Support/*'] },
  ),
  role(
    roleIds.rbacAdministrator,
    'Role Based Access Control Administrator',
    'Sees every resource and manages role assignments, by no other means of access control.',
    {
      actions: [
        'Microsoft.Authorization/roleAssignments/write',
        'Microsoft.Authorization/roleAssignments/delete',
        '*/read',
        'Microsoft.Support/*',
      ],
    },
  ),
  role(
    roleIds.managementGroupContributor,
    'Management Group Contributor',
    'Manages management groups and which subscriptions are beneath them, but not who may use those.',
    {
      actions: [
        'Microsoft.Management/managementGroups/delete',
        'Microsoft.Management/managementGroups/read',
        'Microsoft.Management/managementGroups/subscriptions/delete',
        'Microsoft.Management/managementGroups/subscriptions/write',
        'Microsoft.Management/managementGroups/write',
        'Microsoft.Management/managementGroups/subscriptions/read',
        'Microsoft.Authorization/*/read',
      ],
    },
  ),
  role(
    roleIds.managementGroupReader,
    'Management Group Reader',
    'Sees management groups and which subscriptions are beneath them.',
    {
      actions: [
        'Microsoft.Management/managementGroups/read',
        'Microsoft.Management/managementGroups/subscriptions/read',
        'Microsoft.Authorization/*/read',
      ],
    },
  ),
  role(
    roleIds.machineLearningDataScientist,
    'AzureML Data Scientist',
    'Does everything within a workspace except managing compute and the workspace itself.',
    {
      actions: [
        `${workspace}/*/read`,
        `${workspace}/*/action`,
        `${workspace}/*/delete`,
        `${workspace}/*/write`,
      ],
      notActions: [
        `${workspace}/delete`,
        `${workspace}/write`,
        `${workspace}/computes/*/write`,
        `${workspace}/computes/*/delete`,
        `${workspace}/computes/listKeys/action`,
        `${workspace}/listKeys/action`,
        `${workspace}/hubs/write`,
        `${workspace}/hubs/delete`,
        `${workspace}/featurestores/write`,
        `${workspace}/featurestores/delete`,
      ],
    },
  ),
  role(
    roleIds.machineLearningComputeOperator,
    'AzureML Compute Operator',
    'Manages the compute of a workspace, notebook machines included.',
    { actions: [`${workspace}/computes/*`, `${workspace}/notebooks/vm/*`] },
  ),
  role(
    roleIds.machineLearningRegistryUser,
    'AzureML Registry User',
    'Sees registries and does everything with the assets in them.',
    { actions: [`${machineLearning}/registries/read`, `${machineLearning}/registries/assets/*`] },
  ),
  role(
    roleIds.machineLearningMetricsWriter,
    'AzureML Metrics Writer (preview)',
    'Writes metrics to a workspace.',
    { actions: [`${workspace}/metrics/*/write`] },
  ),
  role(roleIds.storageBlobDataReader, 'Storage Blob Data Reader', 'Reads containers and blobs.', {
    actions: [`${containers}/read`, delegationKey],
    dataActions: [`${blobs}/read`],
  }),
  role(
    roleIds.storageBlobDataContributor,
    'Storage Blob Data Contributor',
    'Reads, writes and deletes containers and blobs.',
    {
      actions: [`${containers}/delete`, `${containers}/read`, `${containers}/write`, delegationKey],
      dataActions: [
        `${blobs}/delete`,
        `${blobs}/read`,
        `${blobs}/write`,
        `${blobs}/move/action`,
        `${blobs}/add/action`,
      ],
    },
  ),
  role(
    roleIds.storageBlobDataOwner,
    'Storage Blob Data Owner',
    'Does everything with containers and blobs, access control lists included.',
    { actions: [`${containers}/*`, delegationKey], dataActions: [`${blobs}/*`] },
  ),
  role(roleIds.containerRegistryPull, 'AcrPull', 'Pulls images from a container registry.', {
    actions: ['Microsoft.ContainerRegistry/registries/pull/read'],
  }),
  role(roleIds.keyVaultSecretsUser, 'Key Vault Secrets User', 'Reads the values of secrets.', {
    dataActions: [
      'Microsoft.KeyVault/vaults/secrets/getSecret/action',
      'Microsoft.KeyVault/vaults/secrets/readMetadata/action',
    ],
  }),
  role(
    roleIds.lockstepJobRuntime,
    'Lockstep Job Runtime',
    'What the identity of a running job gets at its workspace: it reads assets, registers models, logs runs and their artifacts; it submits and cancels nothing.',
    {
      actions: [
        `${workspace}/read`,
        `${workspace}/models/read`,
        `${workspace}/models/versions/read`,
        `${workspace}/models/write`,
        `${workspace}/models/versions/write`,
        `${workspace}/data/read`,
        `${workspace}/data/versions/read`,
        `${workspace}/environments/read`,
        `${workspace}/environments/versions/read`,
        `${workspace}/codes/read`,
        `${workspace}/codes/versions/read`,
        `${workspace}/datastores/read`,
        `${workspace}/experiments/read`,
        `${workspace}/experiments/runs/read`,
        `${workspace}/experiments/runs/write`,
        `${workspace}/metadata/artifacts/read`,
        `${workspace}/metadata/artifacts/write`,
      ],
    },
  ),
  role(
    roleIds.lockstepJobSelf,
    'Lockstep Job Self',
    'What the identity of a running job gets at its own job: it reads its definition and its log, and no other job’s.',
    { actions: [`${workspace}/jobs/read`] },
  ),
  role(
    roleIds.lockstepAdministrator,
    'Lockstep Administrator',
    "Manages Lockstep's own directory, sessions and connections, and sees its decisions and events.",
    { actions: ['Lockstep.Access/*'] },
  ),
  role(
    roleIds.lockstepAuditor,
    'Lockstep Auditor',
    "Sees Lockstep's own directory, sessions, connections, decisions and events, and changes nothing.",
    { actions: ['Lockstep.Access/*/read'] },
  ),
];

function role(
  id: string,
  roleName: string,
  description: string,
  permission: Partial<Permission>,
): RoleDefinition {
  const whole = { actions: [], notActions: [], dataActions: [], notDataActions: [], ...permission };
  return {
    id,
    roleName,
    description,
    type: 'BuiltInRole',
    permissions: [whole],
    assignableScopes: ['/'],
  };
}
