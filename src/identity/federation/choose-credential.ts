import { LockstepError } from '../../lib/errors.ts';
import type { FederatedCredential } from '../directory/federated-credentials.ts';
import { conditionsOf, mismatches, shown, type ClaimMismatch, type OutsideClaims } from './match.ts';

/** The credentials that name this issuer, exactly. Throws `federation_mismatch` (AADSTS700211) if there is none. */
export function credentialsOfIssuer(
  credentials: readonly FederatedCredential[],
  issuer: string,
): FederatedCredential[] {
  const named = credentials.filter((credential) => credential.issuer === issuer);
  if (named.length === 0)
    throw new LockstepError({
      code: 'federation_mismatch',
      publicMessage:
        `No federated credential of this client names the issuer ${shown(issuer)}. ` +
        'Issuers are compared exactly: case, port and a trailing slash count.',
      details: { aadsts: 700_211 },
    });
  return named;
}

/**
 * The first credential whose audience and claims fit. Throws `federation_mismatch` with what each one expected and
 * what was presented, side by side; call it only with verified claims, since it tells what would fit.
 */
export function chooseCredential(
  credentials: readonly FederatedCredential[],
  claims: OutsideClaims,
  audience: string,
): FederatedCredential {
  const reports: { credential: string; mismatches: ClaimMismatch[] }[] = [];
  for (const credential of credentials) {
    const found = mismatches(conditionsOf(credential.match), claims);
    if (credential.audience !== audience)
      found.unshift({ claim: 'aud', expected: credential.audience, presented: shown(audience) });
    if (found.length === 0) return credential;
    reports.push({ credential: credential.name, mismatches: found });
  }
  const onlyAudience = reports.every(({ mismatches }) => mismatches.every(({ claim }) => claim === 'aud'));
  throw new LockstepError({
    code: 'federation_mismatch',
    publicMessage: `No federated credential matches the presented token. ${reports.map(sideBySide).join(' ')}`,
    details: { aadsts: onlyAudience ? 700_212 : 700_213, mismatches: reports },
  });
}

function sideBySide(report: { credential: string; mismatches: readonly ClaimMismatch[] }): string {
  const lines = report.mismatches.map(
    ({ claim, expected, presented }) =>
      `${claim}: expected '${expected}', presented ${presented === null ? 'nothing' : `'${presented}'`}`,
  );
  return `Credential '${report.credential}': ${lines.join('; ')}.`;
}
