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
