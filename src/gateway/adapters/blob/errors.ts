import { LockstepError, type ErrorCode } from '../../../lib/errors.ts';

/**
 * Azure's codes that this adapter answers with, and their status.
 * learn.microsoft.com/rest/api/storageservices/blob-service-error-codes and …/common-rest-api-error-codes
 */
export const blobErrors = {
  InvalidUri: 400,
  InvalidResourceName: 400,
  InvalidInput: 400,
  InvalidHeaderValue: 400,
  MissingRequiredHeader: 400,
  UnsupportedHeader: 400,
  InvalidQueryParameterValue: 400,
  OutOfRangeQueryParameterValue: 400,
  MissingRequiredQueryParameter: 400,
  UnsupportedQueryParameter: 400,
  InvalidXmlDocument: 400,
  InvalidMetadata: 400,
  MetadataTooLarge: 400,
  InvalidMd5: 400,
  Md5Mismatch: 400,
  IncompleteBody: 400,
  InvalidBlockId: 400,
  InvalidBlockList: 400,
  InvalidBlobOrBlock: 400,
  BlockListTooLong: 400,
  FeatureNotSupported: 400,
  NoAuthenticationInformation: 401,
  InvalidAuthenticationInfo: 401,
  AuthenticationFailed: 403,
  AuthorizationFailure: 403,
  AuthorizationPermissionMismatch: 403,
  ResourceNotFound: 404,
  ContainerNotFound: 404,
  BlobNotFound: 404,
  CannotVerifyCopySource: 404,
  UnsupportedHttpVerb: 405,
  ContainerAlreadyExists: 409,
  BlobAlreadyExists: 409,
  BlockCountExceedsLimit: 409,
  ConcurrentWrite: 409,
  ConditionNotMet: 412,
  RequestBodyTooLarge: 413,
  InvalidRange: 416,
  InternalError: 500,
  ServerBusy: 503,
  InsufficientStorage: 507,
} as const;

export type BlobErrorCode = keyof typeof blobErrors;

/** A failure in Blob's words; `details.blobCode` carries the code to the renderer. */
export function blobFailure(
  blobCode: BlobErrorCode,
  publicMessage: string,
  details: Readonly<Record<string, unknown>> = {},
): LockstepError {
  return new LockstepError({
    code: nearest(blobCode),
    publicMessage,
    details: { ...details, blobCode },
  });
}

function nearest(blobCode: BlobErrorCode): ErrorCode {
  const status = blobErrors[blobCode];
  switch (status) {
    case 400:
    case 416:
      return 'invalid_request';
    case 401:
      return 'invalid_token';
    case 403:
      return 'access_denied';
    case 404:
      return 'not_found';
    case 405:
      return 'method_not_allowed';
    case 409:
      return 'conflict';
    case 412:
      return 'precondition_failed';
    case 413:
      return 'too_large';
    case 500:
      return 'internal';
    case 503:
      return 'draining';
    case 507:
      return 'storage_full';
  }
}

const byCode: Partial<Record<ErrorCode, BlobErrorCode>> = {
  invalid_path: 'InvalidUri',
  authentication_required: 'NoAuthenticationInformation',
  access_denied: 'AuthorizationPermissionMismatch',
  method_not_allowed: 'UnsupportedHttpVerb',
  precondition_failed: 'ConditionNotMet',
  too_large: 'RequestBodyTooLarge',
  storage_full: 'InsufficientStorage',
};

const byStatus: Readonly<Record<number, BlobErrorCode>> = {
  401: 'InvalidAuthenticationInfo',
  403: 'AuthorizationFailure',
  404: 'ResourceNotFound',
  502: 'ServerBusy',
  503: 'ServerBusy',
};

/** Blob's code and status for any failure of the pipeline, the store or this adapter. */
export function blobErrorOf(error: LockstepError): { readonly code: BlobErrorCode; readonly status: number } {
  const own = error.details['blobCode'];
  if (isBlobErrorCode(own)) return { code: own, status: blobErrors[own] };
  const code =
    byCode[error.code] ?? byStatus[error.status] ?? (error.status < 500 ? 'InvalidInput' : 'InternalError');
  return { code, status: error.status };
}

function isBlobErrorCode(value: unknown): value is BlobErrorCode {
  return typeof value === 'string' && Object.hasOwn(blobErrors, value);
}
