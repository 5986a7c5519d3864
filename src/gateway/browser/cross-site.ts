import { failure, type LockstepError } from '../../lib/errors.ts';
import type { RequestHead } from '../types.ts';

/**
 * Whether a request that rests on a browser's session cookie was made by another site's page, or may have been.
 * Changes need the browser's word (`Sec-Fetch-Site`, or an `Origin` equal to ours) that they come from our own
 * origin; a sibling subdomain is another site. Reads are refused to other sites unless a person opened a page: what is
 * shown in a frame, a click in it could be stolen (and siblings' frames get the cookie, being of the same site).
 * https://www.w3.org/TR/fetch-metadata/
 */
export function crossSiteRefusal(head: RequestHead, changes: boolean): LockstepError | null {
  const site = head.headers['sec-fetch-site'];
  const origin = head.headers.origin;
  const foreignOrigin = origin !== undefined && origin.toLowerCase() !== head.origin;
  if (site === 'same-origin' || site === 'none') return foreignOrigin ? refusal() : null;
  if (changes) return site === undefined && origin !== undefined && !foreignOrigin ? null : refusal();
  if (site === undefined) return foreignOrigin ? refusal() : null;
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = head.headers;
  return mode === 'navigate' && destination === 'document' && head.method === 'GET' ? null : refusal();
}

/**
 * Whether a request to open a WebSocket may have been made by another site's page. The same-origin policy does not hold
 * for it, and servers behind us often trust whoever brings a token: whatever the credential, the origin must be the one
 * that the request addresses. A client without one is no browser, and shows that by a bearer token and no cookies.
 * RFC 6455 §10.2; https://www.w3.org/TR/fetch-metadata/
 */
export function foreignUpgradeRefusal(
  { headers, origin }: RequestHead,
  byCookie: boolean,
): LockstepError | null {
  const { origin: from, cookie, 'sec-fetch-site': site, 'sec-fetch-mode': mode } = headers;
  const isForeign =
    from === undefined ? byCookie || cookie !== undefined : from.toLowerCase() !== origin || origin === '';
  const saysForeign =
    (site !== undefined && site !== 'same-origin') || (mode !== undefined && mode !== 'websocket');
  if (!isForeign && !saysForeign) return null;
  return failure(
    'csrf_refused',
    'A WebSocket is opened only from a page of the very origin that it addresses, or by a client that sends a bearer token, no cookies and no other Origin.',
  );
}

function refusal(): LockstepError {
  return failure(
    'csrf_refused',
    'The request rests on a session cookie but does not come from a page of this origin. Send a bearer token instead.',
  );
}
