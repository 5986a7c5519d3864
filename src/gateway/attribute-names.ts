/**
 * Every attribute that a condition may ask of a request, as conditions write it, and what it holds. What Azure has is
 * named as Azure names it; docs/reference/attributes.md is made from this table.
 */
export const attributeNames = {
  '@Environment[UtcNow]': 'When the request is decided, a time. Every request.',
  '@Environment[Lockstep.Access/ci:issuer]':
    'The issuer of the CI run’s token. Every request of a CI run, and of the jobs that it submits; ask for it too where more than one issuer is trusted.',
  '@Environment[Lockstep.Access/ci:repository]':
    'The repository, as the claim `repository` names it. As above.',
  '@Environment[Lockstep.Access/ci:ref]':
    'The branch or tag, as the claim `ref` names it, e.g. refs/heads/main. As above.',
  '@Environment[Lockstep.Access/ci:environment]':
    'The deployment environment, as the claim `environment` names it. As above.',
  '@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]':
    'The role that is to be assigned, a GUID. Writing a role assignment.',
  '@Request[Microsoft.Authorization/roleAssignments:PrincipalId]':
    'Whom it is to be assigned to, a GUID. Writing a role assignment.',
  '@Request[Microsoft.Authorization/roleAssignments:PrincipalType]':
    'User, Group or ServicePrincipal, as the directory knows it. Writing a role assignment.',
  '@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId]':
    'The role that is assigned. Ending or changing a role assignment.',
  '@Resource[Microsoft.Authorization/roleAssignments:PrincipalId]':
    'Whom it is assigned to. Ending or changing a role assignment.',
  '@Resource[Microsoft.Authorization/roleAssignments:PrincipalType]':
    'Of what type that principal is. Ending or changing a role assignment.',
  '@Resource[Microsoft.Storage/storageAccounts:name]': 'The storage account. Every operation on blobs.',
  '@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]':
    'The container. Every operation in one.',
  '@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path]':
    'The name of the blob. Every operation on one.',
  '@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:prefix]':
    'What the names that are listed begin with. Listing blobs, suboperation Blob.List.',
  '@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:delimiter]':
    'At what the names that are listed are cut; missing when they are not. Listing blobs, suboperation Blob.List.',
  '@Request[Microsoft.MachineLearningServices/workspaces/jobs:purpose]':
    'The tag `purpose`. Submitting a job.',
  '@Request[Microsoft.MachineLearningServices/workspaces/jobs:experimentName]':
    'The experiment. Submitting a job.',
  '@Request[Microsoft.MachineLearningServices/workspaces/jobs:computeName]':
    'The compute, by its name. Submitting a job.',
  '@Request[Microsoft.MachineLearningServices/workspaces/jobs:computeSku]':
    '`resources.instanceType`. Submitting a job.',
  '@Request[Microsoft.MachineLearningServices/workspaces/jobs:gpuCount]':
    'GPUs in all: `resources.gpuCount` (or the property `lockstep.gpuCount`) of every instance; 0 if it says nothing. Submitting a job.',
  '@Resource[Microsoft.MachineLearningServices/workspaces/models:name]': 'The model. Every operation on one.',
  '@Resource[Microsoft.MachineLearningServices/workspaces/data:name]':
    'The data asset. Every operation on one.',
} as const;

/**
 * What Azure has besides: conditions that are written for it may ask for these, and find them missing here.
 * learn.microsoft.com/azure/storage/blobs/storage-auth-abac-attributes
 */
export const attributesOfAzureAlone = [
  '@Environment[isPrivateLink]',
  '@Environment[Microsoft.Network/privateEndpoints]',
  '@Environment[Microsoft.Network/virtualNetworks/subnets]',
  '@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:include]',
  '@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:snapshot]',
  '@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:versionId]',
  '@Resource[Microsoft.Storage/storageAccounts:isHnsEnabled]',
  '@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:isCurrentVersion]',
  '@Resource[Microsoft.Storage/storageAccounts/encryptionScopes:name]',
  '@Resource[Microsoft.Storage/storageAccounts/queueServices/queues:name]',
] as const;

export type AttributeName = keyof typeof attributeNames;

/** The name under which it stands in an access: what is between the brackets, in lower case. */
export function inAccess(name: AttributeName): string {
  return name.slice(name.indexOf('[') + 1, -1).toLowerCase();
}
