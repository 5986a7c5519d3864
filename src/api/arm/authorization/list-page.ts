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
  const rest = lowest(matching, token?.toLowerCase() ?? '');
  const page = rest.slice(0, pageSize);
  const last = rest.length > page.length ? page.at(-1) : undefined;
  return json(200, { value: page.map(view), nextLink: last === undefined ? null : linkTo(head, last.id) });
}

/** Those with the lowest ids after this one, in their order: a page, and one more where there are more. */
function lowest<T extends { readonly id: string }>(matching: Iterable<T>, after: string): T[] {
  let found: T[] = [];
  let bound: string | null = null;
  for (const item of matching) {
    if (item.id <= after || (bound !== null && item.id > bound)) continue;
    found.push(item);
    if (found.length <= pageSize * 4) continue;
    found = inOrder(found).slice(0, pageSize + 1);
    bound = found.at(-1)?.id ?? null;
  }
  return inOrder(found).slice(0, pageSize + 1);
}

function inOrder<T extends { readonly id: string }>(items: T[]): T[] {
  return items.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function linkTo(head: RequestHead, token: string): string {
  const query = new URLSearchParams(head.query);
  query.set('$skipToken', token);
  return `${head.origin}${head.path}?${query.toString()}`;
}
