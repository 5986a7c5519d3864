import type { CookieKeys } from '../../identity/signin/cookie-keys.ts';
import type { OneTimeLinks } from '../../identity/signin/one-time-links.ts';
import { verifyNoPassword, verifyPassword } from '../../identity/signin/passwords.ts';
import { sessionCookieName, type Sessions } from '../../identity/signin/sessions.ts';
import type { SignInThrottle } from '../../identity/signin/throttle.ts';
import { failure, type LockstepError } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { PrincipalId, SessionId } from '../../lib/ids.ts';
import type { RecordFact } from '../../ledger/events.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import { clearCookie, setCookie } from '../../gateway/cookies.ts';
import type { Described, Exchange, Guard, Reply, RequestHead, Surface } from '../../gateway/types.ts';
import { askDestination } from '../access-requests/ask-surface.ts';
import { opensPage } from '../../gateway/page-visit.ts';
import { sessionFromHeaders } from '../entra/browser-cookies.ts';
import { entraError, jsonReply } from '../entra/dialect.ts';
import type { Destination, Interactive } from '../entra/interactive.ts';
import { accountPage, type HeldRole } from '../entra/pages/account-page.ts';
import { assets } from '../entra/pages/assets.ts';
import { errorPage } from '../entra/pages/error-page.ts';
import { oneTimeLinkPage } from '../entra/pages/one-time-link-page.ts';
import { signInPage, type SignInTrouble } from '../entra/pages/sign-in-page.ts';
import { signOutPage, signedOutPage } from '../entra/pages/sign-out-page.ts';
import { formActionSource } from '../entra/redirect-uri.ts';
import { browserIdOf, browserOf, formToken, formTokenHolds, fromOwnPage } from './form-guard.ts';
import {
  connectionDestination,
  connectionPath,
  type BrowserConnections,
  type ConnectionDestination,
} from './to-connection.ts';

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

const scope = '/providers/lockstep.access';
const accountDestination: Destination = {
  path: '/account',
  clientName: null,
  loginHint: null,
  formAction: null,
};

