// Nothing acts without a person behind it: the client is enabled, and so is the person who answers for it.
import type { Workload } from '../../../../identity/directory/workloads.ts';
import type { PrincipalRecord } from '../../../../store/changes.ts';
import { refusal } from '../../errors.ts';
import type { TokenParts } from '../endpoint.ts';

/** The sponsor. Throws AADSTS7000112. Asked after the proof, so that only the client itself learns of it. */
export function enabledClient(parts: TokenParts, client: Workload): PrincipalRecord {
  const dead = parts.liveness.whyDead(client.id);
  const sponsor = client.sponsorId === null ? undefined : parts.liveness.principal(client.sponsorId);
  if (dead !== null || sponsor === undefined)
    throw refusal(
      'unauthorized_client',
      7_000_112,
      `${client.displayName} may not sign in: ${dead ?? 'no person answers for it'}.`,
    );
  return sponsor;
}
