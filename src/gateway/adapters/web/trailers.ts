import type { IncomingHttpHeaders } from 'node:http';
import { canonicalName, isForUpstream } from './request-headers.ts';
import { isForCaller } from './response-headers.ts';

/**
 * What may not stand behind a body, because somebody may take it for a header: framing, routing, who asks, how to read
 * the body, what to do with the answer. RFC 9110 §6.5.1.
 */
const neverBehind = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'accept-ranges',
  'age',
  'allow',
  'authentication-info',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-location',
  'content-range',
  'content-security-policy',
  'content-type',
  'date',
  'etag',
  'expires',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'origin',
  'pragma',
  'range',
  'referer',
  'retry-after',
  'set-cookie',
  'vary',
  'warning',
  'www-authenticate',
  'x-content-type-options',
]);
const neverBehindPrefixes = ['access-control-', 'sec-', 'cross-origin-'];

type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The caller's trailers, names and values in turn: none that as a header would have been taken away or replaced. */
export function requestTrailers(trailers: Fields, ownNames: ReadonlySet<string>): string[] {
  const out: string[] = [];
  for (const [name, value] of Object.entries(trailers)) {
    if (value === undefined || !mayPass(canonicalName(name), ownNames)) continue;
    for (const one of typeof value === 'string' ? [value] : value) out.push(name, one);
  }
  return out;
}

/** Which of the trailers that the caller announces may come, in its words; null for none. */
export function announcedTrailers(trailer: string | undefined, ownNames: ReadonlySet<string>): string | null {
  if (trailer === undefined) return null;
  const names = trailer.split(',').map((name) => name.trim());
  const passed = names.filter((name) => /^[\w-]+$/.test(name) && mayPass(canonicalName(name), ownNames));
  return passed.length === 0 ? null : passed.join(', ');
}

/** The upstream's trailers as the caller may see them. */
export function responseTrailers(trailers: IncomingHttpHeaders): Record<string, string | readonly string[]> {
  const out: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(trailers)) {
    if (value !== undefined && mayTrail(canonicalName(name)) && isForCaller(name)) out[name] = value;
  }
  return out;
}

/** Of a 103, what tells of links: the rest is for the answer to say. */
export function hintHeaders({ link }: IncomingHttpHeaders): Record<string, string[]> {
  return link === undefined ? {} : { link: [link].flat() };
}

function mayPass(spelling: string, ownNames: ReadonlySet<string>): boolean {
  return mayTrail(spelling) && isForUpstream(spelling) && !ownNames.has(spelling);
}

function mayTrail(spelling: string): boolean {
  return !neverBehind.has(spelling) && !neverBehindPrefixes.some((prefix) => spelling.startsWith(prefix));
}
