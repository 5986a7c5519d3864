import type { Reply } from '../../../gateway/types.ts';
import { submitScript } from './assets.ts';
import { html } from './html.ts';
import { brand, page } from './layout.ts';

/** The authorization response as a form that sends itself. OAuth 2.0 Form Post Response Mode §2. */
export function formPostPage(
  action: string,
  parameters: ReadonlyMap<string, string>,
  formAction: string | null,
): Reply {
  return page({
    title: 'One moment',
    script: submitScript.path,
    formAction,
    body: html`<main>
      ${brand}
      <section class="card">
        <h1>One moment</h1>
        <form method="post" action="${action}">
          ${[...parameters].map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`)}
          <p class="lead">You are being sent back to the application.</p>
          <button class="full" type="submit">Continue</button>
        </form>
      </section>
    </main>`,
  });
}
