import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { epochSeconds, type Clock } from '../../lib/clock.ts';
import { LockstepError } from '../../lib/errors.ts';
import type { LeaseId, PrincipalId, SessionId, TenantId } from '../../lib/ids.ts';
import { RecentlyUsed } from '../../lib/recently-used.ts';
import type { ActorRef } from '../../store/changes.ts';
import type { Caller } from '../caller.ts';
import { accessTokenClaims, type AccessTokenClaims } from './claims.ts';
import { clockSkewSeconds } from './rotation.ts';
import { rsaSignatureFits } from './rsa-signature.ts';

/** Keys by `kid`, those published now and no other. */
export interface VerificationKeys {
  verificationKey(kid: string): KeyObject | null;
}

export interface TokenVerifierOptions {
  readonly keys: VerificationKeys;
  /** The one issuer, exactly. */
  readonly issuer: string;
  readonly tenantId: TenantId;
  readonly clock: Clock;
  /** How many verified tokens are remembered; default 4096. */
  readonly remembered?: number;
}

const longestToken = 16_384;
const compactForm = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Nothing but these: no `jku`, `jwk`, `x5u`, `x5c` to bring a key along, no `crit`, no `b64`. RFC 8725 §3. */
const headerSchema = z.strictObject({
  alg: z.literal('RS256'),
  typ: z.literal('JWT'),
  kid: z.string().min(1).max(128),
  x5t: z.string().max(128).optional(),
});

type Ending = Pick<Caller['credential'], 'expiresAt' | 'leaseId'>;

interface Remembered {
  readonly caller: Caller;
  readonly audience: string;
  readonly kid: string;
  readonly notBefore: number;
}

/**
 * Verifies our own access tokens. A token passes only if every line of `verify` holds; whether the identity behind
 * it is still alive is asked of `Liveness` on every request, so what passed is remembered until it expires.
 */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #remembered: RecentlyUsed<string, Remembered>;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
    this.#remembered = new RecentlyUsed(options.remembered ?? 4096);
  }

  /** `audiences` are exact strings. Throws `invalid_token` or `expired_token`; the token is never in the error. */
  async verify(token: string, audiences: readonly string[]): Promise<Caller> {
    const remembered = this.#recall(token);
    if (remembered !== null) {
      this.#requireTime(remembered.caller.credential, remembered.notBefore, remembered.audience);
      requireAudience(remembered.audience, audiences);
      return remembered.caller;
    }
    if (token.length > longestToken) throw refused(`it is longer than ${longestToken} characters`);
    if (!compactForm.test(token)) throw refused('it is not a JSON Web Token in compact form');
    const [headerPart = '', payloadPart = '', signaturePart = ''] = token.split('.');
    const { kid } = readPart(headerPart, headerSchema, 'header');
    const key = this.#options.keys.verificationKey(kid);
    if (key === null) throw refused('its signing key is not known here, or no longer');
    const signed = Buffer.from(token.slice(0, headerPart.length + 1 + payloadPart.length), 'ascii');
    const signature = canonicalBytes(signaturePart, 'signature');
    if (!rsaSignatureFits('RS256', signed, key, signature)) throw refused('its signature does not fit');
    const claims = readPart(payloadPart, accessTokenClaims, 'payload');
    this.#requireIssuer(claims);
    const ending = { expiresAt: claims.exp, leaseId: (claims.lockstep_lease ?? null) as LeaseId | null };
    this.#requireTime(ending, claims.nbf, claims.aud);
    if (claims.iat > epochSeconds(this.#options.clock) + clockSkewSeconds)
      throw refused('it was issued in the future');
    requireAudience(claims.aud, audiences);
    const caller = callerOf(claims, this.#options.tenantId);
    this.#remembered.set(token, { caller, audience: claims.aud, kid, notBefore: claims.nbf });
    return caller;
  }

  #requireIssuer(claims: AccessTokenClaims): void {
    if (claims.iss !== this.#options.issuer) throw refused('its issuer is another');
    if (claims.tid !== this.#options.tenantId) throw refused('its tenant is another');
    if (claims.sub !== claims.oid || claims.azp !== claims.appid) throw refused('its claims contradict');
  }

  #requireTime({ expiresAt, leaseId }: Ending, notBefore: number, audience: string): void {
    const now = epochSeconds(this.#options.clock);
    if (expiresAt <= now)
      throw new LockstepError({
        code: 'expired_token',
        publicMessage: `The access token expired ${now - expiresAt} s ago; get a new one${leaseId === null ? wayToGet(audience) : ''}.`,
      });
    if (notBefore > now + clockSkewSeconds) throw refused('it is not valid yet');
  }

  #recall(token: string): Remembered | null {
    const found = this.#remembered.get(token);
    if (found === undefined) return null;
    const isKnown = this.#options.keys.verificationKey(found.kid) !== null;
    if (!isKnown || found.caller.credential.expiresAt <= epochSeconds(this.#options.clock))
      this.#remembered.delete(token);
    if (!isKnown) throw refused('its signing key is not known here, or no longer');
    return found;
  }
}

/** For whoever gave a token to a client of a connection that cannot get one itself; jobs ask their identity endpoint. */
function wayToGet(audience: string): string {
  const connection = /^api:\/\/lockstep\/connections\/([a-z][a-z0-9-]*)$/.exec(audience)?.[1];
  return connection === undefined ? '' : `: \`lockstep token --connection ${connection}\``;
}

function callerOf(claims: AccessTokenClaims, tenantId: TenantId): Caller {
  const chain: ActorRef[] = claims.lockstep_chain;
  const subject = chain.find((actor) => actor.id === claims.oid);
  const kind = subject?.kind;
  if (
    subject === undefined ||
    (kind !== 'user' && kind !== 'application' && kind !== 'managed-identity') ||
    (kind === 'user') !== (claims.idtyp === 'user')
  )
    throw refused('its subject does not stand in its delegation chain');
  return {
    tenantId,
    subject: { id: claims.oid as PrincipalId, kind, name: subject.name },
    chain,
    authorities: claims.lockstep_auth as PrincipalId[],
    credential: {
      kind: 'bearer',
      tokenId: claims.uti,
      sessionId: (claims.sid ?? null) as SessionId | null,
      leaseId: (claims.lockstep_lease ?? null) as LeaseId | null,
      expiresAt: claims.exp,
    },
  };
}

function requireAudience(audience: string, accepted: readonly string[]): void {
  if (!accepted.includes(audience))
    throw refused(`it is meant for ${audience.slice(0, 200)}, and here is ${accepted[0] ?? 'no audience'}`);
}

function readPart<T>(part: string, schema: z.ZodType<T>, name: string): T {
  const bytes = canonicalBytes(part, name);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw refused(`its ${name} is not JSON`, cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const path = parsed.error.issues[0]?.path.join('.') ?? '';
    throw refused(`its ${name} is not in the form of an access token${path === '' ? '' : ` (${path})`}`);
  }
  return parsed.data;
}

/** Base64url of one spelling only: no padding, no stray bits. */
function canonicalBytes(part: string, name: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part) throw refused(`its ${name} is not base64url`);
  return bytes;
}

function refused(why: string, cause?: unknown) {
  return new LockstepError({
    code: 'invalid_token',
    publicMessage: `The access token is not valid: ${why}.`,
    ...(cause !== undefined && { internalMessage: `an access token was refused: ${why}` }),
  });
}
