import { failure } from '../../lib/errors.ts';
import type { Exchange, Reply, RequestHead } from '../../gateway/types.ts';

/** A resource as Graph shows it: `id` and named properties. */
export type Resource = Readonly<Record<string, unknown>> & { readonly id: string };

const defaultPage = 100;
const largestPage = 999;

export function ok(body: unknown): Reply {
  return { status: 200, headers: jsonHeaders, body: JSON.stringify(body) };
}

export function created(body: unknown): Reply {
  return { status: 201, headers: jsonHeaders, body: JSON.stringify(body) };
}

export const noContent: Reply = { status: 204 };

const jsonHeaders = {
  'content-type': 'application/json;odata.metadata=minimal',
  'cache-control': 'no-store',
};

/** One resource, cut to `$select`. */
export function one(exchange: Exchange, resource: Resource): Reply {
  return ok(selected(exchange.head.query, resource));
}

/** One page of a collection: `$filter`, `$select`, `$top`, and `@odata.nextLink` while there is more. */
export function page(exchange: Exchange, all: readonly Resource[]): Reply {
  const { head } = exchange;
  const { query } = head;
  const text = query.get('$filter');
  const kept = text === null ? all : all.filter(parseFilter(text));
  const size = wholeNumber(query, '$top', defaultPage, 1, largestPage);
  const start = wholeNumber(query, '$skiptoken', 0, 0, Number.MAX_SAFE_INTEGER);
  const value = kept.slice(start, start + size).map((resource) => selected(query, resource));
  const more = start + size < kept.length;
  return ok({
    ...(query.get('$count') === 'true' && { '@odata.count': kept.length }),
    ...(more && { '@odata.nextLink': nextLink(head, start + size) }),
    value,
  });
}

function nextLink(head: RequestHead, start: number): string {
  const query = new URLSearchParams(head.query);
  query.set('$skiptoken', String(start));
  return `${head.origin}${head.path}?${query.toString()}`;
}

function selected(query: URLSearchParams, resource: Resource): Resource {
  const names = query
    .get('$select')
    ?.split(',')
    .map((name) => name.trim());
  if (names === undefined) return resource;
  const kept = Object.entries(resource).filter(
    ([name]) => name.startsWith('@') || name === 'id' || names.includes(name),
  );
  return { ...Object.fromEntries(kept), id: resource.id };
}

function wholeNumber(
  query: URLSearchParams,
  name: string,
  fallback: number,
  least: number,
  most: number,
): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw unsupported(`${name} must be a whole number from ${least} to ${most}.`);
}

type Test = (resource: Resource) => boolean;

const clause =
  /^\s*(?:([A-Za-z]+)\s+eq\s+(?:'((?:[^']|'')*)'|(true|false))|startswith\(\s*([A-Za-z]+)\s*,\s*'((?:[^']|'')*)'\s*\)|([A-Za-z]+)\/any\(\s*(\w+)\s*:\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*\))\s*/;

/**
 * The forms of `$filter` that clients of ours send: `property eq 'value'`, `startswith(property,'value')` and
 * `property/any(x:x eq 'value')`, joined by `or` or by `and`, not by both. Text is compared without case, as Graph
 * does. Anything else is refused, never ignored.
 */
export function parseFilter(text: string): Test {
  const tests: Test[] = [];
  const joiners = new Set<string>();
  let rest = text;
  for (;;) {
    const found = clause.exec(rest);
    if (found === null) throw unsupported(`The filter is not supported near: ${rest.slice(0, 80)}`);
    tests.push(testOf(found));
    rest = rest.slice(found[0].length);
    if (rest === '') break;
    const joiner = /^(or|and)\s+/i.exec(rest);
    if (joiner?.[1] === undefined)
      throw unsupported(`The filter is not supported near: ${rest.slice(0, 80)}`);
    joiners.add(joiner[1].toLowerCase());
    rest = rest.slice(joiner[0].length);
  }
  if (joiners.size > 1) throw unsupported('A filter joins its parts by `or` or by `and`, not by both.');
  return joiners.has('and')
    ? (resource) => tests.every((test) => test(resource))
    : (resource) => tests.some((test) => test(resource));
}

function testOf(found: RegExpExecArray): Test {
  const [, property, value, flag, startProperty, prefix, list, declared, used, element] = found;
  if (property !== undefined) {
    const wanted = flag === undefined ? unquoted(value) : flag === 'true';
    return (resource) => folded(resource[property]) === wanted;
  }
  if (startProperty !== undefined) {
    return ({ [startProperty]: held }) =>
      typeof held === 'string' && held.toLowerCase().startsWith(unquoted(prefix));
  }
  if (declared !== used) throw unsupported('The variable of `any` is not the one that it tests.');
  return ({ [list ?? '']: held }) =>
    Array.isArray(held) && held.some((item) => folded(item) === unquoted(element));
}

function folded(value: unknown): unknown {
  return typeof value === 'string' ? value.toLowerCase() : value;
}

function unquoted(text: string | undefined): string {
  return (text ?? '').replaceAll("''", "'").toLowerCase();
}

function unsupported(message: string) {
  return failure('invalid_request', message, { graphCode: 'Request_UnsupportedQuery' });
}
