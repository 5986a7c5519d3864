import { LockstepError, errorTable } from '../../lib/errors.ts';
import type { Exchange, Reply, RequestHead } from '../../gateway/types.ts';
import { opensPage } from '../../gateway/browser/page-visit.ts';
import { sessionFromHeaders } from './browser-cookies.ts';
import {
  afterSignIn,
  clientInfo,
  entraError,
  jsonReply,
  parseScope,
  repeatedParameter,
  responseModeOf,
  standardAuthorization,
  type ResponseMode,
  type StandardError,
} from './dialect.ts';
import { refusal } from './errors.ts';
import type { InteractiveParts } from './interactive-parts.ts';
import { parseStandardError } from './library-answers.ts';
import { throughListener } from './node-bridge.ts';
import { internalSessionCookie, libraryRoutes } from './oidc-library.ts';
import { errorPage } from './pages/error-page.ts';
import { formPostPage } from './pages/form-post-page.ts';
import { formActionSource, redirectUriAllowed } from './redirect-uri.ts';

/**
 * The authorization endpoint, RFC 6749 §4.1.1 with RFC 7636. Someone without a session is led to the sign-in page,
 * which carries the whole request and leads back here; the request is then checked anew from its beginning.
 */
export async function authorize(parts: InteractiveParts, exchange: Exchange): Promise<Reply> {
  const { head } = exchange;
  const repeated = repeatedParameter(head.query);
  if (repeated !== null) {
    const description = `the parameter '${repeated}' is repeated`;
    return refuse(parts, head, { error: 'invalid_request', description }, 400);
  }
  const mode = responseModeOf(head.query);
  let standard: string;
  try {
    if (mode === null) throw refusal('invalid_request', 900_144, 'The response mode is not supported.');
    const requested = parseScope(head.query.get('scope') ?? '');
    standard = standardAuthorization(head.query, requested, parts.audienceFor(requested));
  } catch (thrown) {
    if (!(thrown instanceof LockstepError)) throw thrown;
    return refuseToClient(parts, head, mode ?? 'query', thrown);
  }
  const session = sessionFromHeaders(head.headers, parts.sessions);
  const answer = await throughListener(
    (await parts.library()).callback(),
    {
      method: 'GET',
      url: `${libraryRoutes.authorization}?${standard}`,
      headers: {
        host: head.authority,
        accept: 'application/json',
        ...(session === null ? {} : { cookie: `${internalSessionCookie}=${session.id}` }),
      },
    },
    (request) => {
      const onward = `${head.path}?${afterSignIn(head.query)}`;
      parts.signInUrls.set(request, `/signin?${new URLSearchParams({ continue: onward }).toString()}`);
    },
  );
  const location = answer.headers?.['location'];
  if (typeof location !== 'string') {
    return refuse(parts, head, parseStandardError(answer.body), answer.status);
  }
  if (location.startsWith('/')) return redirect(location);
  const wantsInfo = head.query.get('client_info') === '1' && session !== null;
  const extra = wantsInfo ? { client_info: clientInfo(session.principalId, parts.tenantId) } : {};
  return answerClient(parts, head, mode ?? 'query', addedParameters(location, head), extra);
}

/** A fault found before the library saw the request is told to the client only if its redirect URI is its own. */
async function refuseToClient(
  parts: InteractiveParts,
  head: RequestHead,
  mode: ResponseMode,
  thrown: LockstepError,
): Promise<Reply> {
  const error = { error: errorTable[thrown.code].oauth, description: thrown.publicMessage };
  const client = await parts.client(head.query.get('client_id') ?? '');
  const redirectUri = head.query.get('redirect_uri');
  if (client === null || redirectUri === null || !redirectUriAllowed(client, redirectUri)) {
    return refuse(parts, head, error, thrown.status);
  }
  const parameters = new Map([
    ['error', error.error],
    ['error_description', error.description],
  ]);
  const state = head.query.get('state');
  if (state !== null) parameters.set('state', state);
  parameters.set('iss', parts.issuer);
  return answerClient(parts, head, mode, parameters, {});
}

/** What the library put into the redirect URI; the URI's own parameters stay out. */
function addedParameters(location: string, head: RequestHead): Map<string, string> {
  const own = new URL(head.query.get('redirect_uri') ?? location).searchParams;
  return new Map([...new URL(location).searchParams].filter(([name, value]) => own.get(name) !== value));
}

/** The answer in the response mode, and with the error text, that the client expects. */
function answerClient(
  parts: InteractiveParts,
  head: RequestHead,
  mode: ResponseMode,
  parameters: Map<string, string>,
  extra: Readonly<Record<string, string>>,
): Reply {
  const redirectUri = head.query.get('redirect_uri') ?? '';
  const error = parameters.get('error');
  if (error === undefined) {
    for (const [name, value] of Object.entries(extra)) parameters.set(name, value);
  } else {
    const body = entraError({ error, description: parameters.get('error_description') }, parts.traceOf(head));
    parameters.set('error', body.error);
    parameters.set('error_description', body.error_description);
  }
  if (mode === 'form_post') return formPostPage(redirectUri, parameters, formActionSource(redirectUri));
  const added = new URLSearchParams([...parameters]).toString();
  if (mode === 'fragment') return redirect(`${redirectUri}#${added}`);
  return redirect(`${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${added}`);
}

/** Nowhere to send the browser: a page for a person, JSON for anything else. */
function refuse(parts: InteractiveParts, head: RequestHead, error: StandardError, status: number): Reply {
  const body = entraError(error, parts.traceOf(head));
  return opensPage(head) ? errorPage(status, { ...body, requestId: head.id }) : jsonReply(status, body);
}

export function redirect(location: string): Reply {
  return {
    status: 303,
    headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
  };
}
