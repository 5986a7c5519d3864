import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../lib/clock.ts';
import type { DecisionId, EventId, RequestId } from '../lib/ids.ts';
import { trustOnly } from './verify/policy.ts';
import { verifyReceipt } from './verify/verify-receipt.ts';
import type { Store } from '../store/sqlite.ts';
import { attribution, decidedFact, LedgerFixture } from './testing/ledger-fixture.ts';
import type { Ledger, LedgerOptions } from './ledger.ts';

let fixture: LedgerFixture;
let ledger: Ledger;
let store: Store;
let options: Partial<LedgerOptions> = {};

beforeEach(async () => {
  fixture = new LedgerFixture();
  ({ ledger, store } = await fixture.open(options));
});

afterEach(async () => {
  await ledger.close();
  await store.close();
  fixture.remove();
});

async function reopen(): Promise<void> {
  await ledger.close();
  await store.close();
  ({ ledger, store } = await fixture.open(options));
}

const person = '44444444-4444-4444-8444-444444444444';
const decision = 'dec_of-mallory' as DecisionId;

/** More than a tile of events, of which one is Mallory's; all of them published, and indexed. */
async function record(): Promise<EventId> {
  const byMallory = attribution({
    chain: [{ kind: 'user', id: person, name: 'Mallory' }],
    decisionId: decision,
    requestId: 'req_of-mallory' as RequestId,
  });
  const ids = await Promise.all(
    Array.from({ length: 300 }, (_, i) =>
      ledger.record(decidedFact(i === 100 ? { attribution: byMallory, allowed: false } : {})),
    ),
  );
  await ledger.integrate();
  await ledger.search({ ids: ids.slice(-1) }, { limit: 1 });
  return ids[100] ?? expect.fail();
}

/** As whoever can write to the database's file would. */
function alter(id: EventId, change: (entry: string) => string): void {
  const { entry } = store.raw.prepare('select entry from ledger_events where event_id = ?').get(id) ?? {};
  const altered = change(Buffer.from(entry as Uint8Array).toString());
  store.raw
    .prepare('update ledger_events set entry = ? where event_id = ?')
    .run(Buffer.from(altered, 'latin1'), id);
}

const alterations: readonly (readonly [string, (entry: string) => string])[] = [
  ['says that it was allowed', (entry) => entry.replace('"allowed":false', '"allowed":true')],
  ['names somebody else', (entry) => entry.replaceAll(person, '55555555-5555-4555-8555-555555555555')],
  ['is no JSON any more', (entry) => entry.slice(0, -1)],
  ['is no UTF-8 any more', (entry) => entry.replace('allowed', 'all\xffwed')],
  ['is empty', () => ''],
];

const places: readonly (readonly [string, Partial<LedgerOptions>])[] = [
  ['within', {}],
  ['in its thread', { inThread: true, clock: systemClock }],
];

describe.each(places)('searched %s', (_place, how) => {
  beforeAll(() => {
    options = how;
  });

  describe.each(alterations)('a row of the database that %s', (_, change) => {
    it('is told as the log holds it, by whatever it is asked for', async () => {
      const id = await record();
      const before = await ledger.eventById(id);
      alter(id, change);

      const told = before?.event;
      expect((await ledger.eventById(id))?.event).toEqual(told);
      expect((await ledger.eventsByDecision(decision)).map(({ event }) => event)).toEqual([told]);
      expect((await ledger.eventsAfter(100, 1)).map(({ event }) => event)).toEqual([told]);
      for (const filter of [{ person }, { ids: [id] }, { ids: [decision] }, { decision: 'deny' as const }]) {
        const { events } = await ledger.search(filter, { limit: 10 });
        expect(events.map(({ event }) => event)).toEqual([told]);
      }
      expect((await ledger.search({ decision: 'allow' }, { limit: 1_000 })).events).toHaveLength(299);
    });

    it('is reported, and the log goes on', async () => {
      const id = await record();
      expect(ledger.health()).toEqual({ state: 'ok' });
      alter(id, change);
      await ledger.eventById(id);
      await ledger.eventById(id);
      expect(ledger.health()).toEqual({ state: 'ok', alteredRows: 1 });
      const verdict = verifyReceipt(await ledger.receipt(id), null, trustOnly([ledger.verifierKey]));
      expect(verdict.ok).toBe(true);
      await ledger.record(decidedFact());
    });

    it('can be found after a start, by what the log says', async () => {
      const id = await record();
      alter(id, change);
      await reopen();
      const { events } = await ledger.search({ person }, { limit: 10 });
      expect(events.map(({ event }) => event)).toEqual([(await ledger.eventById(id))?.event]);
      expect(ledger.health()).toEqual({ state: 'ok', alteredRows: 1 });
    });
  });

  it('a row that was never in the log and is no event hides nothing else', async () => {
    await record();
    store.raw
      .prepare(
        `insert into ledger_events (event_id, time, class_uid, entry) values ('evt_none', ?, 0, cast('{' as blob))`,
      )
      .run(fixture.clock.now());
    const { events } = await ledger.search({}, { limit: 1_000 });
    expect(events).toHaveLength(301);
    expect(events[0]?.event).toEqual({});
    expect((await ledger.search({ person }, { limit: 10 })).events).toHaveLength(1);
  });

  describe('where the log contradicts itself', () => {
    it('a row is told as it is, and reported', async () => {
      const id = await record();
      const before = await ledger.eventById(id);
      // A bit of a full tile: the row and its bundle say the same.
      const tile = join(fixture.logDirectory, 'tile/0/000');
      const bytes = readFileSync(tile);
      bytes[100 * 32] = (bytes[100 * 32] ?? 0) ^ 1;
      writeFileSync(tile, bytes);
      await reopen();
      expect((await ledger.eventById(id))?.event).toEqual(before?.event);
      expect(ledger.health()).toMatchObject({ alteredRows: 1 });
    });

    it('a tile that is missing takes nothing away', async () => {
      const id = await record();
      const before = await ledger.eventById(id);
      alter(id, (entry) => entry.replace('"allowed":false', '"allowed":true'));
      writeFileSync(join(fixture.logDirectory, 'tile/0/000'), 'x');
      const told = await ledger.eventById(id);
      expect(told?.id).toBe(before?.id);
    });
  });
});
