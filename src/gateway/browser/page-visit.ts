import type { RequestHead } from '../types.ts';

/**
 * Whether a person's browser opens a page with this request, so that a page may be its answer: it says itself that it
 * navigates, at the top level, by a link or a form. Nothing else is ever answered with HTML or sent to a sign-in: no
 * program, whatever it accepts, no script of a page, no frame, nothing that brings a token.
 * https://www.w3.org/TR/fetch-metadata/
 */
export function opensPage({ method, upgrade, headers }: RequestHead): boolean {
  return (
    (method === 'GET' || method === 'POST') &&
    upgrade === null &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document' &&
    headers.authorization === undefined &&
    (headers.accept ?? '').includes('text/html')
  );
}

/**
 * Whether the answer is for the person's eyes alone: what a service worker asks for by itself says another destination,
 * but with navigation preload it reads the answer to the browser's own request.
 * https://w3c.github.io/ServiceWorker/#handle-fetch
 */
export function onlyPersonReads(head: RequestHead): boolean {
  return opensPage(head) && head.headers['service-worker-navigation-preload'] === undefined;
}
