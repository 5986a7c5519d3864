import { clearCookie } from '../../gateway/browser/cookies.ts';
import type { Exchange, Reply } from '../../gateway/types.ts';
import { sessionCookieName } from '../../identity/signin/sessions.ts';
import { failure } from '../../lib/errors.ts';
import type { SessionId } from '../../lib/ids.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import { sessionFromHeaders } from '../entra/browser-cookies.ts';
import { accountPage } from '../entra/pages/account-page.ts';
import { signedOutPage, signOutPage } from '../entra/pages/sign-out-page.ts';
import { formActionSource } from '../entra/redirect-uri.ts';
import { formToken, formTokenHolds, mustComeFromOwnPage } from './form-guard.ts';
import { redirect } from './redirect.ts';
import type { AccountOptions } from './options.ts';

/** What people see of themselves, and how they go. */
export function ownAccount(options: AccountOptions) {
  const { clock, keys, sessions, directory, interactive, publicUrl } = options;

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
    mustComeFromOwnPage(exchange.head, publicUrl);
    if (!formTokenHolds(keys, 'account', sessionId, form.get('form_token'))) {
      throw failure('csrf_refused', 'The form did not come from a page that was served to this session.');
    }
    return form;
  }

  return { account, endSession, signOutForm, signOut };
}
