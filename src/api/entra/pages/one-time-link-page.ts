import type { Reply } from '../../../gateway/types.ts';
import { html } from './html.ts';
import { brand, page } from './layout.ts';

export interface OneTimeLinkView {
  readonly code: string;
  readonly formToken: string;
  /** Whom it signs in; null when the link is unknown, used or lapsed. */
  readonly displayName: string | null;
  readonly setCookies: readonly string[];
}

/** Opening the link does not use it up, the button does: mail scanners and previews open links too. */
export function oneTimeLinkPage(view: OneTimeLinkView): Reply {
  if (view.displayName === null) {
    return page({
      title: 'This link does not work any more',
      status: 410,
      body: html`<main>
        ${brand}
        <section class="card">
          <h1>This link does not work any more</h1>
          <p class="lead">
            It was used before, or it is too old. Ask for a new one, or sign in with your password.
          </p>
          <a class="button" href="/signin">Sign in</a>
        </section>
      </main>`,
    });
  }
  return page({
    title: 'Sign in once',
    setCookies: view.setCookies,
    body: html`<main>
      ${brand}
      <section class="card">
        <h1>Welcome, ${view.displayName}</h1>
        <p class="lead">This link signs you in once, in this browser.</p>
        <form method="post" action="/signin/link">
          <input type="hidden" name="code" value="${view.code}" />
          <input type="hidden" name="form_token" value="${view.formToken}" />
          <button class="full" type="submit" autofocus>Sign in</button>
        </form>
      </section>
    </main>`,
  });
}
