import type { Reply } from '../../../gateway/types.ts';
import { html } from './html.ts';
import { brand, page } from './layout.ts';

export type SignInTrouble =
  | { readonly kind: 'wrong' }
  | { readonly kind: 'locked'; readonly retryAfterSeconds: number }
  | { readonly kind: 'stale' };

export interface SignInView {
  readonly continuePath: string;
  readonly clientName: string | null;
  readonly name: string;
  readonly formToken: string;
  readonly trouble: SignInTrouble | null;
  readonly formAction: string | null;
  readonly setCookies: readonly string[];
}

/**
 * The form says no `action`, so that it is sent to the page's own address, with what stands behind `#` there: that never
 * leaves the browser, and goes with it through the redirects to the page that was wanted. Where those lead is said by
 * `continuePath` alone. https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#form-submission-algorithm
 */
export function signInPage(view: SignInView): Reply {
  const { trouble } = view;
  const invalid = trouble?.kind === 'wrong' ? 'true' : 'false';
  const described = trouble === null ? '' : 'trouble';
  const focusPassword = view.name !== '';
  const reply = page({
    title: 'Sign in',
    status: trouble === null ? 200 : statusOf(trouble),
    formAction: view.formAction,
    setCookies: view.setCookies,
    body: html`<main>
      ${brand}
      <section class="card" aria-labelledby="heading">
        <h1 id="heading">Sign in</h1>
        <p class="lead">
          ${view.clientName === null ? 'With your Lockstep account.' : html`To continue to <strong>${view.clientName}</strong>.`}
        </p>
        ${trouble === null ? null : html`<div class="notice bad" id="trouble" role="alert">${sentenceOf(trouble)}</div>`}
        <form method="post">
          <input type="hidden" name="continue" value="${view.continuePath}" />
          <input type="hidden" name="form_token" value="${view.formToken}" />
          <label for="name">User name</label>
          <input
            id="name"
            name="name"
            type="text"
            value="${view.name}"
            autocomplete="username"
            autocapitalize="none"
            spellcheck="false"
            required
            maxlength="256"
            aria-invalid="${invalid}"
            aria-describedby="${described}"
            ${focusPassword ? null : html` autofocus`}
          />
          <label for="password">Password</label>
          <input
            id="password"
            name="password"
            type="password"
            autocomplete="current-password"
            required
            maxlength="1024"
            aria-invalid="${invalid}"
            aria-describedby="${described}"
            ${focusPassword ? html` autofocus` : null}
          />
          <button class="full" type="submit">Sign in</button>
        </form>
        <p class="hint after">
          No password? Ask an administrator for a sign-in link (<code>lockstep user link NAME</code>).
        </p>
      </section>
    </main>`,
  });
  if (trouble?.kind !== 'locked') return reply;
  return { ...reply, headers: { ...reply.headers, 'retry-after': String(trouble.retryAfterSeconds) } };
}

function statusOf(trouble: SignInTrouble): number {
  switch (trouble.kind) {
    case 'wrong':
      return 401;
    case 'locked':
      return 429;
    case 'stale':
      return 403;
  }
}

function sentenceOf(trouble: SignInTrouble) {
  switch (trouble.kind) {
    case 'wrong':
      return html`<p>The user name or the password is not right.</p>`;
    case 'locked':
      return html`<p>Too many attempts. Try again in ${waitOf(trouble.retryAfterSeconds)}.</p>
        <p>Your account is safe; an administrator can give you a one-time link.</p>`;
    case 'stale':
      return html`<p>This page was open for too long or came from elsewhere. Please try once more.</p>`;
  }
}

function waitOf(seconds: number): string {
  if (seconds < 60) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? '1 minute' : `${minutes} minutes`;
}
