/**
 * Every failure that a caller can see. One row: HTTP status, the OAuth 2.0 code, Azure's code,
 * and the sentence shown when an error carries no sentence of its own.
 * `docs/reference/errors.md` is tested against this table in both directions.
 */
export const errorTable = {
  invalid_request: row(400, 'invalid_request', 'InvalidRequest', 'The request is malformed.'),
  invalid_json: row(400, 'invalid_request', 'InvalidRequestContent', 'The request body is not valid JSON.'),
  invalid_path: row(400, 'invalid_request', 'InvalidUri', 'The request path is not in normal form.'),
  invalid_resource: row(
    400,
    'invalid_target',
    'InvalidResource',
    'No such resource (audience) is served here.',
  ),
  invalid_scope: row(400, 'invalid_scope', 'InvalidScope', 'The requested scope is not valid.'),
  invalid_client: row(401, 'invalid_client', 'InvalidClient', 'The client could not be authenticated.'),
  invalid_grant: row(400, 'invalid_grant', 'InvalidGrant', 'The grant is invalid, expired or revoked.'),
  unauthorized_client: row(
    400,
    'unauthorized_client',
    'UnauthorizedClient',
    'This client may not use this grant.',
  ),
  unsupported_grant_type: row(
    400,
    'unsupported_grant_type',
    'UnsupportedGrantType',
    'The grant type is not supported.',
  ),
  federation_mismatch: row(
    401,
    'invalid_client',
    'FederatedCredentialMismatch',
    'No federated credential matches the presented token.',
  ),
  assertion_replayed: row(
    401,
    'invalid_client',
    'AssertionReplayed',
    'The presented assertion was used before.',
  ),
  authentication_required: row(
    401,
    'invalid_token',
    'AuthenticationFailed',
    'Sign in, or send a bearer token.',
  ),
  invalid_token: row(401, 'invalid_token', 'InvalidAuthenticationToken', 'The access token is not valid.'),
  expired_token: row(401, 'invalid_token', 'ExpiredAuthenticationToken', 'The access token has expired.'),
  revoked_token: row(
    401,
    'invalid_token',
    'RevokedAuthenticationToken',
    'The identity behind this token has ended.',
  ),
  conflicting_credentials: row(
    400,
    'invalid_request',
    'ConflictingCredentials',
    'Send one credential, not two.',
  ),
  access_denied: row(403, 'access_denied', 'AuthorizationFailed', 'Policy does not allow this.'),
  unknown_route: row(
    403,
    'access_denied',
    'RouteNotDescribed',
    'This route is not described, so it is denied.',
  ),
  policy_unavailable: row(
    503,
    'temporarily_unavailable',
    'PolicyUnavailable',
    'Policy cannot be evaluated at the moment.',
  ),
  stale_policy: row(
    503,
    'temporarily_unavailable',
    'PolicyNotCurrent',
    'The policy here is older than the revision that the request demands; try again in a moment.',
  ),
  lease_ended: row(
    403,
    'access_denied',
    'LeaseEnded',
    'The job behind this identity has ended or lost its right.',
  ),
  csrf_refused: row(403, 'access_denied', 'CrossSiteRequestRefused', 'The request came from another site.'),
  not_found: row(404, 'not_found', 'ResourceNotFound', 'There is no such resource.'),
  method_not_allowed: row(405, 'invalid_request', 'MethodNotAllowed', 'This method is not supported here.'),
  conflict: row(409, 'conflict', 'Conflict', 'The resource is in a state that does not allow this.'),
  last_owner: row(
    409,
    'conflict',
    'LastOwnerRequired',
    'This would leave nobody who may give and take away roles.',
  ),
  precondition_failed: row(
    412,
    'precondition_failed',
    'PreconditionFailed',
    'A condition of the request does not hold.',
  ),
  too_large: row(413, 'invalid_request', 'RequestBodyTooLarge', 'The request body is too large.'),
  unsupported_media_type: row(
    415,
    'invalid_request',
    'UnsupportedMediaType',
    'This media type is not accepted here.',
  ),
  upgrade_required: row(
    426,
    'invalid_request',
    'UpgradeRequired',
    'The version of WebSocket spoken here is 13.',
  ),
  misdirected_request: row(
    421,
    'invalid_request',
    'MisdirectedRequest',
    'The request names another host than the TLS connection was opened for; send it on one of its own.',
  ),
  too_many_attempts: row(429, 'slow_down', 'TooManyRequests', 'Too many attempts; wait and try again.'),
  too_many_requests: row(
    429,
    'slow_down',
    'TooManyConcurrentRequests',
    'As many requests of yours are under way as one caller may have; let some end, and try again.',
  ),
  headers_too_large: row(
    431,
    'invalid_request',
    'RequestHeaderFieldsTooLarge',
    'The request headers are too large.',
  ),
  ledger_unavailable: row(
    503,
    'temporarily_unavailable',
    'LedgerUnavailable',
    'The ledger cannot write, so nothing is served.',
  ),
  not_witnessed: row(
    503,
    'temporarily_unavailable',
    'CheckpointNotWitnessed',
    'Too few witnesses have cosigned the log yet; what happened is recorded.',
  ),
  draining: row(
    503,
    'temporarily_unavailable',
    'ServiceStopping',
    'The service is stopping; try again shortly.',
  ),
  server_busy: row(
    503,
    'temporarily_unavailable',
    'ServerBusy',
    'Too much is held here for what others have begun; try again shortly.',
  ),
  not_implemented: row(501, 'invalid_request', 'NotImplemented', 'This is not supported here.'),
  upstream_unreachable: row(
    502,
    'temporarily_unavailable',
    'UpstreamUnreachable',
    'The protected upstream cannot be reached.',
  ),
  upstream_timeout: row(
    504,
    'temporarily_unavailable',
    'UpstreamTimeout',
    'The protected upstream did not answer in time.',
  ),
  upstream_unavailable: row(
    503,
    'temporarily_unavailable',
    'UpstreamUnavailable',
    'The protected upstream is not asked at the moment; try again shortly.',
  ),
  storage_full: row(507, 'server_error', 'InsufficientStorage', 'There is no space left to store this.'),
  internal: row(500, 'server_error', 'InternalServerError', 'Something failed here; it has been logged.'),
} as const;

