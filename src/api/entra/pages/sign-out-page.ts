import type { Reply } from '../../../gateway/types.ts';
import { html } from './html.ts';
import { brand, page } from './layout.ts';

export interface SignOutView {
  readonly displayName: string;
  readonly formToken: string;
  /** The query of the logout request, checked again when the form comes back. */
  readonly rawQuery: string;
  readonly formAction: string | null;
}

/** A sign-out is confirmed: a link on another site must not be able to do it. */
export function signOutPage(view: SignOutView): Reply {
  return page({
    title: 'Sign out',
    formAction: view.formAction,
    body: html`<main>
      ${brand}
      <section class="card">
        <h1>Sign out?</h1>
        <p class="lead">
          You are signed in as ${view.displayName}. Applications that you opened from this browser will ask
          you to sign in again.
        </p>
        <form method="post" action="/account/sign-out">
          <input type="hidden" name="form_token" value="${view.formToken}" />
          <input type="hidden" name="request" value="${view.rawQuery}" />
          <button class="full" type="submit" autofocus>Sign out</button>
        </form>
      </section>
    </main>`,
  });
}

export function signedOutPage(setCookies: readonly string[]): Reply {
  return page({
    title: 'Signed out',
    setCookies,
    body: html`<main>
      ${brand}
      <section class="card">
        <h1>You are signed out</h1>
        <p class="lead">This session is over, here and on the server.</p>
        <a class="button" href="/signin">Sign in again</a>
      </section>
    </main>`,
  });
}
