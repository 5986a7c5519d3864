import type { Reply } from '../../gateway/types.ts';
import { html, type Html } from '../entra/pages/html.ts';
import { brand, page } from '../entra/pages/layout.ts';
import { operationWords } from '../refusal/operation-words.ts';
import { breakable, missingSection } from '../refusal/refusal-page.ts';
import type { Offer } from './offer.ts';
import { longestReason } from './reason.ts';

export interface AskView {
  readonly offer: Extract<Offer, { kind: 'role' }>;
  readonly person: string;
  readonly formToken: string;
  /** As it was sent, when something was wrong with it. */
  readonly reason: string;
  readonly trouble: string | null;
}

/** What exactly is asked for, and the one button that asks for it. */
export function askPage({ offer, person, formToken, reason, trouble }: AskView): Reply {
  const { missing, access, decisionId } = offer;
  return page({
    title: 'Ask for access',
    status: trouble === null ? 200 : 400,
    wide: true,
    body: html`<main>
      ${brand}
      <section class="card" aria-labelledby="ask">
        <h1 id="ask">Ask for access</h1>
        <p class="lead">
          So that <bdi>${person}</bdi> may ${operationWords(access.action)}. Whoever can grant it sees this
          request, with your name and what you write. Nothing is granted by it.
        </p>
        ${
          trouble === null
            ? null
            : html`<div class="notice bad" role="alert" id="trouble"><p>${trouble}</p></div>`
        }
        <form method="post" action="/account/requests">
          <input type="hidden" name="form_token" value="${formToken}" />
          <input type="hidden" name="decision" value="${decisionId}" />
          <input type="hidden" name="role" value="${missing.role.id}" />
          <input type="hidden" name="scope" value="${missing.scope}" />
          <label for="reason">Why do you need it?</label>
          ${reasonField(reason, trouble)}
          <p class="hint" id="reason-hint">At most ${longestReason} characters. No passwords or tokens.</p>
          <p class="actions after"><button type="submit">Ask for access</button></p>
        </form>
      </section>
      ${missingSection(missing)}
      <section class="card" aria-labelledby="details">
        <h2 id="details">Details</h2>
        <dl>
          <dt>${access.dataAction ? 'Data action' : 'Action'}</dt>
          <dd><code>${breakable(access.action)}</code></dd>
          <dt>Refused at</dt>
          <dd><code>${breakable(access.scope)}</code></dd>
          <dt>Decision</dt>
          <dd><code>${decisionId}</code></dd>
        </dl>
      </section>
    </main>`,
  });
}

/** No white space may come between the tags and the text: it would be part of it. */
function reasonField(reason: string, trouble: string | null): Html {
  const described = trouble === null ? 'reason-hint' : 'trouble reason-hint';
  // prettier-ignore
  return html`<textarea id="reason" name="reason" rows="3" maxlength="${longestReason}" required aria-describedby="${described}">
${reason}</textarea>`;
}

export interface AskedView {
  readonly notice: string | null;
  readonly requests: readonly {
    readonly roleName: string;
    readonly scope: string;
    readonly reason: string;
    readonly askedOn: string;
    readonly until: string;
    readonly isMet: boolean;
  }[];
}

/** A person's own requests that are open. */
export function askedPage({ notice, requests }: AskedView): Reply {
  return page({
    title: 'What you have asked for',
    wide: true,
    body: html`<main>
      ${brand} ${notice === null ? null : html`<div class="notice good" role="status"><p>${notice}</p></div>`}
      <section class="card" aria-labelledby="asked">
        <h1 id="asked">What you have asked for</h1>
        ${
          requests.length === 0
            ? html`<p class="soft">Nothing that is still open.</p>`
            : html`<ul class="list">
                ${requests.map(
                  (each) =>
                    html`<li>
                      <div class="what">
                        <strong><bdi>${each.roleName}</bdi></strong>
                        <span>at <code>${breakable(each.scope)}</code></span>
                        <span><bdi>${each.reason}</bdi></span>
                        <span>asked on ${each.askedOn}, open until ${each.until}</span>
                      </div>
                      ${each.isMet ? html`<span class="chip">you may now</span>` : html`<span class="chip">open</span>`}
                    </li>`,
                )}
              </ul>`
        }
        <p class="actions after"><a class="button quiet" href="/account">Your account</a></p>
      </section>
    </main>`,
  });
}

/** For who comes to ask and need not, or cannot. */
export function nothingToAskPage(kind: 'allowed' | 'none'): Reply {
  const allowed = kind === 'allowed';
  const title = allowed ? 'You may do this by now' : 'There is nothing to ask for';
  return page({
    title,
    status: allowed ? 200 : 409,
    body: html`<main>
      ${brand}
      <section class="card">
        <h1>${title}</h1>
        <p class="lead">
          ${
            allowed
              ? 'Policy has changed since you were refused. Open the page again.'
              : 'No role would be enough for this: something else stands against it. Ask an administrator.'
          }
        </p>
      </section>
    </main>`,
  });
}
