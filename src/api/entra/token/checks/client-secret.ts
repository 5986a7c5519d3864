// RFC 6749 §2.3.1: the secret is one of the client's, unexpired; guessing is slowed down (RFC 6819 §5.1.4.2.3).
import { secretHint, type StoredSecret } from '../../../../identity/directory/credentials.ts';
import type { Workload } from '../../../../identity/directory/workloads.ts';
import { verifyNoPassword, verifyPassword } from '../../../../identity/signin/passwords.ts';
import { refusal } from '../../errors.ts';
import type { TokenParts } from '../endpoint.ts';
import type { Proof, TokenRequestForm } from '../request.ts';

const longestSecret = 512;

/** Throws AADSTS7000215 for a wrong secret, 7000222 for one that expired, 429 with AADSTS50196 after many wrong ones. */
export async function clientSecret(
  parts: TokenParts,
  { exchange }: TokenRequestForm,
  client: Workload,
  secret: string,
): Promise<Proof> {
  const candidates =
    secret.length > longestSecret
      ? []
      : (await parts.directory.secretsOf(client.id)).filter(({ hint }) => hint === secretHint(secret));
  const stored =
    candidates.find((candidate) => parts.verifiedSecrets.knows(candidate, secret)) ??
    (await verified(parts, client, exchange.head.remoteAddress, candidates, secret));
  if (stored.expiresAt !== null && stored.expiresAt <= parts.clock.now())
    throw refusal('invalid_client', 7_000_222, `The client secret ${stored.id} has expired; add a new one.`);
  return {
    method: 'client-secret',
    appidacr: '1',
    ciRun: null,
    detail: { credential: stored.id },
    spend: null,
  };
}

/** Counted per client and source, so that nobody far away can lock a client out. */
async function verified(
  parts: TokenParts,
  client: Workload,
  sourceAddress: string,
  candidates: readonly StoredSecret[],
  secret: string,
): Promise<StoredSecret> {
  const admission = await parts.throttle.admit({
    kind: 'client',
    account: `client ${client.clientId} from ${sourceAddress}`,
    sourceAddress,
  });
  if (admission.kind === 'locked')
    throw refusal('too_many_attempts', 50_196, 'Too many wrong client secrets; wait and try again.', {
      retryAfterSeconds: admission.retryAfterSeconds,
    });
  for (const candidate of candidates) {
    if (!(await verifyPassword(secret, candidate.verifier))) continue;
    await admission.succeeded();
    parts.verifiedSecrets.remember(candidate, secret);
    return candidate;
  }
  if (candidates.length === 0) await verifyNoPassword(secret.slice(0, longestSecret));
  throw refusal(
    'invalid_client',
    7_000_215,
    `Invalid client secret for ${client.clientId}. Send the secret's value, not its id.`,
  );
}
