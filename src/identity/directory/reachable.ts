import type { PrincipalRecord, Tx } from '../../store/changes.ts';
import { findPrincipal } from './principals.ts';

/**
 * Whether a principal could come in by itself: a person with a password, or the account that the operator of the
 * server can always let in; an application with a person who answers for it and a credential that is not out of date.
 * `now` in milliseconds. That it is enabled is not asked.
 */
export async function isReachable(
  tx: Tx,
  { id, kind, sponsorId }: PrincipalRecord,
  { now, operatorsAccount }: { readonly now: number; readonly operatorsAccount: string },
): Promise<boolean> {
  switch (kind) {
    case 'user': {
      const user = await tx
        .selectFrom('users')
        .select(['password', 'user_principal_name'])
        .where('principal_id', '=', id)
        .executeTakeFirst();
      if (user === undefined) return false;
      return user.password !== null || user.user_principal_name === operatorsAccount;
    }
    case 'application':
      return (await hasSponsor(tx, sponsorId)) && (await hasCredential(tx, id, now));
    case 'group':
    case 'managed-identity':
    case 'job':
      return false;
  }
}

async function hasSponsor(tx: Tx, sponsorId: string | null): Promise<boolean> {
  const sponsor = sponsorId === null ? null : await findPrincipal(tx, sponsorId);
  return sponsor?.kind === 'user' && sponsor.enabled;
}

async function hasCredential(tx: Tx, id: string, now: number): Promise<boolean> {
  const federated = await tx
    .selectFrom('federated_credentials')
    .select('id')
    .where('principal_id', '=', id)
    .executeTakeFirst();
  if (federated !== undefined) return true;
  const own = await tx
    .selectFrom('application_credentials')
    .select('expires_at')
    .where('principal_id', '=', id)
    .execute();
  return own.some(({ expires_at }) => expires_at === null || expires_at > now);
}
