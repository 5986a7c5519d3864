import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DecisionId, EventId, LeaseId, PrincipalId, RequestId, SessionId } from '../../lib/ids.ts';
import { createLog } from '../../lib/log.ts';
import type { ActorRef } from '../../store/changes.ts';
import { openSqliteStore, type Store } from '../../store/sqlite.ts';
import { entryOf } from '../catalogue/entry.ts';
import { EventRows } from '../event-rows.ts';
import { closeSecrets } from '../privacy/close-secrets.ts';
import { Teller } from '../privacy/teller.ts';
import { SubjectKeys } from '../privacy/subject-keys.ts';
import type { Fact } from '../events.ts';
import { attribution, decidedFact, LedgerFixture, origin } from '../testing/ledger-fixture.ts';
import { sampleChanges, sampleRequestFacts } from '../testing/sample-facts.ts';
import { eventFacts } from './event-facts.ts';
import { actionForm, type EventFilter } from './event-filter.ts';
import { Indexer } from './indexer.ts';
import { segmentWidth } from './postings.ts';
import { searchEvents } from './search-events.ts';

let store: Store;
beforeEach(async () => {
  store = await openSqliteStore({ path: ':memory:', dangerouslyNotDurable: true });
});
afterEach(() => store.close());

const people = ['ada', 'bea', 'cyd'].map((_, i) => `aaaaaaaa-0000-4000-8000-00000000000${i}` as PrincipalId);
const jobs = [0, 1].map((i) => `bbbbbbbb-0000-4000-8000-00000000000${i}` as PrincipalId);
const scopes = [
  '/subscriptions/s',
  '/subscriptions/s/resourcegroups/g',
  '/subscriptions/s/resourcegroups/g2',
  '/subscriptions/s/resourcegroups/g/providers/microsoft.storage/storageaccounts/a/blobservices/default/containers/c',
  `/subscriptions/s/resourcegroups/g/providers/x/y/z/${'deep/'.repeat(30)}end`,
];
const actions = [
  'Microsoft.MachineLearningServices/workspaces/jobs/read',
  'Microsoft.MachineLearningServices/workspaces/jobs/write',
  'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
];

interface Written {
  readonly sequence: number;
  readonly id: EventId;
  readonly time: number;
  readonly fact: Fact;
}

/** Events at these sequences; a gap in the feed costs nothing, so that few events fill many segments. */
function write(events: readonly { sequence: number; time: number; fact: Fact }[]): Written[] {
  const keys = new SubjectKeys(store);
  const rows = new EventRows(store, keys);
  return events.map(({ sequence, time, fact }) => {
    const id = `evt_${String(sequence).padStart(26, '0')}` as EventId;
    const { secrets, ...entry } = entryOf(fact, { id, time, origin, productVersion: '1', position: null });
    rows.append({ ...entry, ...closeSecrets(keys, secrets), position: { sequence, previous: 0 } });
    return { sequence, id, time, fact };
  });
}

const indexer = (keyBits?: number) =>
  new Indexer(
    store,
    createLog('silent'),
    async (rows) => Promise.resolve(rows),
    new Teller(store, new SubjectKeys(store)).rows,
    keyBits,
  );

async function found(filter: EventFilter, keyBits?: number): Promise<number[]> {
  const index = await indexer(keyBits).caughtUp();
  const { events } = await searchEvents(index, filter, { limit: 10_000 });
  return events.map(({ sequence }) => sequence);
}

/** What a reader of the facts themselves would say; shares nothing with the search. */
function plainly(filter: EventFilter, { fact, time }: Written): boolean {
  if (fact.kind !== 'request.decided') throw new Error('only decisions are asked about here');
  const by = fact.attribution;
  const scope = filter.resource;
  const action = filter.action?.toLowerCase();
  return (
    (filter.since === undefined || time >= filter.since) &&
    (filter.until === undefined || time < filter.until) &&
    (filter.person === undefined || by.chain.some(({ id }) => id === filter.person)) &&
    (scope === undefined || fact.scope === scope || fact.scope.startsWith(`${scope}/`)) &&
    (action === undefined ||
      (action.endsWith('*')
        ? fact.action.toLowerCase().startsWith(action.slice(0, -1))
        : fact.action.toLowerCase() === action)) &&
    (filter.decision === undefined || fact.allowed === (filter.decision === 'allow')) &&
    (filter.policy === undefined ||
      by.policyId === filter.policy ||
      by.policyId?.split(':')[1] === filter.policy) &&
    (filter.job === undefined || by.chain.some(({ kind, id }) => kind === 'job' && id === filter.job)) &&
    (filter.session === undefined || by.sessionId === filter.session) &&
    (filter.correlation === undefined ||
      by.requestId === filter.correlation ||
      by.tokenId === filter.correlation)
  );
}

