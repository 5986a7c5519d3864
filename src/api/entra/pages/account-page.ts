import type { Reply } from '../../../gateway/types.ts';
import type { OpenSession } from '../../../identity/signin/sessions.ts';
import { html, type Html } from './html.ts';
import { brand, page } from './layout.ts';

export interface HeldRole {
  readonly roleName: string;
  readonly scope: string;
  /** The group that carries it, or null when it is the person's own. */
  readonly throughGroup: string | null;
}

export interface AccountView {
  readonly displayName: string;
  readonly signInName: string;
  readonly objectId: string;
  /** Names of groups, own and inherited. */
  readonly groups: readonly string[];
  /** Null when no lookup was given. */
  readonly roles: readonly HeldRole[] | null;
  readonly current: OpenSession | null;
  readonly others: readonly OpenSession[];
  readonly formToken: string;
  readonly notice: string | null;
  readonly now: number;
}

export function accountPage(view: AccountView): Reply {
  return page({
    title: 'Your account',
    wide: true,
    body: html`<main>
      <div class="head">
        ${brand}
        <form method="post" action="/account/sign-out">
          <input type="hidden" name="form_token" value="${view.formToken}" /><button
            class="quiet"
            type="submit"
          >
            Sign out
          </button>
        </form>
      </div>
      ${view.notice === null ? null : html`<div class="notice good" role="status"><p>${view.notice}</p></div>`}
      <section class="card" aria-labelledby="who">
        <div class="row person">
          <span class="avatar" aria-hidden="true">${initials(view.displayName)}</span>
          <div>
            <h1 id="who">${view.displayName}</h1>
            <p class="soft">${view.signInName}</p>
          </div>
        </div>
        <dl>
          <dt>Object id</dt>
          <dd><code>${view.objectId}</code></dd>
          <dt>Groups</dt>
          <dd>
            ${
              view.groups.length === 0
                ? 'none'
                : html`<ul class="chips">
                    ${view.groups.map((name) => html`<li>${name}</li>`)}
                  </ul>`
            }
          </dd>
        </dl>
        <p class="after"><a href="/account/requests">What you have asked for</a></p>
      </section>
      ${view.roles === null ? null : rolesSection(view.roles)}
      <section class="card" aria-labelledby="sessions">
        <h2 id="sessions">Where you are signed in</h2>
        <ul class="list">
          ${view.current === null ? null : sessionItem(view.current, view.now, html`<span class="chip">this browser</span>`)}
          ${view.others.map((session) => sessionItem(session, view.now, endForm(session, view.formToken)))}
        </ul>
      </section>
    </main>`,
  });
}

function rolesSection(roles: readonly HeldRole[]): Html {
  return html`<section class="card" aria-labelledby="roles">
    <h2 id="roles">What you may do</h2>
    ${
      roles.length === 0
        ? html`<p class="soft">
            No role is assigned to you yet. Someone who may grant roles can change that.
          </p>`
        : html`<ul class="list">
            ${roles.map(
              (role) =>
                html`<li>
                  <div class="what">
                    <strong>${role.roleName}</strong><span>at <code>${breakable(role.scope)}</code></span
                    >${role.throughGroup === null ? null : html`<span>through ${role.throughGroup}</span>`}
                  </div>
                </li>`,
            )}
          </ul>`
    }
  </section>`;
}

function sessionItem(session: OpenSession, now: number, aside: Html): Html {
  return html`<li>
    <div class="what">
      <strong>${browserOf(session.userAgent)}</strong
      ><span>${session.sourceAddress ?? 'unknown address'}, used ${ago(now - session.lastSeenAt)}</span
      ><span>since ${day(session.createdAt)}</span>
    </div>
    ${aside}
  </li>`;
}

function endForm(session: OpenSession, formToken: string): Html {
  return html`<form method="post" action="/account/sessions/end">
    <input type="hidden" name="form_token" value="${formToken}" /><input
      type="hidden"
      name="session"
      value="${session.id}"
    /><button
      class="quiet"
      type="submit"
      aria-label="End the session in ${browserOf(session.userAgent)} since ${day(session.createdAt)}"
    >
      End
    </button>
  </form>`;
}

function initials(name: string): string {
  const words = name.split(/\s+/).filter((word) => word !== '');
  return [words[0], words.length > 1 ? words.at(-1) : undefined]
    .map((word) => String.fromCodePoint(word?.codePointAt(0) ?? 0x20))
    .join('')
    .trim()
    .toUpperCase();
}

/** A scope may be longer than the line; it breaks between its segments. */
function breakable(scope: string): Html[] {
  return scope.split(/(?<=\/)/).map((segment) => html`${segment}<wbr />`);
}

const browsers: readonly (readonly [RegExp, string])[] = [
  [/^lockstep-cli\//, 'Lockstep command line'],
  [/Edg\//, 'Edge'],
  [/Firefox\//, 'Firefox'],
  [/Chrome\/|Chromium\//, 'Chrome'],
  [/Safari\//, 'Safari'],
];
const systems: readonly (readonly [RegExp, string])[] = [
  [/iPhone|iPad/, 'iOS'],
  [/Android/, 'Android'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/Linux/, 'Linux'],
];

function browserOf(userAgent: string | null): string {
  if (userAgent === null) return 'Unknown browser';
  const browser = browsers.find(([pattern]) => pattern.test(userAgent))?.[1];
  const system = systems.find(([pattern]) => pattern.test(userAgent))?.[1];
  if (browser === undefined) return userAgent.slice(0, 60);
  return system === undefined ? browser : `${browser} on ${system}`;
}

function day(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function ago(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return minutes === 1 ? '1 minute ago' : `${minutes} minutes ago`;
  const hours = Math.floor(minutes / 60);
  return hours === 1 ? '1 hour ago' : `${hours} hours ago`;
}
