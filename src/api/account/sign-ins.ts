import { setCookie } from '../../gateway/browser/cookies.ts';
import type { Exchange, Reply, RequestHead } from '../../gateway/types.ts';
import { verifyNoPassword, verifyPassword } from '../../identity/signin/passwords.ts';
import { sessionCookieName } from '../../identity/signin/sessions.ts';
import { failure } from '../../lib/errors.ts';
import type { SessionId } from '../../lib/ids.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import { askDestination } from '../access-requests/ask-surface.ts';
import { sessionFromHeaders } from '../entra/browser-cookies.ts';
import type { Destination } from '../entra/interactive.ts';
import { oneTimeLinkPage } from '../entra/pages/one-time-link-page.ts';
import { signInPage, type SignInTrouble } from '../entra/pages/sign-in-page.ts';
import { browserIdOf, browserOf, formToken, formTokenHolds, mustComeFromOwnPage } from './form-guard.ts';
import { redirect } from './redirect.ts';
import type { AccountOptions } from './options.ts';
import { connectionDestination, type ConnectionDestination } from './to-connection.ts';

const accountDestination: Destination = {
  path: '/account',
  clientName: null,
  loginHint: null,
  formAction: null,
};

/** How a person comes in: with a password, or by a link that holds once; and where they go from there. */
export function signIns(options: AccountOptions) {
  const { keys, sessions, throttle, oneTimeLinks, directory, interactive, publicUrl } = options;

  async function destinationOf(path: string | null | undefined): Promise<Destination> {
    if (!path) return accountDestination;
    return (
      toConnection(path) ?? toAsking(path) ?? (await interactive.destination(path)) ?? accountDestination
    );
  }

  function toAsking(path: string): Destination | null {
    const url = path.startsWith('/') ? URL.parse(path, publicUrl) : null;
    return url === null ? null : askDestination(url);
  }

  function toConnection(path: string): ConnectionDestination | null {
    const url = path.startsWith('/') ? URL.parse(path, publicUrl) : null;
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
    mustComeFromOwnPage(head, publicUrl);
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
    mustComeFromOwnPage(head, publicUrl);
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

  return { leadBack, signInForm, signIn, linkForm, linkSignIn };
}

function actorOf(user: PrincipalRecord) {
  return { kind: 'user', id: user.id, name: user.signInName ?? user.displayName } as const;
}
