import type { IncomingHttpHeaders } from 'node:http';
import { conditionHeaders } from './conditions.ts';
import { blobFailure } from './errors.ts';

/** Names and values of a query, each name once. */
export type Query = ReadonlyMap<string, string>;

/** Throws InvalidQueryParameterValue for a repeated name, an empty one, or what is not percent-encoded UTF-8. */
export function parseQuery(rawQuery: string): Query {
  const query = new Map<string, string>();
  if (rawQuery === '') return query;
  for (const pair of rawQuery.split('&')) {
    if (pair === '') continue;
    const cut = pair.indexOf('=');
    const name = decode(cut < 0 ? pair : pair.slice(0, cut));
    if (name === '' || query.has(name)) {
      throw blobFailure('InvalidQueryParameterValue', 'A query parameter is given twice or has no name.');
    }
    query.set(name, cut < 0 ? '' : decode(pair.slice(cut + 1)));
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw blobFailure('InvalidQueryParameterValue', 'The query is not percent-encoded UTF-8.');
  }
}

/** Understood by every operation. `timeout` bounds Azure's own work; here a client simply stops waiting. */
const commonQuery = new Set(['comp', 'restype', 'timeout']);

/** Throws for shared access signatures and for any parameter that the operation does not know. */
export function checkQuery(query: Query, known: readonly string[]): void {
  if (query.has('sig')) {
    throw blobFailure(
      'AuthenticationFailed',
      'Shared access signatures are not accepted here; send a bearer token for https://storage.azure.com.',
    );
  }
  for (const name of query.keys()) {
    if (commonQuery.has(name) || known.includes(name)) continue;
    throw blobFailure(
      'UnsupportedQueryParameter',
      `The query parameter '${name.slice(0, 64)}' is not supported by this operation here.`,
    );
  }
}

const commonHeaders = new Set([
  'x-ms-version',
  'x-ms-date',
  'x-ms-client-request-id',
  'x-ms-return-client-request-id',
  'x-ms-useragent',
]);

/** Which headers of Blob's own an operation understands. */
export interface HeaderRules {
  readonly headers: readonly string[];
  readonly metadata: boolean;
  readonly conditions: boolean;
}

/**
 * Throws UnsupportedHeader for any `x-ms-…` header or condition that the operation does not act on: ignoring a lease,
 * an encryption key, a tier or a condition would change what the request means.
 */
export function checkHeaders(headers: IncomingHttpHeaders, rules: HeaderRules): void {
  for (const name of Object.keys(headers)) {
    if (name.startsWith('x-ms-meta-')) {
      if (!rules.metadata) throw unsupported(name);
    } else if (name.startsWith('x-ms-')) {
      if (!commonHeaders.has(name) && !rules.headers.includes(name)) throw unsupported(name);
    } else if (!rules.conditions && conditionHeaders.some((condition) => condition === name)) {
      throw unsupported(name);
    }
  }
}

function unsupported(name: string) {
  return blobFailure(
    'UnsupportedHeader',
    `The header '${name.slice(0, 64)}' is not supported by this operation here, and is not ignored silently.`,
  );
}