const pick = fc.constantFrom;
const fact = fc
  .record({
    person: pick(...people),
    job: fc.option(pick(...jobs)),
    scope: pick(...scopes),
    action: pick(...actions),
    allowed: fc.boolean(),
    policy: pick('roleAssignment:p1', 'denyAssignment:p2', null),
    session: fc.option(pick('ses_1', 'ses_2')),
    request: pick('req_1', 'req_2', 'req_3'),
    token: pick('utiA', 'utia'),
  })
  .map(({ person, job, scope, action, allowed, policy, session, request, token }) => {
    const chain: ActorRef[] = [{ kind: 'user', id: person, name: 'x' }];
    if (job !== null) chain.push({ kind: 'job', id: job, name: 'train' });
    return decidedFact({
      scope,
      action,
      operation: action,
      allowed,
      attribution: attribution({
        chain,
        policyId: policy,
        sessionId: session as SessionId | null,
        requestId: request as RequestId,
        tokenId: token,
      }),
    });
  });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 1 });
const start = 1_770_000_000_000;
const filters: fc.Arbitrary<EventFilter> = fc.record({
  person: maybe(pick(...people)),
  resource: maybe(
    pick(
      ...scopes,
      '/subscriptions',
      '/subscriptions/s/resource',
      ...scopes.slice(-1).map((s) => s.slice(0, -9)),
    ),
  ),
  action: maybe(
    pick(...actions, 'microsoft.storage/*', 'Microsoft.MachineLearningServices/workspaces/*', 'microsoft.*'),
  ),
  decision: maybe(pick('allow', 'deny')),
  policy: maybe(pick('p1', 'roleassignment:p1', 'p3')),
  job: maybe(pick(...jobs)),
  session: maybe(pick('ses_1', 'ses_3')),
  correlation: maybe(pick('req_1', 'utiA')),
  since: maybe(fc.integer({ min: start, max: start + 100_000 })),
  until: maybe(fc.integer({ min: start, max: start + 100_000 })),
});

