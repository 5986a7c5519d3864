import { randomBytes, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { epochSeconds, type Clock } from '../../lib/clock.ts';
import type { LeaseId, PrincipalId, SessionId, TenantId } from '../../lib/ids.ts';
import type { ActorRef, PrincipalRecord } from '../../store/changes.ts';
import { linkClaim, type AccessTokenClaims, type ActClaim } from './claims.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { TokenJwk } from './token-key-kind.ts';

const signInThreadPool = promisify(sign);

export interface TokenRequest {
  /** The person or workload on whose account the bearer acts; a link of the chain. */
  readonly subject: PrincipalRecord;
  /** The resource, exactly as it was asked for. */
  readonly audience: string;
  readonly lifetimeSeconds: number;
  /** First the person or sponsor, last the one that acts. */
  readonly chain: readonly ActorRef[];
  /** Every one of these must be allowed what the bearer does. */
  readonly authorities: readonly PrincipalId[];
  readonly sessionId?: SessionId;
  readonly leaseId?: LeaseId;
  /** `appid`: the client that asked, or the job. */
  readonly clientId: string;
  readonly idType: 'user' | 'app';
  readonly scopes?: readonly string[];
  readonly roles?: readonly string[];
  /** How the client proved itself: 0 not at all, 1 secret, 2 certificate or assertion. */
  readonly appidacr?: '0' | '1' | '2';
}

export interface IssuedToken {
  readonly token: string;
  readonly tokenId: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
}

export interface TokenIssuerOptions {
  readonly keys: SigningKeys<TokenJwk>;
  /** `{publicUrl}/{tenantId}/v2.0`. */
  readonly issuer: string;
  readonly tenantId: TenantId;
  readonly clock: Clock;
}

/** Signs access tokens: RS256, Entra's claims and the delegation chain. RFC 7515 §7.1, RFC 9068 in substance, Entra v1 in form. */
export class TokenIssuer {
  readonly #options: TokenIssuerOptions;

  constructor(options: TokenIssuerOptions) {
    this.#options = options;
  }

  get issuer(): string {
    return this.#options.issuer;
  }

  /** Throws a RangeError for a life that the signing key's publication does not cover, or a broken chain. */
  async issue(request: TokenRequest): Promise<IssuedToken> {
    const { keys, clock } = this.#options;
    refuseImpossible(request, keys.longestTokenSeconds);
    const key = await keys.signer();
    const now = epochSeconds(clock);
    const tokenId = randomBytes(16).toString('base64url');
    const expiresAt = now + request.lifetimeSeconds;
    const claims = this.#claims(request, { now, expiresAt, tokenId });
    const header = { typ: 'JWT', alg: key.algorithm, kid: key.kid, x5t: key.kid };
    const signed = `${jsonPart(header)}.${jsonPart(claims)}`;
    const signature = await signInThreadPool('sha256', Buffer.from(signed), key.privateKey);
    const token = `${signed}.${signature.toString('base64url')}`;
    return { token, tokenId, expiresAt };
  }

  #claims(
    request: TokenRequest,
    { now, expiresAt, tokenId }: { now: number; expiresAt: number; tokenId: string },
  ): AccessTokenClaims {
    const { subject } = request;
    const user = request.idType === 'user';
    const act = actorsOf(request);
    return {
      aud: request.audience,
      iss: this.#options.issuer,
      iat: now,
      nbf: now,
      exp: expiresAt,
      oid: subject.id,
      sub: subject.id,
      tid: this.#options.tenantId,
      appid: request.clientId,
      azp: request.clientId,
      appidacr: request.appidacr ?? '0',
      idtyp: request.idType,
      idp: this.#options.issuer,
      uti: tokenId,
      ver: '1.0',
      ...(user && { name: subject.displayName }),
      ...(user &&
        subject.signInName !== null && { upn: subject.signInName, unique_name: subject.signInName }),
      ...(user && { scp: (request.scopes ?? ['user_impersonation']).join(' ') }),
      ...(request.roles !== undefined && { roles: [...request.roles] }),
      ...(request.sessionId !== undefined && { sid: request.sessionId }),
      ...(act !== null && { act }),
      lockstep_chain: request.chain.map(linkClaim),
      lockstep_auth: [...request.authorities],
      ...(request.leaseId !== undefined && { lockstep_lease: request.leaseId }),
    };
  }
}

function jsonPart(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Those in the chain who act for the subject: neither the subject nor the person who answers. RFC 8693 §4.1. */
function actorsOf({ chain, subject }: TokenRequest): ActClaim | null {
  let act: ActClaim | null = null;
  for (const [position, actor] of chain.entries()) {
    if (position === 0 || actor.id === subject.id) continue;
    act = act === null ? { sub: actor.id } : { sub: actor.id, act };
  }
  return act;
}

function refuseImpossible(request: TokenRequest, longestTokenSeconds: number): void {
  const { lifetimeSeconds, subject, chain, authorities } = request;
  if (!Number.isInteger(lifetimeSeconds) || lifetimeSeconds < 1 || lifetimeSeconds > longestTokenSeconds)
    throw new RangeError(`a token lives 1 to ${longestTokenSeconds} whole seconds, not ${lifetimeSeconds}`);
  if (!chain.some((actor) => actor.id === subject.id))
    throw new RangeError(`the subject ${subject.id} is not in its own delegation chain`);
  if (authorities.length === 0) throw new RangeError('a token names at least one authority');
}
