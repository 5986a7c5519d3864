import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DecisionId, EventId, RequestId, SessionId } from '../lib/ids.ts';
import type { Store } from '../store/sqlite.ts';
import { commonScope } from './ends-together.ts';
import type { RequestFact } from './events.ts';
import type { Ledger } from './ledger.ts';
import { attribution, decidedFact, LedgerFixture } from './testing/ledger-fixture.ts';

type Ended = Extract<RequestFact, { kind: 'request.ended' }>;

let fixture: LedgerFixture;
let ledger: Ledger;
let store: Store;
beforeEach(async () => {
  fixture = new LedgerFixture();
  ({ ledger, store } = await fixture.open());
});
afterEach(async () => {
  await ledger.close();
  await store.close();
  fixture.remove();
});

function ended(i: number, more: Partial<Ended> = {}): Ended {
  return {
    kind: 'request.ended',
    surface: 'web:models',
    operation: 'Contoso.Models/scores/read',
    effect: 'read',
    scope: `/connections/models/${i}`,
    status: 200,
    requestBytes: 0,
    responseBytes: i,
    durationMilliseconds: 1,
    ending: 'completed',
    ...more,
    attribution: attribution({
      requestId: `req_${i}` as RequestId,
      decisionId: `dec_${i}` as DecisionId,
      ...more.attribution,
    }),
  };
}

const many = (count: number, of: (i: number) => Ended = (i) => ended(i)): Promise<EventId[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => ledger.record(of(i))));

async function events(): Promise<
  { code: unknown; own: Record<string, unknown>; event: Record<string, unknown> }[]
> {
  return (await ledger.eventsAfter(0, 1_000)).map(({ event }) => ({
    code: (event['metadata'] as Record<string, unknown>)['event_code'],
    own: (event['unmapped'] as { lockstep: Record<string, unknown> }).lockstep,
    event,
  }));
}

it.each([
  [['/a/b/c'], '/a/b/c'],
  [['/a/b/c', '/a/b/d'], '/a/b'],
  [['/a/b', '/a/b/d'], '/a/b'],
  [['/a/bc', '/a/b'], '/a'],
  [['/a/b', '/c'], '/'],
  [['/', '/a'], '/'],
])('the scope that %j share is %s', (scopes, common) => {
  expect(commonScope(scopes)).toBe(common);
  expect(commonScope(scopes.toReversed())).toBe(common);
});

