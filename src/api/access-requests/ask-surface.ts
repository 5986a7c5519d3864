import type { CookieKeys } from '../../identity/signin/cookie-keys.ts';
import { failure, isLockstepError, type LockstepError } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import { renderJsonError } from '../../gateway/denial/generic-surface.ts';
import { opensPage } from '../../gateway/browser/page-visit.ts';
import type { Described, Exchange, Reply, RequestHead, Surface } from '../../gateway/types.ts';
import { formToken, formTokenHolds, fromOwnPage } from '../account/form-guard.ts';
import { errorPage } from '../entra/pages/error-page.ts';
import type { Destination } from '../entra/interactive.ts';
import { ownRule } from '../own-actions.ts';
import type { AccessRequests } from './access-requests.ts';
import { offerFor, type Offer, type OfferParts } from './offer.ts';
import { askPage, askedPage, nothingToAskPage } from './pages.ts';
import { reasonOf } from './reason.ts';
import { personAsking } from './routes.ts';

export interface AskOptions extends OfferParts {
  readonly publicUrl: string;
  readonly keys: CookieKeys;
  readonly accessRequests: AccessRequests;
  readonly clock: Clock;
}

const newPath = '/account/requests/new';
const listPath = '/account/requests';
const decisionId = /^dec_[0-9a-z]{26}$/;

/** Where a person asks for what this decision refused them; on our own host. */
export function askPath(decision: string): string {
  return `${newPath}?${new URLSearchParams({ decision }).toString()}`;
}

/** Where a sign-in goes on to that began there, rebuilt from its parts; null for any other address. */
export function askDestination({ pathname, searchParams }: URL): Destination | null {
  const decision = searchParams.get('decision') ?? '';
  if (pathname !== newPath || !decisionId.test(decision)) return null;
  return { path: askPath(decision), clientName: null, loginHint: null, formAction: null };
}

/**
 * Where people ask for access: on Lockstep's own host, whatever refused them, because no script of an upstream's runs
 * here. A page shows what exactly would be asked for; only a form of that page, sent by the browser and in the sign-in
 * that it was shown to, asks for it.
 */
export function askSurface(options: AskOptions): Surface {
  const { accessRequests, snapshot, keys, publicUrl } = options;

  async function showForm(exchange: Exchange): Promise<Reply> {
    const offer = await offered(exchange, exchange.head.query.get('decision') ?? '');
    return offer.kind === 'role' ? shown(exchange, offer, '', null) : nothingToAskPage(offer.kind);
  }

  async function offered(exchange: Exchange, decision: string): Promise<Offer> {
    const offer = await offerFor(options, personAsking(exchange), decision);
    if (offer === null) throw failure('not_found', 'There is no decision of that id that was about you.');
    return offer;
  }

  function shown(
    exchange: Exchange,
    offer: Extract<Offer, { kind: 'role' }>,
    reason: string,
    trouble: string | null,
  ): Reply {
    return askPage({
      offer,
      person: exchange.caller?.subject.name ?? '',
      formToken: formToken(keys, 'access-request', bindingOf(exchange, offer.decisionId)),
      reason,
      trouble,
    });
  }

  async function ask(exchange: Exchange): Promise<Reply> {
    const form = exchange.form();
    const decision = form.get('decision') ?? '';
    if (!fromOwnPage(exchange.head, publicUrl)) {
      throw failure('csrf_refused', 'The form was sent from another site, so nothing was done.');
    }
    const binding = bindingOf(exchange, decision);
    if (!formTokenHolds(keys, 'access-request', binding, form.get('form_token'))) {
      throw failure('csrf_refused', 'The form did not come from a page that was served to this session.');
    }
    const person: PrincipalId = personAsking(exchange);
    const offer = await offered(exchange, decision);
    if (offer.kind !== 'role') return nothingToAskPage(offer.kind);
    const { role, scope } = offer.missing;
    // What is asked for is made anew here; what was shown only has to be the same.
    if (form.get('role') !== role.id || form.get('scope') !== scope) {
      throw failure('conflict', 'What would be enough is not what the page has shown. Open it again.');
    }
    const written = form.get('reason') ?? '';
    let reason: string;
    try {
      reason = reasonOf(written);
    } catch (thrown) {
      if (!isLockstepError(thrown) || thrown.code !== 'invalid_request') throw thrown;
      return shown(exchange, offer, written, thrown.publicMessage);
    }
    const { isNew } = await accessRequests.ask(exchange.attribution, person, offer, reason);
    return redirect(`${listPath}?done=${isNew ? 'asked' : 'before'}`);
  }

  async function list(exchange: Exchange): Promise<Reply> {
    const own = await accessRequests.openOf(personAsking(exchange));
    return askedPage({
      notice: notices.get(exchange.head.query.get('done') ?? '') ?? null,
      requests: own.map((request) => ({
        roleName: snapshot.roleDefinition(request.roleDefinitionId)?.roleName ?? request.roleDefinitionId,
        scope: request.scope,
        reason: request.reason,
        askedOn: day(request.createdAt),
        until: day(request.expiresAt),
        isMet: accessRequests.isMet(request),
      })),
    });
  }

  const routes: Readonly<Record<string, Described>> = {
    [`GET ${newPath}`]: row('read', 'read', showForm),
    [`GET ${listPath}`]: row('read', 'read', list),
    [`POST ${listPath}`]: row('write', 'change', ask),
  };
  return {
    name: 'access-requests',
    audiences: [],
    acceptsSessionCookie: true,
    matches: ({ path }) => path === listPath || path === newPath,
    describe: (head) => routes[`${head.method} ${head.path}`] ?? null,
    renderError,
  };
}

const notices = new Map([
  ['asked', 'Your request is recorded. Whoever can grant it sees it; open the page again once they have.'],
  ['before', 'You had asked for this already. That request stands.'],
]);

function row(
  verb: 'read' | 'write',
  effect: 'read' | 'change',
  serve: (exchange: Exchange) => Promise<Reply>,
): Described {
  const mediaTypes = ['application/x-www-form-urlencoded'];
  return {
    operation: `Lockstep.Access/accessRequests/${verb}`,
    guard: ownRule('access-requests'),
    effect,
    body: effect === 'change' ? { kind: 'buffered', maxBytes: 16_384, mediaTypes } : { kind: 'none' },
    serve,
  };
}

/** A form is of one sign-in and one decision. */
function bindingOf({ caller }: Exchange, decision: string): string {
  const sessionId = caller?.credential.sessionId ?? null;
  if (sessionId === null) throw failure('authentication_required', 'Sign in first.');
  return `${sessionId}\0${decision}`;
}

function renderError(error: LockstepError, head: RequestHead): Reply {
  if (!opensPage(head)) return renderJsonError(error, head);
  if (error.status === 401) {
    const to =
      askDestination(new URL(`${head.path}?${head.rawQuery}`, 'https://localhost'))?.path ?? '/account';
    return redirect(`/signin?${new URLSearchParams({ continue: to }).toString()}`);
  }
  return errorPage(error.status, {
    error: error.code,
    error_description: error.publicMessage,
    requestId: head.id,
  });
}

function redirect(location: string): Reply {
  return { status: 303, headers: { location, 'cache-control': 'no-store' } };
}

function day(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
