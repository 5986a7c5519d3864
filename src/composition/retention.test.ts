import { afterEach, beforeEach, expect, it } from 'vitest';
import { LedgerFixture, decidedFact, tenantId } from '../ledger/testing/ledger-fixture.ts';
import { sampleChanges } from '../ledger/testing/sample-facts.ts';
import { directorySource } from '../ledger/sources/directory-source.ts';
import { verifyLog } from '../ledger/verify/verify-log.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { systemAttribution } from '../store/changes.ts';
import type { Store } from '../store/sqlite.ts';
import { keepingTo } from './retention.ts';

const day = 86_400_000;
const by = systemAttribution(tenantId, 'retention');

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

async function aBundle(): Promise<void> {
  await Promise.all(Array.from({ length: 256 }, () => ledger.record(decidedFact())));
  await ledger.commit(by, (_tx, record) => {
    record(sampleChanges['container.created']);
    return Promise.resolve();
  });
  await ledger.integrate();
}

const firstIndex = async (): Promise<number | null> => {
  const verdict = await verifyLog(directorySource(fixture.logDirectory), fixture.signer.verifierKey);
  return verdict.ok ? verdict.firstIndex : null;
};
const keeping = (retention: { keepDays?: number; hold: boolean }) =>
  keepingTo({ ledger, retention, by, clock: fixture.clock });

it('keeps everything unless a period is set, and while it is on hold', async () => {
  await aBundle();
  fixture.clock.advance(100 * day);
  await aBundle();
  await keeping({ hold: false })();
  await keeping({ keepDays: 30, hold: true })();
  expect(await firstIndex()).toBe(0);
  expect((await ledger.search({ action: 'lifecycle.prune' }, { limit: 1 })).events).toEqual([]);
});

it('once a day what is older than the period goes, from the database and from the log', async () => {
  const keepTo = keeping({ keepDays: 30, hold: false });
  await aBundle();
  await keepTo();
  expect(await firstIndex()).toBe(0);
  fixture.clock.advance(31 * day);
  await aBundle();
  await keepTo();
  expect(await firstIndex()).toBe(256);
  fixture.clock.advance(31 * day - 1);
  await aBundle();
  await keepTo();
  expect(await firstIndex()).toBe(512);
  const runs = (await ledger.search({ action: 'lifecycle.prune' }, { limit: 10 })).events.length;
  fixture.clock.advance(day / 2);
  await keepTo();
  expect((await ledger.search({ action: 'lifecycle.prune' }, { limit: 10 })).events).toHaveLength(runs);
});
