import { compactVerify, errors } from 'jose';
import { z } from 'zod';
import { epochSeconds, type Clock } from '../../lib/clock.ts';
import { LockstepError } from '../../lib/errors.ts';
import { outsideAlgorithms, type ExternalIssuers } from './external-issuers.ts';
import { shown, type OutsideClaims } from './match.ts';

const longestToken = 16_384;
const skewSeconds = 60;
/** A token that would be good for longer is not a fresh statement about a workload. */
const longestLifeSeconds = 86_400;

/** NumericDate may hold a fraction (RFC 7519 §2), and MSAL for Python sends one; whole seconds are enough here. */
const seconds = z
  .number()
  .min(0)
  .max(253_402_300_799)
  .transform((time) => Math.floor(time));
const headerSchema = z.looseObject({
  alg: z.string().max(16),
  kid: z.string().min(1).max(512).optional(),
  crit: z.undefined().optional(),
  b64: z.undefined().optional(),
});
const claimsSchema = z.looseObject({
  iss: z.string().min(1).max(600),
  sub: z.string().min(1).max(1024),
  /** One audience: a token for two could be replayed by the other. */
  aud: z.union([z.string().min(1).max(600), z.tuple([z.string().min(1).max(600)])]),
  exp: seconds,
  nbf: seconds.optional(),
  iat: seconds.optional(),
  jti: z.string().min(1).max(600).optional(),
});

/** What an assertion says of itself, before anything is verified: enough to find out who could verify it. */
export interface UnverifiedAssertion {
  readonly token: string;
  readonly algorithm: string;
  /** Empty where it has none and needs none. */
  readonly kid: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: OutsideClaims & z.infer<typeof claimsSchema>;
  readonly audience: string;
}

/** Throws `invalid_client` for what cannot be an assertion; the text itself is never in the error. */
export function readAssertion(
  token: string,
  { needsKid = true }: { readonly needsKid?: boolean } = {},
): UnverifiedAssertion {
  if (token.length > longestToken) throw refused(50_027, `it is longer than ${longestToken} characters`);
  const [headerPart, payloadPart, signature, ...more] = token.split('.');
  if (headerPart === undefined || payloadPart === undefined || !signature || more.length > 0)
    throw refused(50_027, 'it is not a signed JSON Web Token');
  const header = headerSchema.safeParse(jsonOf(headerPart));
  if (!header.success || (needsKid && header.data.kid === undefined))
    throw refused(
      50_027,
      `its header needs "alg"${needsKid ? ' and "kid"' : ''} and may not have critical extensions`,
    );
  const claims = claimsSchema.safeParse(jsonOf(payloadPart));
  if (!claims.success) {
    const claim = claims.error.issues[0]?.path[0];
    throw refused(50_027, `its claim ${String(claim)} is missing or not in the expected form`);
  }
  const { aud } = claims.data;
  return {
    token,
    algorithm: header.data.alg,
    kid: header.data.kid ?? '',
    header: header.data,
    claims: claims.data,
    audience: typeof aud === 'string' ? aud : aud[0],
  };
}

/**
 * Verifies the signature with the issuer's published key, then the times. Call it only for an issuer that a
 * federated credential names. Throws `invalid_client`.
 */
export async function verifyOutsideToken(
  assertion: UnverifiedAssertion,
  issuers: ExternalIssuers,
  clock: Clock,
): Promise<OutsideClaims> {
  const { token, algorithm, kid, claims } = assertion;
  const key = await issuers.key(claims.iss, algorithm, kid);
  try {
    await compactVerify(token, key, { algorithms: [...outsideAlgorithms] });
  } catch (cause) {
    if (!(cause instanceof errors.JOSEError) && !(cause instanceof TypeError)) throw cause;
    throw refused(700_211, `its signature is not one of ${shown(claims.iss)}`, cause);
  }
  requireTimes(claims, epochSeconds(clock));
  return claims;
}

/** AADSTS700024: not within its time range. */
export function requireTimes(
  claims: { readonly exp: number; readonly nbf?: number | undefined; readonly iat?: number | undefined },
  now: number,
  longestSeconds: number = longestLifeSeconds,
): void {
  if (claims.exp <= now) throw refused(700_024, `it expired ${now - claims.exp} s ago; get a fresh one`);
  if ((claims.nbf ?? 0) > now + skewSeconds || (claims.iat ?? 0) > now + skewSeconds)
    throw refused(700_024, 'it is not valid yet');
  if (claims.exp > now + longestSeconds + skewSeconds)
    throw refused(700_024, `it would be valid for more than ${longestSeconds} s`);
}

function jsonOf(part: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url')));
  } catch {
    return null;
  }
}

function refused(aadsts: number, why: string, cause?: unknown) {
  return new LockstepError({
    code: 'invalid_client',
    publicMessage: `The client assertion is refused: ${why}.`,
    details: { aadsts },
    cause,
  });
}
