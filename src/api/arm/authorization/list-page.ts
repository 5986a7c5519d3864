import type { Reply, RequestHead } from '../../../gateway/types.ts';
import { isGuid } from '../../../lib/ids.ts';
import { json } from './exchanges.ts';
import { refusal } from './refusals.ts';

/** How many a page of a list holds. */
export const pageSize = 1_000;

/**
 * One page of a list in the order of its ids, and the link to the next. The token of a link is the last id of its page,
 * so what is written or deleted between two pages neither repeats nor hides anything else. Throws `invalid_request`
 * (InvalidSkipToken) for a token that no link has held.
 */
export function listPage<T extends { readonly id: string }>(
  head: RequestHead,
  matching: Iterable<T>,
  view: (item: T) => object,
): Reply {
  const token = head.query.get('$skipToken');
  if (token !== null && !isGuid(token)) {
    throw refusal(
      'invalid_request',
      'InvalidSkipToken',
      'The $skipToken is not one that a nextLink has held.',
    );
  }
  const after = token?.toLowerCase() ?? '';
  const rest = Array.from(matching)
    .filter(({ id }) => id > after)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const page = rest.slice(0, pageSize);
  const last = rest.length > page.length ? page.at(-1) : undefined;
  return json(200, { value: page.map(view), nextLink: last === undefined ? null : linkTo(head, last.id) });
}

function linkTo(head: RequestHead, token: string): string {
  const query = new URLSearchParams(head.query);
  query.set('$skipToken', token);
  return `${head.origin}${head.path}?${query.toString()}`;
}
