/** One operation that requests are decided by, as Azure's provider operations list it. */
export interface CatalogueOperation {
  readonly name: string;
  /** What it does, for a person. */
  readonly display: string;
  readonly isDataAction: boolean;
}

export interface CatalogueProvider {
  readonly namespace: string;
  readonly display: string;
  readonly operations: readonly CatalogueOperation[];
}

type Row = readonly [name: string, display: string];

const storage = 'storageAccounts';
const blobServices = `${storage}/blobServices`;
const containers = `${blobServices}/containers`;
const blobs = `${containers}/blobs`;
const workspaces = 'workspaces';

/** Everything that the operations served or shipped roles name here, by provider. Names as Azure spells them. */
export const operationCatalogue: readonly CatalogueProvider[] = [
  provider('Lockstep.Access', 'Lockstep', [
    ...written('users', 'a person'),
    ['users/signInLink/action', 'Make a link that signs a person in once'],
    ['users/password/action', 'Set the password of a person'],
    ...written('groups', 'a group'),
    ...written('applications', 'an application'),
    ...written('managedIdentities', 'a managed identity'),
    ...written('federatedCredentials', 'a federated credential'),
    ['securityAttributes/read', 'See custom security attributes'],
    ['securityAttributes/write', 'Set custom security attributes'],
    ['sessions/read', 'See sign-ins and live requests'],
    ['sessions/cut/action', 'End sign-ins and live requests'],
    ['decisions/read', 'See decisions'],
    ['decisions/check/action', 'Ask what somebody else may do'],
    ['decisions/attributes/action', 'Tell the decision point attributes that conditions ask for'],
    ['events/read', 'See the events of the ledger'],
    ['ledger/prune/action', 'Remove old rows of the ledger from the database; the archive stays'],
    ['ledger/pruneArchive/action', 'Let the log itself forget its beginning'],
    ['ledger/exchangeKey/action', 'Give the log another signing key'],
    ['ledger/erase/action', 'Erase what the ledger knows of somebody beyond ids; the log stays'],
    ['policy/export/read', 'Export the whole policy'],
    ['connections/read', 'See the connections to protected services, and how those are'],
  ]),
  provider('Microsoft.Authorization', 'Microsoft Authorization', [
    ...written('roleAssignments', 'a role assignment'),
    ...written('roleDefinitions', 'a role definition'),
    ...written('denyAssignments', 'a deny assignment'),
    ['permissions/read', 'See what the caller may do at a scope'],
    ['providerOperations/read', 'See the operations that there are'],
    ['checkAccess/read', 'Ask what somebody may do at a scope'],
    ['classicAdministrators/read', 'See the classic administrators of a subscription'],
    ['elevateAccess/action', 'Make the caller User Access Administrator of the tenant'],
  ]),
  provider('Microsoft.ContainerRegistry', 'Microsoft Container Registry', [
    ['registries/pull/read', 'Pull an image'],
  ]),
  provider(
    'Microsoft.KeyVault',
    'Microsoft Key Vault',
    [],
    [
      ['vaults/secrets/getSecret/action', 'Get the value of a secret'],
      ['vaults/secrets/readMetadata/action', 'See the properties of a secret'],
    ],
  ),
  provider('Microsoft.MachineLearningServices', 'Microsoft Machine Learning Services', [
    ...written(workspaces, 'a workspace'),
    [`${workspaces}/listKeys/action`, 'Get the keys of a workspace'],
    ...written(`${workspaces}/codes`, 'a code asset'),
    ...written(`${workspaces}/codes/versions`, 'a version of a code asset'),
    ...written(`${workspaces}/computes`, 'a compute'),
    [`${workspaces}/computes/applicationaccess/action`, 'Use the notebooks and terminals of a compute'],
    [`${workspaces}/computes/listKeys/action`, 'Get the keys of a compute'],
    [`${workspaces}/computes/start/action`, 'Start a compute'],
    [`${workspaces}/computes/stop/action`, 'Stop a compute'],
    ...written(`${workspaces}/connections`, 'a connection'),
    ...written(`${workspaces}/data`, 'a data asset'),
    ...written(`${workspaces}/data/versions`, 'a version of a data asset'),
    ...written(`${workspaces}/datasets/registered`, 'a registered dataset'),
    ...written(`${workspaces}/datastores`, 'a datastore'),
    [`${workspaces}/datastores/listsecrets/action`, 'Get the secrets of a datastore'],
    ...written(`${workspaces}/environments`, 'an environment'),
    ...written(`${workspaces}/environments/versions`, 'a version of an environment'),
    ...written(`${workspaces}/experiments`, 'an experiment'),
    ...written(`${workspaces}/experiments/runs`, 'a run of an experiment'),
    ...written(`${workspaces}/jobs`, 'a job'),
    [`${workspaces}/jobs/cancel/action`, 'Cancel a job'],
    ...written(`${workspaces}/metadata/artifacts`, 'an artifact of a run'),
    [`${workspaces}/metrics/resource/write`, 'Write metrics of a resource'],
    ...written(`${workspaces}/notebooks/storage`, 'files of notebooks'),
    ...written(`${workspaces}/models`, 'a model'),
    ...written(`${workspaces}/models/versions`, 'a version of a model'),
    [`${workspaces}/onlineEndpoints/score/action`, 'Call an online endpoint'],
    ['registries/read', 'See a registry'],
    ...written('registries/assets', 'an asset of a registry'),
  ]),
  provider('Microsoft.Management', 'Microsoft Management', [
    ...written('managementGroups', 'a management group'),
    ['managementGroups/descendants/read', 'See what is beneath a management group'],
    ['managementGroups/settings/read', 'See the hierarchy settings'],
    ['managementGroups/settings/write', 'Set the hierarchy settings'],
    ['managementGroups/settings/delete', 'Delete the hierarchy settings'],
    ['managementGroups/subscriptions/read', 'See a subscription beneath a management group'],
    ['managementGroups/subscriptions/write', 'Put a subscription beneath a management group'],
    ['managementGroups/subscriptions/delete', 'Take a subscription out of a management group'],
  ]),
  provider('Microsoft.Resources', 'Microsoft Resources', [
    ['subscriptions/read', 'See a subscription'],
    ['subscriptions/resourceGroups/read', 'See a resource group'],
    ['subscriptions/resourceGroups/write', 'Create or change a resource group'],
    ['subscriptions/resourceGroups/delete', 'Delete a resource group'],
    ['subscriptions/providers/read', 'See the resource providers of a subscription'],
    ['providers/read', 'See the resource providers'],
    ['tenants/read', 'See the tenant'],
  ]),
  provider(
    'Microsoft.Storage',
    'Microsoft Storage',
    [
      ...written(storage, 'a storage account'),
      [`${blobServices}/read`, 'See the blob service of a storage account'],
      [`${blobServices}/write`, 'Change the blob service of a storage account'],
      [`${blobServices}/generateUserDelegationKey/action`, 'Get a user delegation key'],
      ...written(containers, 'a container'),
    ],
    [
      [`${blobs}/read`, 'Read a blob'],
      [`${blobs}/write`, 'Write a blob'],
      [`${blobs}/delete`, 'Delete a blob'],
      [`${blobs}/add/action`, 'Add a blob, or to a blob'],
      [`${blobs}/move/action`, 'Move a blob'],
    ],
  ),
];

function provider(
  namespace: string,
  display: string,
  actions: readonly Row[],
  dataActions: readonly Row[] = [],
): CatalogueProvider {
  const operations = (rows: readonly Row[], isDataAction: boolean): CatalogueOperation[] =>
    rows.map(([path, says]) => ({ name: `${namespace}/${path}`, display: says, isDataAction }));
  return {
    namespace,
    display,
    operations: [...operations(actions, false), ...operations(dataActions, true)],
  };
}

/** To see, to create or change, and to delete one kind of thing. */
function written(path: string, one: string): Row[] {
  return [
    [`${path}/read`, `See ${one}`],
    [`${path}/write`, `Create or change ${one}`],
    [`${path}/delete`, `Delete ${one}`],
  ];
}