describe('the ends of reads', () => {
  it('share one record where one caller reads much, and each is found by its decision', async () => {
    const ids = await many(100);
    expect(new Set(ids).size).toBe(1);
    const [one, ...others] = await events();
    expect(others).toEqual([]);
    expect(one).toMatchObject({
      code: 'requests.ended',
      event: {
        count: 100,
        start_time: fixture.clock.now(),
        status_id: 1,
        api: { service: { name: 'web:models' } },
      },
      own: { decisionId: null, requestId: null, scope: '/connections/models', sourceAddress: '127.0.0.1' },
    });
    expect(one?.own['outcomes']).toHaveLength(100);
    expect(one?.own['outcomes']).toContainEqual({
      decisionId: 'dec_7',
      durationMilliseconds: 1,
      requestBytes: 0,
      responseBytes: 7,
      status: 200,
    });
    const found = await ledger.search({ ids: ['dec_99'] }, { limit: 5 });
    expect(found.events.map(({ event }) => (event['metadata'] as { uid: string }).uid)).toEqual([ids[0]]);
    const byRequest = await ledger.search({ ids: ['req_99'] }, { limit: 5 });
    expect(byRequest.events).toEqual([]);
    await ledger.record(decidedFact({ attribution: ended(99).attribution }));
    const related = await ledger.search({ ids: ['req_99'] }, { limit: 5 });
    expect(related.events.map(({ event }) => (event['metadata'] as { uid: string }).uid)).toContain(ids[0]);
    expect((await ledger.search({ ids: ['dec_100'] }, { limit: 5 })).events).toEqual([]);
  });

  it('are recorded each by itself while they are few', async () => {
    expect(new Set(await many(7)).size).toBe(7);
    expect((await events()).map(({ code }) => code)).toEqual(Array(7).fill('request.ended'));
  });

  it('of different callers, sign-ins, operations and outcomes share nothing', async () => {
    const kinds: ((i: number) => Partial<Ended>)[] = [
      () => ({}),
      () => ({ status: 404 }),
      () => ({ operation: 'Contoso.Models/read' }),
      () => ({ surface: 'web:other' }),
      (i) => ({
        attribution: attribution({ decisionId: `dec_${i}` as DecisionId, sourceAddress: '203.0.113.7' }),
      }),
      (i) => ({ attribution: attribution({ decisionId: `dec_${i}` as DecisionId, tokenId: 'uti-other' }) }),
      (i) => ({
        attribution: attribution({
          decisionId: `dec_${i}` as DecisionId,
          sessionId: 'ses_other' as SessionId,
        }),
      }),
      (i) => ({
        attribution: attribution({
          decisionId: `dec_${i}` as DecisionId,
          chain: [{ kind: 'user', id: '33333333-3333-4333-8333-333333333333', name: 'Bob' }],
        }),
      }),
    ];
    await many(kinds.length * 10, (i) => ended(i, kinds[i % kinds.length]?.(i)));
    const recorded = await events();
    expect(recorded.map(({ code }) => code)).toEqual(kinds.map(() => 'requests.ended'));
    for (const { own } of recorded) {
      const outcomes = own['outcomes'] as { decisionId: string }[];
      const kind = Number(outcomes[0]?.decisionId.slice(4)) % kinds.length;
      expect(outcomes.map(({ decisionId }) => Number(decisionId.slice(4)) % kinds.length)).toEqual(
        Array(10).fill(kind),
      );
    }
    expect(recorded.map(({ event }) => event['status_id'])).toEqual([1, 2, 1, 1, 1, 1, 1, 1]);
  });

  it('of changes, of what was cut or broke off, and of what is no plain answer are never shared', async () => {
    const plain: Partial<Ended>[] = [
      { effect: 'change' },
      { ending: 'policy-changed' },
      { ending: 'client-gone' },
      { ending: 'failed' },
      { sentAgain: 'connect' },
      { webSocket: { received: 1, sent: 1, closeCode: 1000 } },
    ];
    await many(plain.length * 10, (i) => ended(i, plain[i % plain.length]));
    expect((await events()).map(({ code }) => code)).toEqual(Array(plain.length * 10).fill('request.ended'));
  });

  it('are on the disk when the ledger is closed', async () => {
    const recorded = many(50);
    await ledger.close();
    await store.close();
    await recorded;
    ({ ledger, store } = await fixture.open());
    expect((await events())[0]?.event).toMatchObject({ count: 50 });
  });

  it('are told before the stop of the process that they ended in', async () => {
    const recorded = many(3);
    await ledger.record({
      kind: 'lifecycle',
      attribution: attribution({}),
      activity: 'stop',
      version: '1.0.0',
      detail: {},
    });
    await recorded;
    expect((await events()).map(({ own }) => own['activity'] ?? 'ended')).toEqual([
      'ended',
      'ended',
      'ended',
      'stop',
    ]);
  });

  it('fit into entries of the log, however many there are', async () => {
    const huge = Number.MAX_SAFE_INTEGER;
    await many(1_000, (i) =>
      ended(i, {
        status: 599,
        requestBytes: huge,
        responseBytes: huge,
        durationMilliseconds: huge,
        attribution: attribution({ decisionId: `dec_${String(i).padStart(26, '0')}` as DecisionId }),
      }),
    );
    const counts = (await events()).map(({ event }) => event['count']);
    expect(counts).toEqual([256, 256, 256, 232]);
    expect(JSON.stringify(await events())).not.toContain('is_truncated');
  });

  it('are all told when the ledger refuses them', async () => {
    const refused = many(20);
    store.raw.exec('drop table ledger_events');
    const outcomes = await Promise.allSettled([refused]);
    expect(outcomes[0]?.status).toBe('rejected');
    await expect(ledger.record(ended(1, { effect: 'change' }))).rejects.toThrow();
  });
});
