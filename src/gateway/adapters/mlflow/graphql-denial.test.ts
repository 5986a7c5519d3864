import { describe, expect, it } from 'vitest';
import { failure, type LockstepError } from '../../../lib/errors.ts';
import { newDecisionId, newRequestId } from '../../../lib/ids.ts';
import type { Decision } from '../../../policy/types.ts';
import { accessDenied } from '../../denial/denial.ts';
import { alice, callerOf } from '../../testing/gateway.ts';
import { proxyOptions } from '../../testing/proxy-options.ts';
import type { RequestHead } from '../../types.ts';
import { mlflowSurface } from './surface.ts';

const scope = '/subscriptions/s/resourcegroups/g';
const decision: Decision = {
  id: newDecisionId(0),
  allowed: false,
  cause: { kind: 'missing-grant' },
  decidedFor: alice,
  authorities: [alice],
  access: { action: 'Contoso.Ml/experiments/read', dataAction: false, scope },
  snapshotVersion: 1,
  restsOnTime: false,
};
const denial = accessDenied(callerOf(alice), decision);
/** As Chromium sends what MLflow's page asks. */
const ofThePage = { 'sec-fetch-dest': 'empty', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' };
const surface = mlflowSurface(
  { name: 'mlflow', upstream: 'http://127.0.0.1:1', scope, workspace: null },
  proxyOptions,
);

function answer(error: LockstepError, over: Partial<RequestHead> = {}): { status: number; body: unknown } {
  const head: RequestHead = {
    id: newRequestId(0),
    method: 'POST',
    host: 'mlflow.localhost',
    authority: 'mlflow.localhost',
    path: '/graphql',
    rawQuery: '',
    query: new URLSearchParams(),
    headers: ofThePage,
    remoteAddress: '127.0.0.1',
    origin: 'https://mlflow.localhost',
    upgrade: null,
    hasBody: true,
    ...over,
  };
  const { status, body } = surface.renderError(error, head);
  if (typeof body !== 'string') throw new Error('an error without a text');
  return { status, body: JSON.parse(body) };
}

describe('a query of MLflow’s page that is denied', () => {
  it('is answered as GraphQL, since the page shows no other reason', () => {
    expect(answer(denial)).toMatchObject({
      status: 200,
      body: {
        data: null,
        errors: [
          {
            message: denial.publicMessage,
            extensions: {
              code: 'PERMISSION_DENIED',
              decision: decision.id,
              reason: 'missing-grant',
              policy: 'default:missing-grant',
            },
          },
        ],
      },
    });
  });

  it.each<[string, LockstepError, Partial<RequestHead>]>([
    ['of a program', denial, { headers: {} }],
    ['with a token', denial, { headers: { ...ofThePage, authorization: 'Bearer x' } }],
    ['of another method', denial, { method: 'GET' }],
    ['for another route', denial, { path: '/ajax-api/2.0/mlflow/experiments/get' }],
  ])('keeps MLflow’s error %s', (_what, error, over) => {
    expect(answer(error, over)).toMatchObject({ status: 403, body: { error_code: 'PERMISSION_DENIED' } });
  });

  it('keeps the status of what is no denial', () => {
    expect(answer(failure('upstream_unreachable', 'Away.'))).toMatchObject({ status: 502 });
    expect(answer(failure('revoked_token', 'Ended.'))).toMatchObject({ status: 401 });
  });
});
