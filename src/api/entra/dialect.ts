import { randomUUID } from 'node:crypto';
import { failure } from '../../lib/errors.ts';
import type { Reply } from '../../gateway/types.ts';

/**
 * Entra's spelling of OAuth 2.0 and OpenID Connect, translated to the standard one and back; nothing else knows both.
 * Resource scopes (`{resource}/.default`, `{resource}/user_impersonation`) are resource indicators (RFC 8707) here;
 * `offline_access` needs no consent prompt; unknown parameters (`claims`, `x-client-*`, …) mean nothing.
 */

/** Marks, towards the library, that a refresh token was asked for; OIDC Core §11 would demand a consent prompt. */
export const keepSignedInScope = 'lockstep.keep-signed-in';
/** The one permission of a delegated token: to act as its person, within policy. */
export const delegatedPermission = 'user_impersonation';

const identityScopes = new Set(['openid', 'profile', 'email']);
const indicatorPrefix = 'urn:lockstep:audience:';
const resourceSuffix = /\/(?:\.default|user_impersonation)$/;

/** What a `scope` parameter asks for. */
export interface RequestedScope {
  readonly identity: readonly string[];
  readonly offline: boolean;
  /** As the client spelled it, without the permission; null when only identity scopes were asked for. */
  readonly resource: string | null;
  /** The resource scopes as the client spelled them. */
  readonly resourceScopes: readonly string[];
}

/** Throws `invalid_scope` for a permission other than the two, a bare word, or two resources at once. */
export function parseScope(text: string): RequestedScope {
  const words = [...new Set(text.split(' ').filter((word) => word !== ''))];
  const identity = words.filter((word) => identityScopes.has(word));
  const resourceScopes = words.filter((word) => !identityScopes.has(word) && word !== 'offline_access');
  const resources = new Set<string>();
  for (const word of resourceScopes) {
    const resource = word.replace(resourceSuffix, '');
    if (resource === word || resource === '') {
      throw failure(
        'invalid_scope',
        `The scope '${printable(word)}' is not known; ask for {resource}/.default or {resource}/${delegatedPermission}.`,
      );
    }
    resources.add(resource);
  }
  const [resource = null, second] = resources;
  if (second !== undefined) {
    throw failure('invalid_scope', 'Scopes of two resources were asked for; one token is for one resource.');
  }
  return { identity, offline: words.includes('offline_access'), resource, resourceScopes };
}

/** `scope` for the library. */
export function standardScope(scope: RequestedScope): string {
  const words = [...scope.identity, delegatedPermission];
  if (scope.offline) words.push(keepSignedInScope);
  return words.join(' ');
}

/** What Entra answers as granted: the permission itself, then what was asked for. */
export function grantedScope(scope: RequestedScope, audience: string): string {
  const permission = `${scope.resource ?? audience}/${delegatedPermission}`;
  return [...new Set([permission, ...scope.resourceScopes, ...scope.identity])].join(' ');
}

/** An audience as a resource indicator: an absolute URI whatever the audience looks like. RFC 8707 §2. */
export function resourceIndicator(audience: string): string {
  return indicatorPrefix + encodeURIComponent(audience);
}

export function audienceOf(indicator: string): string {
  if (!indicator.startsWith(indicatorPrefix)) throw failure('invalid_resource', 'The resource is not known.');
  return decodeURIComponent(indicator.slice(indicatorPrefix.length));
}

/** Parameters of an authorization request that the library is shown; the rest is Entra's own or noise. */
const standardParameters = [
  'client_id',
  'response_type',
  'redirect_uri',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'max_age',
  'login_hint',
  'id_token_hint',
  'acr_values',
  'request',
  'request_uri',
  'registration',
];

export type ResponseMode = 'query' | 'fragment' | 'form_post';

/** Null for one that is not known. The default for a code is the query (OAuth 2.0 Multiple Response Types §3). */
export function responseModeOf(query: URLSearchParams): ResponseMode | null {
  const mode = query.get('response_mode') ?? 'query';
  return mode === 'query' || mode === 'fragment' || mode === 'form_post' ? mode : null;
}

/**
 * The authorization request in standard words. The response mode is always `query` towards the library; what the
 * client asked for is applied to its answer. `prompt=consent` has nothing to ask: policy grants, not consent.
 */
export function standardAuthorization(
  query: URLSearchParams,
  scope: RequestedScope,
  audience: string,
): string {
  const standard = new URLSearchParams();
  for (const name of standardParameters) {
    const value = query.get(name);
    if (value !== null) standard.set(name, value);
  }
  if (!scope.identity.includes('openid')) {
    for (const name of ['nonce', 'max_age', 'id_token_hint', 'acr_values']) standard.delete(name);
  }
  const prompt = (query.get('prompt') ?? '').split(' ').filter((word) => word !== '' && word !== 'consent');
  if (prompt.length > 0) standard.set('prompt', prompt.join(' '));
  standard.set('response_mode', 'query');
  standard.set('scope', standardScope(scope));
  standard.set('resource', resourceIndicator(audience));
  return standard.toString();
}

/** The same request once the person has signed in anew: what asked for that is satisfied. */
export function afterSignIn(query: URLSearchParams): string {
  const rest = new URLSearchParams(query);
  rest.delete('prompt');
  rest.delete('max_age');
  rest.delete('id_token_hint');
  return rest.toString();
}