/** The pages that people see: sign-in, one-time links, their account, sign-out. */
export function accountSurface(options: AccountOptions): Surface {
  const { clock, keys, sessions, throttle, oneTimeLinks, directory, interactive } = options;

  async function destinationOf(path: string | null | undefined): Promise<Destination> {
    if (!path) return accountDestination;
    return (
      toConnection(path) ?? toAsking(path) ?? (await interactive.destination(path)) ?? accountDestination
    );
  }

  function toAsking(path: string): Destination | null {
    const url = path.startsWith('/') ? URL.parse(path, options.publicUrl) : null;
    return url === null ? null : askDestination(url);
  }

  function toConnection(path: string): ConnectionDestination | null {
    const url = path.startsWith('/') ? URL.parse(path, options.publicUrl) : null;
    const { connections } = options;
    return url === null || connections === undefined ? null : connectionDestination(url, connections);
  }

  /** A connection has sent the browser: it goes back with a code as soon as its person has signed in here. */
  async function leadBack({ head }: Exchange): Promise<Reply> {
    const destination = toConnection(`${head.path}?${head.rawQuery}`);
    if (destination === null) {
      throw failure(
        'invalid_request',
        'There is no such connection, or the address is not one that it has made.',
      );
    }
    const session = sessionFromHeaders(head.headers, sessions);
    if (session === null) {
      return redirect(`/signin?${new URLSearchParams({ continue: destination.path }).toString()}`);
    }
    return redirect(destination.addressFor(session.id));
  }

  async function showSignIn(
    head: RequestHead,
    destination: Destination,
    name: string,
    trouble: SignInTrouble | null,
  ): Promise<Reply> {
    const browser = browserOf(head);
    return signInPage({
      continuePath: destination.path,
      clientName: destination.clientName,
      name,
      formToken: formToken(keys, 'sign-in', browser.id),
      trouble,
      formAction: destination.formAction,
      setCookies: browser.setCookies,
    });
  }

  async function signInForm({ head }: Exchange): Promise<Reply> {
    const destination = await destinationOf(head.query.get('continue'));
    return showSignIn(head, destination, destination.loginHint ?? '', null);
  }

  async function signIn(exchange: Exchange): Promise<Reply> {
    const { head } = exchange;
    const form = exchange.form();
    const destination = await destinationOf(form.get('continue'));
    const name = (form.get('name') ?? '').trim();
    requireOwnPage(head);
    if (!formTokenHolds(keys, 'sign-in', browserIdOf(head), form.get('form_token'))) {
      return showSignIn(head, destination, name, { kind: 'stale' });
    }
    const admission = await throttle.admit({ account: name, sourceAddress: head.remoteAddress });
    const user = await directory.userBySignInName(name);
    if (admission.kind === 'locked') {
      await recordSignIn(exchange, user, 'pwd', 'too_many_attempts', null);
      const { retryAfterSeconds } = admission;
      return showSignIn(head, destination, name, { kind: 'locked', retryAfterSeconds });
    }
    if (!(await passwordHolds(user, form.get('password') ?? '')) || user?.enabled !== true) {
      await recordSignIn(exchange, user, 'pwd', 'invalid_grant', null);
      return showSignIn(head, destination, name, { kind: 'wrong' });
    }
    await admission.succeeded();
    return begin(exchange, user, 'pwd', destination);
  }

  /** Costs the same whether or not there is such an account. */
  async function passwordHolds(user: PrincipalRecord | null, password: string): Promise<boolean> {
    const verifier = user === null ? null : await directory.passwordVerifier(user.id);
    return verifier === null ? verifyNoPassword(password) : verifyPassword(password, verifier);
  }

  async function begin(
    exchange: Exchange,
    user: PrincipalRecord,
    method: 'pwd' | 'otp',
    destination: Destination,
  ): Promise<Reply> {
    const { head } = exchange;
    const attribution = { ...exchange.attribution, chain: [actorOf(user)] };
    const before = sessionFromHeaders(head.headers, sessions);
    if (before !== null && before.principalId !== user.id) {
      await sessions.close({ ...attribution, sessionId: before.id }, before.id, 'replaced');
    }
    const { session, cookie } = await sessions.open(attribution, {
      principalId: user.id,
      authenticationMethods: [method],
      sourceAddress: head.remoteAddress,
      userAgent: head.headers['user-agent'] ?? null,
    });
    await recordSignIn(exchange, user, method, null, session.id);
    return redirect(destination.path, [setCookie(sessionCookieName, cookie)]);
  }

  async function recordSignIn(
    exchange: Exchange,
    user: PrincipalRecord | null,
    method: string,
    failureCode: string | null,
    sessionId: SessionId | null,
  ): Promise<void> {
    const succeeded = failureCode === null;
    await options.record({
      kind: 'authentication',
      attribution:
        succeeded && user !== null
          ? { ...exchange.attribution, chain: [actorOf(user)], sessionId }
          : exchange.attribution,
      activity: 'sign-in',
      succeeded,
      failureCode,
      principalId: user?.id ?? null,
      principalName: user?.signInName ?? null,
      method,
      audience: null,
      tokenId: null,
      expiresAt: null,
      detail: {},
    });
  }

  async function linkForm({ head }: Exchange): Promise<Reply> {
    const code = head.query.get('code') ?? '';
    const principalId = await oneTimeLinks.peek(code);
    const user = principalId === null ? null : await directory.byId(principalId);
    const browser = browserOf(head);
    return oneTimeLinkPage({
      code,
      formToken: formToken(keys, 'one-time-link', `${browser.id}\0${code}`),
      displayName: user?.enabled === true ? user.displayName : null,
      setCookies: browser.setCookies,
    });
  }

  async function linkSignIn(exchange: Exchange): Promise<Reply> {
    const { head } = exchange;
    const form = exchange.form();
    const code = form.get('code') ?? '';
    const browser = browserIdOf(head);
    requireOwnPage(head);
    if (
      !formTokenHolds(
        keys,
        'one-time-link',
        browser === null ? null : `${browser}\0${code}`,
        form.get('form_token'),
      )
    ) {
      throw failure('csrf_refused', 'The form did not come from a page that was served to this browser.');
    }
    const principalId = await oneTimeLinks.redeem(exchange.attribution, code);
    const user = principalId === null ? null : await directory.byId(principalId);
    if (user?.enabled !== true) {
      await recordSignIn(exchange, user, 'otp', 'invalid_grant', null);
      return oneTimeLinkPage({ code: '', formToken: '', displayName: null, setCookies: [] });
    }
    return begin(exchange, user, 'otp', accountDestination);
  }

  async function account(exchange: Exchange): Promise<Reply> {
    const { user, sessionId } = await ownSession(exchange);
    const open = sessions.list(user.id);
    return accountPage({
      displayName: user.displayName,
      signInName: user.signInName ?? '',
      objectId: user.id,
      groups: await options.groupsOf(user.id),
      roles: options.rolesOf === undefined ? null : await options.rolesOf(user.id),
      current: open.find(({ id }) => id === sessionId) ?? null,
      others: open.filter(({ id }) => id !== sessionId),
      formToken: formToken(keys, 'account', sessionId),
      notice: exchange.head.query.get('done') === 'ended' ? 'The session was ended.' : null,
      now: clock.now(),
    });
  }

  async function endSession(exchange: Exchange): Promise<Reply> {
    const { user, sessionId } = await ownSession(exchange);
    const form = ownForm(exchange, sessionId);
    const other = sessions.find((form.get('session') ?? '') as SessionId);
    if (other === null || other.principalId !== user.id) {
      throw failure('not_found', 'There is no such session of yours; it may have ended already.');
    }
    await sessions.close(exchange.attribution, other.id, 'ended-by-owner');
    return redirect('/account?done=ended');
  }

  async function signOutForm({ head }: Exchange): Promise<Reply> {
    const session = sessionFromHeaders(head.headers, sessions);
    const user = session === null ? null : await directory.byId(session.principalId);
    const onward = await interactive.afterSignOut(head.query);
    if (session === null || user === null) {
      return onward === null ? signedOutPage([clearCookie(sessionCookieName)]) : redirect(onward);
    }
    return signOutPage({
      displayName: user.displayName,
      formToken: formToken(keys, 'account', session.id),
      rawQuery: head.rawQuery,
      formAction: onward === null ? null : formActionSource(onward),
    });
  }

  async function signOut(exchange: Exchange): Promise<Reply> {
    const { sessionId } = await ownSession(exchange);
    const form = ownForm(exchange, sessionId);
    await sessions.close(exchange.attribution, sessionId, 'signed-out');
    const onward = await interactive.afterSignOut(new URLSearchParams(form.get('request') ?? ''));
    return redirect(onward ?? '/signin/out', [clearCookie(sessionCookieName)]);
  }

  async function ownSession(exchange: Exchange): Promise<{ user: PrincipalRecord; sessionId: SessionId }> {
    const sessionId = exchange.caller?.credential.sessionId ?? null;
    const user = exchange.caller === null ? null : await directory.byId(exchange.caller.subject.id);
    if (sessionId === null || user === null) throw failure('authentication_required', 'Sign in first.');
    return { user, sessionId };
  }

  function ownForm(exchange: Exchange, sessionId: SessionId): ReadonlyMap<string, string> {
    const form = exchange.form();
    requireOwnPage(exchange.head);
    if (!formTokenHolds(keys, 'account', sessionId, form.get('form_token'))) {
      throw failure('csrf_refused', 'The form did not come from a page that was served to this session.');
    }
    return form;
  }

  function requireOwnPage(head: RequestHead): void {
    if (!fromOwnPage(head, options.publicUrl)) {
      throw failure('csrf_refused', 'The form was sent from another site, so nothing was done.');
    }
  }

  const routes: Readonly<Record<string, Described>> = {
    'GET /': row('account/home', anyone, 'read', async () => redirect('/account')),
    'GET /signin': row('signIn/read', anyone, 'read', signInForm),
    'POST /signin': row('signIn/write', anyone, 'change', signIn),
    'GET /signin/link': row('signIn/link/read', anyone, 'read', linkForm),
    'POST /signin/link': row('signIn/link/write', anyone, 'change', linkSignIn),
    [`GET ${connectionPath}`]: row('signIn/connection/read', anyone, 'read', leadBack),
    'GET /signin/out': row('signOut/read', anyone, 'read', signOutForm),
    'GET /account': row('account/read', oneself, 'read', account),
    'POST /account/sessions/end': row('account/sessions/end', oneself, 'change', endSession),
    'POST /account/sign-out': row('account/signOut', oneself, 'change', signOut),
    ...Object.fromEntries(
      assets.map(({ path, contentType, text }) => [
        `GET ${path}`,
        row('assets/read', anyone, 'read', async () => ({
          status: 200,
          headers: {
            'content-type': contentType,
            'cache-control': 'public, max-age=31536000, immutable',
            'x-content-type-options': 'nosniff',
            'cross-origin-resource-policy': 'same-origin',
          },
          body: text,
        })),
      ]),
    ),
  };

  return {
    name: 'account',
    audiences: [],
    acceptsSessionCookie: true,
    matches: ({ path }) => path === '/' || /^\/(?:signin|account|assets)(?:\/|$)/.test(path),
    describe: (head) => routes[`${head.method} ${head.path}`] ?? null,
    renderError: (error, head) => renderError(error, head, clock.now()),
  };
}

