import type { Reply } from '../../../gateway/types.ts';
import { html } from './html.ts';
import { brand, page } from './layout.ts';

export interface ErrorView {
  readonly error: string;
  readonly error_description: string;
  /** The request's, under which the ledger has it. */
  readonly requestId: string;
  /** On a host where nothing else of ours is. */
  readonly alone?: boolean;
}

/** Shown when there is no trustworthy place to send the browser back to. */
export function errorPage(status: number, view: ErrorView): Reply {
  const [sentence = view.error_description] = view.error_description.split(' Trace ID:');
  return page({
    title: 'That did not work',
    status,
    alone: view.alone ?? false,
    body: html`<main>
      ${brand}
      <section class="card">
        <h1>That did not work</h1>
        <div class="notice bad" role="alert"><p>${sentence}</p></div>
        <p class="soft">
          The application that sent you here made a request that cannot be answered. If it goes on, give its
          owner this page.
        </p>
        <dl>
          <dt>Error</dt>
          <dd><code>${view.error}</code></dd>
          <dt>Request id</dt>
          <dd><code>${view.requestId}</code></dd>
        </dl>
      </section>
    </main>`,
  });
}
