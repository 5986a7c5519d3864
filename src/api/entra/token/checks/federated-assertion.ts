// RFC 7523 §3 with an outside issuer: a federated credential names it, its key signed, the claims fit, and it is new.
import type { Workload } from '../../../../identity/directory/workloads.ts';
import { chooseCredential, credentialsOfIssuer } from '../../../../identity/federation/choose-credential.ts';
import { conditionsOf, shown, type OutsideClaims } from '../../../../identity/federation/match.ts';
import { readAssertion, verifyOutsideToken } from '../../../../identity/federation/outside-token.ts';
import type { ActorRef } from '../../../../store/changes.ts';
import type { TokenParts } from '../endpoint.ts';
import type { Proof, TokenRequestForm } from '../request.ts';

/**
 * Throws AADSTS700211 (issuer or signature), 700212 (audience), 700213 (claims, side by side), 700024 (time), 90033
 * (the issuer cannot be reached at the moment), or, when the token is about to be issued, `assertion_replayed`.
 */
export async function federatedAssertion(
  parts: TokenParts,
  { exchange }: TokenRequestForm,
  client: Workload,
  token: string,
): Promise<Proof> {
  const assertion = readAssertion(token);
  const candidates = credentialsOfIssuer(
    await parts.directory.federatedCredentialsOf(client.id),
    assertion.claims.iss,
  );
  const claims = await verifyOutsideToken(assertion, parts.externalIssuers, parts.clock);
  const credential = chooseCredential(candidates, claims, assertion.audience);
  const { iss, exp, jti, sub } = assertion.claims;
  const spend = (chain: readonly ActorRef[]) =>
    parts.usedAssertions.use(
      { ...exchange.attribution, chain },
      {
        principal: client.id,
        issuer: iss,
        jti: jti ?? null,
        token,
        expiresAt: exp,
        remedy:
          `Get a fresh token from ${iss} for each exchange, or set the federated credential ` +
          `'${credential.name}' to assertionUse 'reusable'.`,
      },
    );
  const matched: Record<string, string> = {};
  for (const { claim } of conditionsOf(credential.match)) {
    matched[`claim ${claim}`] = shown(String(claims[claim]));
  }
  return {
    method: 'federated',
    appidacr: '2',
    ciRun: ciRunOf(iss, claims),
    detail: { credential: credential.name, issuer: iss, subject: shown(sub), ...matched },
    spend: credential.assertionUse === 'once' ? spend : null,
  };
}

/** The run of a CI system, where its token names one. */
function ciRunOf(issuer: string, claims: OutsideClaims): ActorRef | null {
  const runId = claims['run_id'];
  if (typeof runId !== 'string' && typeof runId !== 'number') return null;
  const said = (claim: string): string => {
    const value = claims[claim];
    return typeof value === 'string' ? shown(value) : 'unknown';
  };
  const run = shown(String(runId));
  return {
    kind: 'ci-run',
    id: `${issuer}#${run}`.slice(0, 600),
    name: `${said('repository')}@${said('ref')} run ${run}`,
    ci: {
      issuer,
      repository: whole(claims['repository']),
      ref: whole(claims['ref']),
      environment: whole(claims['environment']),
    },
  };
}

/** Cut short, a claim would be another one; so one that is too long to carry is left out, and conditions miss it. */
function whole(claim: unknown): string | undefined {
  return typeof claim === 'string' && claim.length <= 256 ? claim : undefined;
}