const anyone: Guard = { kind: 'public', rule: 'sign-in', scope };
const oneself: Guard = { kind: 'authenticated', rule: 'own-account', scope };

function row(
  operation: string,
  guard: Guard,
  effect: 'read' | 'change',
  serve: (exchange: Exchange) => Promise<Reply>,
): Described {
  const form = {
    kind: 'buffered',
    maxBytes: 16_384,
    mediaTypes: ['application/x-www-form-urlencoded'],
  } as const;
  return {
    operation: `Lockstep.Access/${operation}`,
    guard,
    effect,
    body: effect === 'change' ? form : { kind: 'none' },
    serve,
  };
}

/** A browser without a session is led to the sign-in page; whoever did not ask for a page gets JSON. */
function renderError(error: LockstepError, head: RequestHead, now: number): Reply {
  const wantsPage = opensPage(head);
  if (error.status === 401 && wantsPage) {
    return redirect(head.path === '/account/sign-out' ? '/signin/out' : '/signin?continue=%2Faccount');
  }
  const body = entraError({ error: error.code, description: error.publicMessage }, { now, traceId: head.id });
  if (!wantsPage) return jsonReply(error.status, body);
  return errorPage(error.status, {
    error: error.code,
    error_description: error.publicMessage,
    requestId: head.id,
  });
}

function redirect(location: string, setCookies: readonly string[] = []): Reply {
  return {
    status: 303,
    headers: {
      location,
      'cache-control': 'no-store',
      ...(setCookies.length === 0 ? {} : { 'set-cookie': setCookies }),
    },
  };
}

function actorOf(user: PrincipalRecord) {
  return { kind: 'user', id: user.id, name: user.signInName ?? user.displayName } as const;
}
