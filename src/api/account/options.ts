import type { CookieKeys } from '../../identity/signin/cookie-keys.ts';
import type { OneTimeLinks } from '../../identity/signin/one-time-links.ts';
import type { Sessions } from '../../identity/signin/sessions.ts';
import type { SignInThrottle } from '../../identity/signin/throttle.ts';
import type { RecordFact } from '../../ledger/events.ts';
import type { Clock } from '../../lib/clock.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import type { Interactive } from '../entra/interactive.ts';
import type { HeldRole } from '../entra/pages/account-page.ts';
import type { BrowserConnections } from './to-connection.ts';

/** Of the pages that people see. */
export interface AccountOptions {
  readonly publicUrl: string;
  readonly clock: Clock;
  readonly record: RecordFact;
  readonly keys: CookieKeys;
  readonly sessions: Sessions;
  readonly throttle: SignInThrottle;
  readonly oneTimeLinks: OneTimeLinks;
  readonly interactive: Pick<Interactive, 'destination' | 'afterSignOut'>;
  /** Connections at which people sign in too; absent: none. */
  readonly connections?: BrowserConnections;
  readonly directory: {
    byId(id: PrincipalId): Promise<PrincipalRecord | null>;
    userBySignInName(name: string): Promise<PrincipalRecord | null>;
    /** The stored verifier; null when no password is set. */
    passwordVerifier(id: PrincipalId): Promise<string | null>;
  };
  /** Names of the groups a person is in, own and inherited. */
  groupsOf(id: PrincipalId): readonly string[] | Promise<readonly string[]>;
  /** What a person holds, for their own account page. */
  rolesOf?(id: PrincipalId): readonly HeldRole[] | Promise<readonly HeldRole[]>;
}
