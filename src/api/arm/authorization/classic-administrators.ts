import { guarded, json } from './exchanges.ts';
import type { TypeDescriber } from './options.ts';

/**
 * There are no classic administrators, and a client that asks of a subscription is told so by an empty list.
 * learn.microsoft.com/rest/api/authorization/classic-administrators
 */
export const describeClassicAdministrators: TypeDescriber = (head, { scope, name }) => {
  if (head.method !== 'GET' || name !== null || !/^\/subscriptions\/[^/]+$/.test(scope)) return null;
  return guarded('classicAdministrators/read', scope, 'read', { kind: 'none' }, async () =>
    json(200, { value: [], nextLink: null }),
  );
};
