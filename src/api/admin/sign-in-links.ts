import type { Route } from '../../gateway/routes.ts';
import type { OneTimeLinks } from '../../identity/signin/one-time-links.ts';
import type { Clock } from '../../lib/clock.ts';
import { failure } from '../../lib/errors.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { ownAction } from '../own-actions.ts';
import { requirePowerOver } from '../power-over.ts';
import { isoTime, noBody, ok } from './replies.ts';

const lifeSeconds = 15 * 60;

export interface SignInLinkParts {
  readonly snapshot: PolicySnapshot;
  readonly links: OneTimeLinks;
  /** The address at which a code is redeemed. */
  readonly linkUrl: (code: string) => string;
  readonly clock: Clock;
}

/**
 * Lets somebody in who has no password, or forgot it. The link is answered once and kept as a digest only. Whoever
 * asks sees it, so they need the power over that person's roles.
 */
export function signInLinkRoutes({ snapshot, links, linkUrl, clock }: SignInLinkParts): Route[] {
  return [
    {
      method: 'POST',
      path: '/admin/v1/users/:id/sign-in-link',
      effect: 'change',
      body: noBody,
      guard: () => ownAction('users/signInLink/action'),
      async serve(exchange, { id = '' }) {
        const user = snapshot.principal(id.toLowerCase() as PrincipalId);
        if (user?.kind !== 'user')
          throw failure('not_found', `There is no user with object id ${id.slice(0, 80)}.`);
        if (!user.enabled) throw failure('conflict', `${user.displayName} is disabled; enable them first.`);
        await requirePowerOver(exchange, snapshot, user.id);
        const expiresAt = isoTime(clock.now() + lifeSeconds * 1000);
        const code = await links.create(exchange.attribution, user.id, lifeSeconds);
        return ok({ url: linkUrl(code), expiresAt });
      },
    },
  ];
}