/** RFC 6749 §3.1: a parameter may not be repeated. Names it, or null. */
export function repeatedParameter(query: URLSearchParams): string | null {
  const seen = new Set<string>();
  for (const name of query.keys()) {
    if (seen.has(name)) return printable(name);
    seen.add(name);
  }
  return null;
}

/** MSAL forms its account id from this. */
export function clientInfo(objectId: string, tenantId: string): string {
  return Buffer.from(JSON.stringify({ uid: objectId, utid: tenantId })).toString('base64url');
}

/** An OAuth error with the number that Entra's clients and their users look for. */
interface EntraError {
  readonly error: string;
  readonly code: number;
  readonly sentence: string;
}

/** First match wins; `when` is found in the library's own description. */
const entraErrors: readonly (EntraError & { readonly from: string; readonly when?: RegExp })[] = [
  e(
    'invalid_redirect_uri',
    'invalid_request',
    50011,
    'The redirect URI is not registered for the application.',
  ),
  e(
    'invalid_client',
    'unauthorized_client',
    700016,
    'The application was not found in this directory.',
    /not found|is invalid/,
  ),
  e('invalid_client', 'invalid_client', 7000218, 'The application could not be authenticated.'),
  e(
    'invalid_grant',
    'invalid_grant',
    54005,
    'The authorization code was already redeemed.',
    /code already|^already used/,
  ),
  e('invalid_grant', 'invalid_grant', 50148, 'The code_verifier does not match the code_challenge.', /PKCE/),
  e(
    'invalid_grant',
    'invalid_grant',
    50011,
    'The redirect URI is not the one the code was issued for.',
    /redirect_uri mismatch/,
  ),
  e(
    'invalid_grant',
    'invalid_grant',
    700082,
    'The refresh token was used before, so the sign-in was ended.',
    /refresh token already/,
  ),
  e(
    'invalid_grant',
    'invalid_grant',
    50173,
    'The grant was revoked, or the sign-in behind it has ended.',
    /refresh token (not|is)|account|grant/,
  ),
  e('invalid_grant', 'invalid_grant', 70008, 'The authorization code is unknown, used or expired.'),
  e('invalid_scope', 'invalid_scope', 70011, 'The scope is not valid.'),
  e('invalid_target', 'invalid_resource', 500011, 'The resource is not known here.'),
  e(
    'login_required',
    'login_required',
    50058,
    'Nobody is signed in, and the request allows no sign-in page.',
  ),
  e(
    'interaction_required',
    'interaction_required',
    50058,
    'The request needs the person, but allows no page.',
  ),
  e(
    'unsupported_response_type',
    'unsupported_response_type',
    700054,
    'Only the response type code is supported.',
  ),
  e('unsupported_response_mode', 'invalid_request', 900144, 'The response mode is not supported.'),
  e('unsupported_grant_type', 'unsupported_grant_type', 70003, 'The grant type is not supported.'),
  e('unauthorized_client', 'unauthorized_client', 700016, 'The application may not use this grant.'),
  e('access_denied', 'access_denied', 65004, 'The sign-in was declined.'),
  e(
    'invalid_request',
    'invalid_request',
    9002325,
    'PKCE with S256 is required for this application.',
    /PKCE|code_challenge/,
  ),
  e(
    'invalid_request',
    'invalid_request',
    900144,
    'The request is missing a parameter or has one that is not valid.',
  ),
  e('slow_down', 'invalid_request', 50053, 'Too many attempts; wait and try again.'),
];

function e(from: string, error: string, code: number, sentence: string, when?: RegExp) {
  return when === undefined ? { from, error, code, sentence } : { from, error, code, sentence, when };
}

/** As the library, or the standard, words it. */
export interface StandardError {
  readonly error: string;
  readonly description: string | undefined;
}

export interface EntraErrorBody {
  readonly error: string;
  readonly error_description: string;
  readonly error_codes: readonly number[];
  readonly timestamp: string;
  readonly trace_id: string;
  readonly correlation_id: string;
}

/** A standard error in Entra's body. `description` is the library's; it is kept where it says more. */
export function entraError(
  standard: StandardError,
  context: { readonly now: number; readonly traceId: string; readonly correlationId?: string | undefined },
): EntraErrorBody {
  const description = standard.description ?? '';
  const row = entraErrors.find(
    ({ from, when }) => from === standard.error && (when === undefined || when.test(description)),
  ) ?? { error: standard.error, code: 90014, sentence: 'The request could not be served.' };
  const traceId = guidFrom(context.traceId);
  const correlationId = context.correlationId ?? traceId;
  const timestamp = `${new Date(context.now).toISOString().slice(0, 19).replace('T', ' ')}Z`;
  const detail = description === '' ? '' : ` (${printable(description)})`;
  return {
    error: row.error,
    error_description: `AADSTS${row.code}: ${row.sentence}${detail} Trace ID: ${traceId} Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
    error_codes: [row.code],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
  };
}

/** `client-request-id` when it is a GUID: echoed so that a client's log and ours meet. */
export function correlationIdOf(value: string | null | undefined): string | undefined {
  return value !== null && value !== undefined && /^[0-9a-f-]{36}$/i.test(value) ? value : undefined;
}

export function jsonReply(status: number, body: unknown): Reply {
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      pragma: 'no-cache',
    },
    body: JSON.stringify(body),
  };
}

function guidFrom(id: string): string {
  return /^[0-9a-f-]{36}$/i.test(id) ? id : randomUUID();
}

/** Text of a request that goes into a message: printable ASCII, bounded. */
function printable(text: string): string {
  return text.replace(/[^\u0020-\u007e]/g, '?').slice(0, 200);
}
