import { LockstepError, type ErrorCode } from '../../lib/errors.ts';

/** What the store refuses, in Azure Blob's own words. learn.microsoft.com/rest/api/storageservices/blob-service-error-codes */
const refusals = {
  ContainerNotFound: ['not_found', 'The container does not exist.'],
  ContainerAlreadyExists: ['conflict', 'The container exists already.'],
  BlobNotFound: ['not_found', 'The blob does not exist.'],
  Md5Mismatch: ['invalid_request', 'The content that arrived does not have the MD5 that was announced.'],
  IncompleteBody: ['invalid_request', 'Fewer bytes arrived than were announced.'],
  InvalidBlockId: ['invalid_request', 'The block id is not usable.'],
  InvalidBlockList: ['invalid_request', 'The block list names a block that is not there.'],
  InvalidBlobOrBlock: ['invalid_request', 'All block ids of one blob have the same length.'],
  BlockCountExceedsLimit: ['conflict', 'The blob has too many uncommitted blocks.'],
  ConcurrentWrite: ['conflict', 'Other writers kept changing this blob; try again.'],
} as const satisfies Record<string, readonly [ErrorCode, string]>;

export type Refusal = keyof typeof refusals;

/** An expected refusal of the store; `details.blobCode` is the code that Blob's clients know. */
export function refuse(blobCode: Refusal, sentence?: string): LockstepError {
  const [code, ordinary] = refusals[blobCode];
  return new LockstepError({ code, publicMessage: sentence ?? ordinary, details: { blobCode } });
}
