import { describe, expect, it } from 'vitest';
import type { DecisionId, RequestId } from '../../lib/ids.ts';
import type { AccessAttributes, Decision } from '../../policy/types.ts';
import { attribution } from '../../ledger/testing/ledger-fixture.ts';
import type { RequestHead } from '../types.ts';
import { decidedFact } from './facts.ts';

const head = { id: 'req_1' as RequestId, method: 'GET', path: '/a', headers: {} } as unknown as RequestHead;

function factOf(attributes: AccessAttributes, scope = '/connections/x') {
  const decision: Decision = {
    id: 'dec_1' as DecisionId,
    allowed: true,
    cause: { kind: 'public', rule: 'test' },
    decidedFor: null,
    authorities: [],
    access: { action: 'Test/read', dataAction: false, scope, attributes },
    snapshotVersion: 1,
    restsOnTime: false,
  };
  const parts = {
    attribution: attribution(),
    surface: 's',
    operation: 'Test/read',
    effect: 'read',
    decision,
  } as const;
  const fact = decidedFact(head, parts);
  return fact.kind === 'request.decided' ? fact : expect.fail();
}

describe('the record of a decision', () => {
  it('has the attributes that were decided on, as they were', () => {
    const attributes = {
      request: { tag: 'red', count: 3, flag: false, list: ['a', 'b'], numbers: [1, 2] },
      resource: {},
      environment: { now: '2026-01-01' },
    };
    const fact = factOf(attributes);
    expect(fact.attributes).toEqual({ request: attributes.request, environment: attributes.environment });
    expect(fact.altered).toBeUndefined();
  });

  it.each<[string, AccessAttributes]>([
    ['a text that is cut', { request: { tag: 'x'.repeat(1_025) } }],
    ['a text in a list that is cut', { resource: { tags: ['a', 'x'.repeat(1_025)] } }],
    ['a list that is cut', { request: { tags: Array.from({ length: 65 }, (_, i) => `t${i}`) } }],
    [
      'so many that some are left out',
      { environment: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`a${i}`, i])) },
    ],
    ['a text that is escaped', { request: { tag: 'a\u0000b' } }],
  ])('says so where it does not: %s', (_what, attributes) => {
    const fact = factOf(attributes);
    expect(fact.altered).toBe(true);
    expect(JSON.stringify(fact.attributes).length).toBeLessThan(3_000);
  });

  it('says so where the scope was cut', () => {
    expect(factOf({}, `/connections/${'x'.repeat(5_000)}`).altered).toBe(true);
  });
});