export type ErrorCode = keyof typeof errorTable;

interface ErrorRow {
  readonly status: number;
  readonly oauth: string;
  readonly azure: string;
  readonly sentence: string;
}

function row(status: number, oauth: string, azure: string, sentence: string): ErrorRow {
  return { status, oauth, azure, sentence };
}

export interface ErrorOptions<Code extends string> {
  readonly code: Code;
  /** What the caller may read: what happened, to what, and what to do next. Never a secret. */
  readonly publicMessage?: string;
  /** What only the operator reads. */
  readonly internalMessage?: string;
  /** Facts for the protocol's renderer and the log. Never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one error class. `message` is for the operator; `publicMessage` is for the caller. */
export class LockstepError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly code: Code;
  readonly publicMessage: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(options: ErrorOptions<Code>) {
    const publicMessage = options.publicMessage ?? errorTable[options.code].sentence;
    super(
      options.internalMessage ?? publicMessage,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'LockstepError';
    this.code = options.code;
    this.publicMessage = publicMessage;
    this.details = options.details ?? {};
  }

  get status(): number {
    return errorTable[this.code].status;
  }
}

/** Shorthand for an error whose one sentence is fit for the caller. */
export function failure<Code extends ErrorCode>(
  code: Code,
  publicMessage: string,
  details?: Readonly<Record<string, unknown>>,
): LockstepError<Code> {
  return new LockstepError(
    details === undefined ? { code, publicMessage } : { code, publicMessage, details },
  );
}

/** Narrows what was caught without losing the closed set of codes, as `instanceof` on a generic class would. */
export function isLockstepError(thrown: unknown): thrown is LockstepError {
  return thrown instanceof LockstepError;
}

/** Any thrown value as a LockstepError; what is not one becomes `internal` (or `storage_full`) with the cause kept. */
export function asLockstepError(thrown: unknown): LockstepError {
  if (isLockstepError(thrown)) return thrown;
  const code = isDiskFull(thrown) ? 'storage_full' : 'internal';
  return new LockstepError({
    code,
    internalMessage: thrown instanceof Error ? thrown.message : String(thrown),
    cause: thrown,
  });
}

/** ENOSPC and EDQUOT from the file system, SQLITE_FULL (13) from SQLite. */
export function isDiskFull(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  const { code, errcode } = thrown as { code?: unknown; errcode?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT' || errcode === 13 || isDiskFull(thrown.cause);
}