describe('a search', () => {
  it.each([32, 4])(
    'finds what a plain reading of every event finds, newest first, page by page (keys of %i bits)',
    async (keyBits) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fact, fc.integer({ min: 1, max: 3_000 })), { minLength: 1, maxLength: 60 }),
          fc.array(filters, { minLength: 1, maxLength: 6 }),
          fc.integer({ min: 1, max: 7 }),
          async (facts, asked, limit) => {
            store.raw.exec(
              `delete from ledger_events; delete from ledger_segments; delete from ledger_postings; delete from ledger_rare_postings`,
            );
            let sequence = 0;
            // Time runs with the feed, but for a clock that is put back now and then.
            const written = write(
              facts.map(([one, step], i) => ({
                sequence: (sequence += step),
                time: start + (i % 7 === 6 ? 0 : i * 1_000),
                fact: one,
              })),
            );
            const index = await indexer(keyBits).caughtUp();
            for (const filter of asked) {
              const pages: number[] = [];
              let before: number | undefined;
              do {
                const page = await searchEvents(index, filter, { limit, before });
                expect(page.events.length).toBeLessThanOrEqual(limit);
                pages.push(...page.events.map((event) => event.sequence));
                before = page.next ?? undefined;
              } while (before !== undefined);
              const lower = {
                ...filter,
                ...(filter.policy
                  ? { policy: filter.policy.replace('roleassignment', 'roleAssignment') }
                  : {}),
              };
              expect(pages).toEqual(
                written
                  .filter((one) => plainly(lower, one))
                  .map((one) => one.sequence)
                  .toReversed(),
              );
            }
          },
        ),
        { numRuns: 150 },
      );
    },
  );

  it('finds every event of a kind, those of requests too, which no index holds by it', async () => {
    const facts = [...sampleRequestFacts];
    write(facts.map((one, i) => ({ sequence: i + 1, time: start, fact: one })));
    const ofKind = (is: (kind: string) => boolean) =>
      facts.flatMap(({ kind }, i) => (is(kind) ? [i + 1] : [])).toReversed();
    for (const kind of new Set(facts.map((one) => one.kind))) {
      expect(ofKind((one) => one === kind)).not.toEqual([]);
      expect([kind, await found({ action: kind })]).toEqual([kind, ofKind((one) => one === kind)]);
    }
    expect(await found({ action: 'request.*' })).toEqual(ofKind((kind) => kind.startsWith('request.')));
    const endings = await found({ action: 'Request.Ended', decision: 'allow' });
    expect(endings).toEqual([]);
  });

  it('finds the same after a start, from what was stored and what was not', async () => {
    const one = decidedFact();
    write(
      [5, segmentWidth + 3, segmentWidth * 2 + 1].map((sequence) => ({ sequence, time: start, fact: one })),
    );
    expect(await found({ person: '22222222-2222-4222-8222-222222222222' })).toEqual([32769, 16387, 5]);
    expect(await store.db.selectFrom('ledger_segments').select('segment').execute()).toEqual([
      { segment: 0 },
      { segment: 1 },
    ]);
    expect(await found({ person: '22222222-2222-4222-8222-222222222222' })).toEqual([32769, 16387, 5]);
  });

  it('stores a segment again whose storing was cut off', async () => {
    write([1, segmentWidth].map((sequence) => ({ sequence, time: start, fact: decidedFact() })));
    store.raw.exec(
      `create trigger full before insert on ledger_segments begin select raise(abort, 'full'); end`,
    );
    const cut = indexer();
    await expect(cut.caughtUp()).rejects.toThrow('full');
    await expect(cut.caughtUp()).rejects.toThrow('full');
    store.raw.exec(`drop trigger full`);
    const { events } = await searchEvents(await cut.caughtUp(), {}, { limit: 10 });
    expect(events.map(({ sequence }) => sequence)).toEqual([segmentWidth, 1]);
    expect(await found({ decision: 'allow' })).toEqual([segmentWidth, 1]);
  });

  it('sees in a common word, which is stored as bits, and in a rare one the same events', async () => {
    write(
      Array.from({ length: 1_500 }, (_, i) => ({
        sequence: i + 1,
        time: start + i,
        fact: decidedFact({
          allowed: i % 100 !== 7,
          attribution: attribution({ tokenId: `uti-${i % 300}` }),
        }),
      })),
    );
    write([{ sequence: segmentWidth + 1, time: start, fact: decidedFact({ allowed: false }) }]);
    expect(await found({ correlation: 'uti-207', decision: 'deny' })).toEqual([1408, 1108, 808, 508, 208]);
    expect(await found({ correlation: 'uti-208', decision: 'deny' })).toEqual([]);
    expect(await found({ decision: 'allow', since: start + 1_497 })).toEqual([1500, 1499, 1498]);
    expect(await found({ since: start + 10, until: start + 13 })).toEqual([13, 12, 11]);
  });
});

describe('of every kind of event', () => {
  it.each(Object.values(sampleChanges))(
    '$kind is found by its kind and by what it is about',
    async (change) => {
      write([{ sequence: 1, time: start, fact: { kind: 'change', attribution: attribution(), change } }]);
      expect(await found({ action: change.kind })).toEqual([1]);
      expect(await found({ action: `${change.kind.split('.')[0]}.*` })).toEqual([1]);
      const about =
        JSON.stringify(change).match(/"\/subscriptions[^"]*"|"(?:22222222|44444444|55555555)-[^"]*"/g) ?? [];
      for (const quoted of about) {
        const value = JSON.parse(quoted) as string;
        if (value.includes('"') || quoted.startsWith('"/providers')) continue;
        expect(await found(value.startsWith('/') ? { resource: value } : { person: value })).toEqual([1]);
      }
    },
  );

  it('each has a place, a person or an action to be found by', () => {
    for (const one of sampleRequestFacts) {
      const { bytes } = entryOf(one, {
        id: 'evt_1' as EventId,
        time: 1,
        origin,
        productVersion: '1',
        position: null,
      });
      const facts = eventFacts(JSON.parse(Buffer.from(bytes).toString('utf8')));
      expect(facts.actions.length).toBeGreaterThan(0);
      for (const action of facts.actions) expect(action).toMatch(actionForm);
    }
  });
});

