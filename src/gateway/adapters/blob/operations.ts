import { getBlockList, putBlock, putBlockList } from './operations/blocks.ts';
import { containerProperties, createContainer, deleteContainer, listBlobs } from './operations/containers.ts';
import { copyBlob } from './operations/copy-blob.ts';
import { blobMetadata, blobProperties, getBlob } from './operations/read-blob.ts';
import { listContainers, serviceProperties } from './operations/account.ts';
import { deleteBlob, putBlob, setBlobMetadata, setBlobProperties } from './operations/write-blob.ts';
import type { BlobOperation, ContainerOperation, ServiceOperation } from './operation.ts';

/** Operations by method and `restype comp`. What is in no table is not served. */
export const serviceOperations: ReadonlyMap<string, ServiceOperation> = new Map([
  ['GET list', listContainers],
  ['GET service properties', serviceProperties],
]);

export const containerOperations: ReadonlyMap<string, ContainerOperation> = new Map([
  ['PUT container', createContainer],
  ['GET container', containerProperties],
  ['HEAD container', containerProperties],
  ['DELETE container', deleteContainer],
  ['GET container list', listBlobs],
]);

export const blobOperations: ReadonlyMap<string, BlobOperation> = new Map([
  ['GET', getBlob],
  ['HEAD', blobProperties],
  ['PUT', putBlob],
  ['PUT copy', copyBlob],
  ['DELETE', deleteBlob],
  ['GET metadata', blobMetadata],
  ['HEAD metadata', blobMetadata],
  ['PUT metadata', setBlobMetadata],
  ['PUT properties', setBlobProperties],
  ['PUT block', putBlock],
  ['PUT blocklist', putBlockList],
  ['GET blocklist', getBlockList],
]);

/** Operations that Azure has and this store has not, by `restype comp`, and what to say. */
export const refusedFeatures: ReadonlyMap<string, string> = new Map([
  [
    'service userdelegationkey',
    'User delegation keys are not issued: shared access signatures are not accepted here.',
  ],
  ['service properties', 'The properties of the Blob service cannot be changed here.'],
  ['service stats', 'There is no secondary location, so there are no replication statistics.'],
  ['account properties', 'Account information is not served here.'],
  ['batch', 'Batches are not served here; send the requests one by one.'],
  ['container batch', 'Batches are not served here; send the requests one by one.'],
  ['blobs', 'Blob index tags are not kept here, so blobs cannot be found by them.'],
  ['container blobs', 'Blob index tags are not kept here, so blobs cannot be found by them.'],
  ['tags', 'Blob index tags are not kept here.'],
  ['lease', 'Leases are not kept here.'],
  ['container lease', 'Leases are not kept here.'],
  ['container acl', 'There are no stored access policies and no anonymous access here; grant roles instead.'],
  ['container metadata', 'The metadata of a container is set when it is created.'],
  ['container undelete', 'Deleted containers are not kept here.'],
  ['container rename', 'Containers cannot be renamed here.'],
  ['undelete', 'Deleted blobs are not kept here.'],
  ['snapshot', 'Snapshots are not kept here.'],
  ['tier', 'There is one access tier here.'],
  ['query', 'Blobs cannot be queried here; read them.'],
  ['page', 'Page blobs are not kept here.'],
  ['pagelist', 'Page blobs are not kept here.'],
  ['incrementalcopy', 'Page blobs are not kept here.'],
  ['appendblock', 'Append blobs are not kept here.'],
  ['seal', 'Append blobs are not kept here.'],
  ['copy', 'A copy here is complete when it is answered, so there is none to abort.'],
  ['expiry', 'Blobs do not expire here.'],
  ['immutabilityPolicies', 'Immutability policies are not kept here.'],
  ['legalhold', 'Legal holds are not kept here.'],
]);
