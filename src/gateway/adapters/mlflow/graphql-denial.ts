import type { LockstepError } from '../../../lib/errors.ts';
import { policyIdOf } from '../../../policy/types.ts';
import { decisionOf } from '../../denial/decision-of.ts';
import type { Reply, RequestHead } from '../../types.ts';

/**
 * A denied query as MLflow's own page reads it: GraphQL's answer with an error (spec.graphql.org/October2021, §7.1), whose
 * message the page shows. Of any other answer it shows the status, and nobody sees why. Null for whatever is no denial
 * of a query that a script of a page has sent: programs keep MLflow's error and its status.
 */
export function graphqlDenial(error: LockstepError, head: RequestHead, path: string): Reply | null {
  const decision = decisionOf(error);
  if (error.code !== 'access_denied' || decision === null || !isPagesQuery(head, path)) return null;
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify({
      data: null,
      errors: [
        {
          message: error.publicMessage,
          extensions: {
            code: 'PERMISSION_DENIED',
            decision: decision.id,
            reason: decision.cause.kind,
            policy: policyIdOf(decision.cause),
            request_id: head.id,
          },
        },
      ],
    }),
  };
}

/** Only a browser says for what it fetches: https://www.w3.org/TR/fetch-metadata/ */
function isPagesQuery({ method, headers }: RequestHead, path: string): boolean {
  return (
    method === 'POST' &&
    path === '/graphql' &&
    headers['sec-fetch-dest'] === 'empty' &&
    headers.authorization === undefined
  );
}