describe('an id alone', () => {
  const job = jobs[0]!;
  const owner = people[0]!;
  const chain: ActorRef[] = [
    { kind: 'user', id: owner, name: 'Ada' },
    { kind: 'job', id: job, name: 'train' },
  ];

  it('finds everything that belongs to a job, a decision, an event, a token and a lease', async () => {
    const fixture = new LedgerFixture();
    const { ledger, store: kept } = await fixture.open();
    const submission = attribution({
      chain: chain.slice(0, 1),
      decisionId: 'dec_submit' as DecisionId,
      requestId: 'req_submit' as RequestId,
      tokenId: 'uti-ada',
    });
    const working = attribution({
      chain,
      decisionId: 'dec_read' as DecisionId,
      requestId: 'req_read' as RequestId,
      leaseId: 'lea_9' as LeaseId,
      tokenId: 'uti-job',
    });
    const other = attribution({
      decisionId: 'dec_other' as DecisionId,
      requestId: 'req_o' as RequestId,
      tokenId: 'o',
    });
    const lease = {
      ...sampleChanges['lease.opened'].lease,
      id: 'lea_9' as LeaseId,
      jobId: job,
      ownerId: owner,
      chain,
    };
    const names = new Map<string, string>();
    const record = async (name: string, one: Parameters<typeof ledger.record>[0]) => {
      names.set(await ledger.record(one), name);
    };
    await record('someone else’s', decidedFact({ attribution: other }));
    await record('submission', decidedFact({ attribution: submission, effect: 'change', method: 'PUT' }));
    await ledger.commit(submission, (_tx, note) => {
      note({ ...sampleChanges['lease.opened'], lease });
      return Promise.resolve();
    });
    names.set((await ledger.eventsAfter(0, 10)).at(-1)?.id ?? '', 'lease opened');
    await record('token', {
      kind: 'authentication',
      attribution: attribution({
        chain: [{ kind: 'anonymous', id: 'anonymous', name: '' }],
        decisionId: null,
        requestId: null,
        tokenId: null,
      }),
      activity: 'token-issue',
      succeeded: true,
      failureCode: null,
      principalId: job,
      principalName: 'train',
      method: 'lease',
      audience: null,
      tokenId: 'uti-job',
      expiresAt: 1,
      detail: {},
    });
    await record('read', decidedFact({ attribution: working }));
    const end = { ...lease, state: 'ended' as const };
    await ledger.commit({ ...other, decisionId: null, requestId: null }, (_tx, note) => {
      note({ ...sampleChanges['lease.ended'], lease: end });
      return Promise.resolve();
    });
    names.set((await ledger.eventsAfter(0, 10)).at(-1)?.id ?? '', 'lease ended');

    const of = async (id: string) => {
      const { events } = await ledger.search({ ids: [id] }, { limit: 100 });
      const ids = events.map(({ entry }) => eventFacts(JSON.parse(Buffer.from(entry).toString())).eventId);
      return ids.map((one) => names.get(one)).toReversed();
    };
    expect(await of(job)).toEqual(['submission', 'lease opened', 'token', 'read', 'lease ended']);
    expect(await of('dec_submit')).toEqual(['submission', 'lease opened']);
    expect(await of([...names].find(([, name]) => name === 'lease opened')?.[0] ?? '')).toEqual([
      'submission',
      'lease opened',
    ]);
    expect(await of('uti-job')).toEqual(['token', 'read']);
    expect(await of('lea_9')).toEqual(['lease opened', 'read', 'lease ended']);
    expect(await of('dec_nothing')).toEqual([]);
    await ledger.close();
    await kept.close();
    fixture.remove();
  });
});
