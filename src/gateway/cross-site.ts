import { failure, type LockstepError } from '../lib/errors.ts';
import type { RequestHead } from './types.ts';

/**
 * Whether a request that rests on a browser's session cookie was made by another site's page, or may have been.
 * Changes need the browser's word (`Sec-Fetch-Site`, or an `Origin` equal to ours) that they come from our own
 * origin; a sibling subdomain is another site. Reads are refused to other sites unless a person navigated.
 * https://www.w3.org/TR/fetch-metadata/
 */
export function crossSiteRefusal(head: RequestHead, changes: boolean): LockstepError | null {
  const site = head.headers['sec-fetch-site'];
  const origin = head.headers.origin;
  const foreignOrigin = origin !== undefined && origin.toLowerCase() !== head.origin;
  if (site === 'same-origin' || site === 'none') return foreignOrigin ? refusal() : null;
  if (changes) return site === undefined && origin !== undefined && !foreignOrigin ? null : refusal();
  if (site === undefined) return foreignOrigin ? refusal() : null;
  return head.headers['sec-fetch-mode'] === 'navigate' && head.method === 'GET' ? null : refusal();
}

function refusal(): LockstepError {
  return failure(
    'csrf_refused',
    'The request rests on a session cookie but does not come from a page of this origin. Send a bearer token instead.',
  );
}
