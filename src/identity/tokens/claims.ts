import { z } from 'zod';
import type { ActorRef } from '../../store/changes.ts';

const text = z.string().max(600);
const guid = z.guid().transform((value) => value.toLowerCase());
const seconds = z.int().min(0).max(253_402_300_799);

export const actorKinds = [
  'user',
  'group',
  'application',
  'managed-identity',
  'job',
  'ci-run',
  'system',
  'anonymous',
] as const;

const ciRun = z.strictObject({
  issuer: text,
  repository: text.optional(),
  ref: text.optional(),
  environment: text.optional(),
});

export const actorRef = z.strictObject({
  kind: z.enum(actorKinds),
  id: text.min(1),
  name: z.string().max(1024),
  ci: ciRun.optional(),
});

/** A link of a chain as it stands in a token and with a lease. */
export function linkClaim({ kind, id, name, ci }: ActorRef): z.output<typeof actorRef> {
  return { kind, id, name, ...(ci !== undefined && { ci: { ...ci } }) };
}

/** RFC 8693 §4.1: the current actor outermost, the one before it within. */
export interface ActClaim {
  readonly sub: string;
  readonly act?: ActClaim | undefined;
}

const actClaim: z.ZodType<ActClaim> = z.strictObject({ sub: text, act: z.lazy(() => actClaim).optional() });

/**
 * The claims of an access token: Entra's names and ours (`lockstep_*`). Strict: a claim that is not listed, or not
 * in its form (an issuer or audience that is a list, a time that is a fraction or text), refuses the token.
 */
export const accessTokenClaims = z.strictObject({
  aud: text.min(1),
  iss: text.min(1),
  iat: seconds,
  nbf: seconds,
  exp: seconds,
  oid: guid,
  sub: guid,
  tid: guid,
  appid: text.min(1),
  azp: text.min(1),
  appidacr: z.enum(['0', '1', '2']),
  idtyp: z.enum(['user', 'app']),
  idp: text,
  uti: z.string().min(16).max(64),
  ver: z.literal('1.0'),
  name: z.string().max(256).optional(),
  upn: text.optional(),
  unique_name: text.optional(),
  scp: z.string().max(2048).optional(),
  roles: z.array(text).max(64).optional(),
  sid: z
    .string()
    .regex(/^ses_[0-9a-z]{26}$/)
    .optional(),
  act: actClaim.optional(),
  lockstep_chain: z.array(actorRef).min(1).max(16),
  lockstep_auth: z.array(guid).min(1).max(16),
  lockstep_lease: z
    .string()
    .regex(/^lea_[0-9a-z]{26}$/)
    .optional(),
});

export type AccessTokenClaims = z.output<typeof accessTokenClaims>;
