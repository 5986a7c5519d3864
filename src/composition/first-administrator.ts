import type { OneTimeLinks } from '../identity/signin/one-time-links.ts';
import type { PrincipalId } from '../lib/ids.ts';
import { systemAttribution } from '../store/changes.ts';
import type { Foundation } from './foundation.ts';

export const administratorSignInName = 'admin@lockstep.local';

const linkSeconds = 15 * 60;

/** The account that `init` made; null when it was deleted since. */
export async function firstAdministrator(foundation: Foundation): Promise<PrincipalId | null> {
  const found = await foundation.directory.userBySignInName(administratorSignInName);
  return found?.id ?? null;
}

/**
 * Whether the first administrator has been here: they have a password, or signed in once. A link that is made unasked is
 * for those who have not; whoever reads the terminal, or what is kept of it, could be them.
 */
export async function administratorIsKnown({ directory, ledger }: Foundation): Promise<boolean> {
  const found = await directory.userBySignInName(administratorSignInName);
  if (found === null || (await directory.passwordVerifier(found.id)) !== null) return true;
  const { events } = await ledger.search({ person: found.id, action: 'session.opened' }, { limit: 1 });
  return events.length > 0;
}

/** A link that signs the first administrator in once, within 15 minutes. Throws when the account is gone. */
export async function administratorLink(
  foundation: Foundation,
  links: OneTimeLinks,
  publicUrl: string,
): Promise<string> {
  const id = await firstAdministrator(foundation);
  if (id === null) {
    throw new Error(
      `there is no account ${administratorSignInName} any more: sign in as another administrator`,
    );
  }
  const code = await links.create(systemAttribution(foundation.tenantId, 'gateway'), id, linkSeconds);
  return `${publicUrl}/signin/link?code=${code}`;
}
