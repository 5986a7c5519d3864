import type { Reply } from '../../gateway/types.ts';
import type { Grantor, Who } from '../../policy/explanation.ts';
import type { Access } from '../../policy/types.ts';
import { html, type Html } from '../entra/pages/html.ts';
import { brand, page } from '../entra/pages/layout.ts';
import type { Missing, Refusal } from './refusal.ts';

export interface RefusalView extends Refusal {
  readonly status: number;
  readonly requestId: string;
  /** Where the person asks for what is missing. */
  readonly askAddress: string | null;
  /** Where they sign in, here, as somebody else. */
  readonly elsewhereAddress: string | null;
  /** Where the page that they want is, if it is another address. */
  readonly rightAddress: string | null;
  readonly setCookies: readonly string[];
}

/** Takes what stands behind `#` in the address, which no server is ever told, along to where the page is. */
const fragmentScript = "document.getElementById('there').hash = location.hash;";

/** What a person sees who is refused. It asks for nothing, and is framed by nobody. */
export function refusalPage(view: RefusalView): Reply {
  const { title, status, sentences, missing, setCookies } = view;
  return page({
    title,
    status,
    wide: true,
    alone: true,
    ...(view.rightAddress === null ? {} : { inlineScript: fragmentScript }),
    setCookies,
    body: html`<main>
      ${brand}
      <section class="card" aria-labelledby="refusal">
        <h1 id="refusal">${title}</h1>
        ${sentences.map((sentence) => html`<p><bdi>${inCode(sentence)}</bdi></p>`)} ${actions(view)}
      </section>
      ${missing === null ? null : missingSection(missing)} ${detailSection(view)}
    </main>`,
  });
}

/** What stands between backticks is typed as it is. */
function inCode(sentence: string): Html[] {
  return sentence.split('`').map((piece, i) => (i % 2 === 0 ? html`${piece}` : html`<code>${piece}</code>`));
}

function actions({ askAddress, elsewhereAddress, rightAddress, missing, again }: RefusalView): Html | null {
  const ask = missing === null ? null : askAddress;
  if (ask === null && elsewhereAddress === null && rightAddress === null && !again) return null;
  return html`<p class="actions">
    ${ask === null ? null : html`<a class="button" href="${ask}">Ask for access</a>`}
    ${rightAddress === null ? null : html`<a class="button" id="there" href="${rightAddress}">Open it there</a>`}
    ${again ? html`<a class="button" href="">Try again</a>` : null}
    ${
      elsewhereAddress === null
        ? null
        : html`<a class="button quiet" href="${elsewhereAddress}">Sign in as somebody else</a>`
    }
  </p>`;
}

/** One role, where, and from whom. */
export function missingSection(missing: Missing): Html {
  const { role, scope, grantors, moreGrantors } = missing;
  return html`<section class="card" aria-labelledby="missing">
    <h2 id="missing">What would be enough</h2>
    <dl>
      <dt>Role</dt>
      <dd><bdi>${role.roleName}</bdi></dd>
      <dt>At</dt>
      <dd><code>${breakable(scope)}</code></dd>
      <dt>Who can grant it</dt>
      <dd>
        ${
          grantors.length === 0
            ? 'Nobody at present: no one may assign roles there.'
            : html`<ul class="plain">
                ${grantors.map((grantor) => html`<li>${grantorText(grantor)}</li>`)}
                ${moreGrantors === 0 ? null : html`<li>and ${moreGrantors} more</li>`}
              </ul>`
        }
      </dd>
    </dl>
  </section>`;
}

function grantorText({ principal, people, peopleCount }: Grantor): Html {
  if (principal.kind !== 'group') return name(principal);
  const more = peopleCount - people.length;
  const listed = people.map((each, i) => html`${i === 0 ? '' : ', '}${name(each)}`);
  return html`${listed}${more > 0 ? ` and ${more} more` : null} (${name(principal)})`;
}

function name(who: Who): Html {
  return html`<bdi>${who.name.slice(0, 200)}</bdi>`;
}

function detailSection({ person, decision, requestId }: RefusalView): Html {
  return html`<section class="card" aria-labelledby="details">
    <h2 id="details">Details</h2>
    <dl>
      ${
        person === null
          ? null
          : html`<dt>Signed in as</dt>
              <dd>
                <bdi>${person.name}</bdi
                >${person.signInName === null ? null : html`, <bdi>${person.signInName}</bdi>`}
              </dd>`
      }
      ${
        decision === null
          ? null
          : html`${decision.access === null ? null : accessRows(decision.access)}
              <dt>Policy</dt>
              <dd>
                ${decision.policyName === null ? null : html`<bdi>${decision.policyName}</bdi><br />`}<code>${decision.policyId}</code>${
                  decision.policyScope === null
                    ? null
                    : html`<br />at <code>${breakable(decision.policyScope)}</code>`
                }
              </dd>
              <dt>Decision</dt>
              <dd><code>${decision.id}</code></dd>`
      }
      <dt>Request</dt>
      <dd><code>${requestId}</code></dd>
    </dl>
    ${
      decision === null || person === null
        ? null
        : html`<p class="hint after">All about it: <code>lockstep explain ${decision.id}</code></p>`
    }
  </section>`;
}

function accessRows({ dataAction, action, scope }: Access): Html {
  return html`<dt>${dataAction ? 'Data action' : 'Action'}</dt>
    <dd><code>${breakable(action)}</code></dd>
    <dt>At</dt>
    <dd><code>${breakable(scope)}</code></dd>`;
}

/** It may be longer than the line; it breaks between its segments. */
export function breakable(path: string): Html[] {
  return path.split(/(?<=\/)/).map((segment) => html`${segment}<wbr />`);
}
