import { createHash, timingSafeEqual } from 'node:crypto';
import {
  createRemoteJWKSet,
  customFetch,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type FetchImplementation,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import { identityOf, type Identity } from './identity.ts';
import type { Received } from './received.ts';
import { UsedOnce } from './used-once.ts';

/** Tokens are signed by other keys, of another kind: neither passes for the other. */
const algorithms = ['ES256'];
const type = 'lockstep-assertion+jwt';
const lifetimeSeconds = 60;
const required = ['iss', 'aud', 'sub', 'iat', 'nbf', 'exp', 'jti', 'method', 'host', 'path_sha256'];
/** Where a header says that its key is, or what else must be understood: nothing of that is ever believed. */
const foreign = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64'];

export interface VerifierOptions {
  /** Lockstep's, `{public URL}/{tenant}/v2.0`. */
  readonly issuer: string;
  /** Name of the connection. */
  readonly audience: string;
  /** `{public URL}/{tenant}/discovery/v2.0/keys`; https, and no redirect is followed. */
  readonly jwksUrl: string;
  /** Between the two clocks; default 5. */
  readonly leewaySeconds?: number;
  /**
   * Whether a statement is believed once only, in this process. The gateway repeats a request that found a closed
   * connection, and then the statement with it. Default false.
   */
  readonly once?: boolean;
  /** In place of the global one, for a certificate of an authority of your own; or start with NODE_EXTRA_CA_CERTS. */
  readonly fetch?: FetchImplementation;
  /** How soon keys are asked for again when a name is not among them; default 5. */
  readonly pauseSeconds?: number;
}

/** Why a request is not let in; the message holds nothing of the statement. `status` 401, or 503 where keys cannot be had. */
export class Refused extends Error {
  readonly status: 401 | 503;

  constructor(why: string, status: 401 | 503 = 401, cause?: unknown) {
    super(why, { cause });
    this.name = 'Refused';
    this.status = status;
  }
}

/** Who is asking, if the gateway says so for this very request. Rejects with Refused. */
export type Verifier = (received: Received) => Promise<Identity>;

/** Throws a TypeError for options that would let in more than they should. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, audience, jwksUrl, leewaySeconds = 5, once = false, pauseSeconds = 5 } = options;
  if (issuer === '' || audience === '') throw new TypeError('issuer and audience must be given');
  const url = new URL(jwksUrl);
  if (url.protocol !== 'https:') throw new TypeError('the key set must be fetched over https');
  const keys = createRemoteJWKSet(url, {
    cooldownDuration: pauseSeconds * 1000,
    cacheMaxAge: 300_000,
    timeoutDuration: 5_000,
    ...(options.fetch === undefined ? {} : { [customFetch]: options.fetch }),
  });
  const used = once ? new UsedOnce() : null;

  return async (received) => {
    const [assertion, ...more] = received.assertions;
    if (assertion === undefined || more.length > 0) throw new Refused('there is not exactly one statement');
    requirePlainHeader(assertion);
    const claims = await verified(assertion, keys, { issuer, audience, leewaySeconds });
    requireForm(claims, audience);
    requireSame(claims, received);
    const { jti = '', exp = 0 } = claims;
    if (used?.use(jti, exp + leewaySeconds) === false) throw new Refused('it was used before');
    return identityOf(claims);
  };
}

function requirePlainHeader(assertion: string): void {
  // Readers of base64url let some things pass that are not it.
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(assertion)) throw new Refused('it is no JWT');
  let header: Record<string, unknown>;
  try {
    header = decodeProtectedHeader(assertion);
  } catch (cause) {
    throw new Refused('it is no JWT', 401, cause);
  }
  if (header['typ'] !== type) throw new Refused('it is a token of another type');
  const { kid } = header;
  if (typeof kid !== 'string' || !/^[\w-]{1,128}$/.test(kid)) throw new Refused('it names no key');
  if (foreign.some((name) => Object.hasOwn(header, name))) {
    throw new Refused('its header holds what no statement of Lockstep’s holds');
  }
}

async function verified(
  assertion: string,
  keys: JWTVerifyGetKey,
  expected: { readonly issuer: string; readonly audience: string; readonly leewaySeconds: number },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(assertion, keys, {
      algorithms,
      typ: type,
      issuer: expected.issuer,
      audience: expected.audience,
      clockTolerance: expected.leewaySeconds,
      requiredClaims: required,
    });
    return payload;
  } catch (cause) {
    throw refusalOf(cause, expected);
  }
}

/** What went wrong with the statement is the sender's; what went wrong with the keys is ours, and passes. */
function refusalOf(
  cause: unknown,
  { issuer, audience }: { readonly issuer: string; readonly audience: string },
): Refused {
  // What is expected is the service's own setting: nothing of the statement.
  if (cause instanceof errors.JWTClaimValidationFailed && cause.reason === 'check_failed') {
    if (cause.claim === 'iss') return new Refused(`it is not of the issuer ${issuer}`, 401, cause);
    if (cause.claim === 'aud') return new Refused(`it is not for the audience ${audience}`, 401, cause);
  }
  if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) {
    return new Refused('its key is not one of Lockstep’s', 401, cause);
  }
  const isOfStatement =
    cause instanceof errors.JOSEError &&
    !(cause instanceof errors.JWKSTimeout) &&
    !(cause instanceof errors.JWKSInvalid) &&
    cause.code !== 'ERR_JOSE_GENERIC';
  return isOfStatement
    ? new Refused(cause.message, 401, cause)
    : new Refused(`Lockstep’s keys cannot be fetched: ${firstCause(cause)}`, 503, cause);
}

/** `fetch failed` says nothing of a certificate that is not trusted; what it was caused by does. */
function firstCause(thrown: unknown): string {
  let error = thrown;
  while (error instanceof Error && error.cause !== undefined) error = error.cause;
  return error instanceof Error ? error.message : String(error);
}

function requireForm({ aud, iat, nbf, exp, jti, sub }: JWTPayload, audience: string): void {
  if (aud !== audience) throw new Refused('it is for several');
  if (![iat, nbf, exp].every(Number.isInteger)) throw new Refused('its times are no whole numbers');
  if ((exp ?? Infinity) - (iat ?? 0) > lifetimeSeconds) {
    throw new Refused('it is to live for longer than statements do');
  }
  if (typeof jti !== 'string' || typeof sub !== 'string') throw new Refused('its ids are no text');
}

function requireSame(claims: JWTPayload, { method, host, target }: Received): void {
  const digest = createHash('sha256').update(target, 'latin1').digest('base64url');
  for (const [claim, value] of [
    ['method', method],
    ['host', host],
    ['path_sha256', digest],
  ] as const) {
    const said = claims[claim];
    if (typeof said !== 'string' || !isEqual(said, value)) {
      throw new Refused(`it was made for another request (${claim})`);
    }
  }
}

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
