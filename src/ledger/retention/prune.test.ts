import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DecisionId, EventId } from '../../lib/ids.ts';
import { systemAttribution } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import { changeFeed } from '../change-feed.ts';
import type { Fault } from '../faults.ts';
import type { Ledger } from '../ledger.ts';
import { directorySource } from '../sources/directory-source.ts';
import { attribution, decidedFact, LedgerFixture, tenantId } from '../testing/ledger-fixture.ts';
import { sampleChanges } from '../testing/sample-facts.ts';
import { verifyLog } from '../verify/verify-log.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';

let fixture: LedgerFixture;
beforeEach(() => {
  fixture = new LedgerFixture();
});
afterEach(() => fixture.remove());

const by = systemAttribution(tenantId, 'tests');
const hour = 3_600_000;

/** A change, then `decisions` decisions an hour apart from the next group, as often as there are groups; last a change. */
async function grown(
  groups: readonly number[],
  fault?: Fault,
): Promise<{ ledger: Ledger; store: Store; ids: EventId[] }> {
  const { ledger, store } = await fixture.open(fault === undefined ? {} : { fault });
  const change = () =>
    ledger.commit(attribution(), (_tx, record) => {
      record(sampleChanges['container.created']);
      return Promise.resolve();
    });
  await change();
  const ids: EventId[] = [];
  for (const decisions of groups) {
    for (let i = 0; i < decisions; i += 64) {
      const some = Array.from({ length: Math.min(64, decisions - i) }, (_, j) =>
        ledger.record(
          decidedFact({ attribution: attribution({ decisionId: `dec_${ids.length + j}` as DecisionId }) }),
        ),
      );
      ids.push(...(await Promise.all(some)));
    }
    fixture.clock.advance(hour);
  }
  await change();
  await ledger.integrate();
  return { ledger, store, ids };
}

const kept = (store: Store) =>
  store.db
    .selectFrom('ledger_events')
    .select(({ fn }) => [fn.min('sequence').as('first'), fn.countAll<number>().as('rows')])
    .executeTakeFirstOrThrow();

async function end({ ledger, store }: { ledger: Ledger; store: Store }): Promise<void> {
  await ledger.close();
  await store.close();
}

const verified = () => verifyLog(directorySource(fixture.logDirectory), fixture.signer.verifierKey);

describe('pruning', () => {
  it('removes whole bundles that are old enough from the front, says so, and the log verifies as before', async () => {
    const parts = await grown([600, 300]);
    const { ledger, store } = parts;
    const before = fixture.clock.now() - hour;
    expect(await ledger.prune(by, before - hour)).toEqual({ firstIndex: 0, firstSequence: 1, rows: 0 });
    expect(await ledger.prune(by, before)).toEqual({ firstIndex: 512, firstSequence: 513, rows: 512 });
    expect(await kept(store)).toMatchObject({ first: 513 });
    const { events } = await ledger.search({ action: 'lifecycle.prune' }, { limit: 5 });
    expect(JSON.parse(Buffer.from(events[0]?.entry ?? '').toString())).toMatchObject({
      unmapped: { lockstep: { detail: { firstIndex: '512', rows: '512' } } },
    });
    await ledger.integrate();
    expect(await verified()).toMatchObject({ ok: true, size: 904 });
    await end(parts);
    const again = await fixture.open();
    await again.ledger.record(decidedFact());
    await end(again);
    expect(await verified()).toMatchObject({ ok: true, size: 905 });
  });

  it('never removes the newest change, nor what is behind it, so that the links of the feed go on', async () => {
    const { ledger, store } = await fixture.open();
    await ledger.commit(attribution(), (_tx, record) => {
      record(sampleChanges['container.created']);
      return Promise.resolve();
    });
    for (let i = 0; i < 5; i++)
      await Promise.all(Array.from({ length: 64 }, () => ledger.record(decidedFact())));
    await ledger.integrate();
    fixture.clock.advance(hour);
    expect(await ledger.prune(by, fixture.clock.now())).toMatchObject({ rows: 0 });
    await ledger.commit(attribution(), (_tx, record) => {
      record(sampleChanges['container.created']);
      return Promise.resolve();
    });
    await ledger.integrate();
    expect(await ledger.prune(by, fixture.clock.now())).toMatchObject({ rows: 256, firstIndex: 256 });
    const { steps } = await changeFeed(store).after(0, 10);
    // Whoever follows sees that changes are missing in front of this one.
    expect(steps.map(({ previous }) => previous)).toEqual([1]);
    await end({ ledger, store });
  });

  it('removes nothing that is not yet under a published checkpoint', async () => {
    const fault: Fault = (step, moment) => {
      if (step === 'checkpoint.write' && moment === 'before' && armed) throw new Error('no checkpoint today');
    };
    let armed = false;
    const { ledger, store } = await fixture.open({ fault, publishIntervalMilliseconds: 1_000_000 });
    armed = true;
    for (let i = 0; i < 9; i++)
      await Promise.all(Array.from({ length: 64 }, () => ledger.record(decidedFact())));
    await ledger.commit(attribution(), (_tx, record) => {
      record(sampleChanges['container.created']);
      return Promise.resolve();
    });
    await expect(ledger.integrate()).rejects.toThrow('no checkpoint today');
    fixture.clock.advance(hour);
    expect(await ledger.prune(by, fixture.clock.now())).toMatchObject({ rows: 0 });
    expect(await kept(store)).toMatchObject({ first: 1 });
    armed = false;
    await ledger.integrate();
    expect(await ledger.prune(by, fixture.clock.now())).toMatchObject({ rows: 512 });
    await end({ ledger, store });
  });

  it.each([
    ['an entry bundle that is missing', 'entries/001', null],
    ['an entry bundle with one byte changed', 'entries/001', 100],
    ['a tile with one byte changed', '0/001', 100],
  ])('stops before %s, and says so', async (_what, path, at) => {
    const parts = await grown([900]);
    const file = join(fixture.logDirectory, 'tile', path);
    const whole = readFileSync(file);
    if (at === null) rmSync(file);
    else writeFileSync(file, Buffer.from(whole).fill((whole[at] ?? 0) ^ 1, at, at + 1));
    await expect(parts.ledger.prune(by, fixture.clock.now())).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('the archive does not hold') as string,
    });
    expect(await kept(parts.store)).toMatchObject({ first: 257 });
    writeFileSync(file, whole);
    expect(await parts.ledger.prune(by, fixture.clock.now())).toMatchObject({ rows: 512, firstIndex: 768 });
    await end(parts);
  });

  it('stops where a row is not what the archive holds', async () => {
    const parts = await grown([900]);
    parts.store.raw.exec(
      `update ledger_events set entry = cast(replace(cast(entry as text), '"allow"', '"deny"') as blob) where sequence = 300`,
    );
    await expect(parts.ledger.prune(by, fixture.clock.now())).rejects.toMatchObject({ code: 'conflict' });
    expect(await kept(parts.store)).toMatchObject({ first: 257 });
    await end(parts);
  });

  it.each(['before', 'after'] as const)(
    'interrupted %s a commit leaves a whole prefix removed, and goes on from there',
    async (moment) => {
      let left = 1;
      const fault: Fault = (step, when) => {
        if (step === 'prune.commit' && when === moment && left-- === 0) throw new Error('cut off');
      };
      const parts = await grown([900], fault);
      await expect(parts.ledger.prune(by, fixture.clock.now())).rejects.toThrow('cut off');
      expect(parts.store.raw.isTransaction).toBe(false);
      expect(await kept(parts.store)).toMatchObject({ first: moment === 'before' ? 257 : 513 });
      await parts.store.close();
      const again = await fixture.open();
      expect(await again.ledger.prune(by, fixture.clock.now())).toMatchObject({ firstIndex: 768 });
      await end(again);
      expect(await verified()).toMatchObject({ ok: true });
    },
  );
});

describe('what was pruned', () => {
  it('still has its receipt, made from the archive', async () => {
    const parts = await grown([300, 300, 300]);
    const { ledger, ids } = parts;
    await ledger.prune(by, fixture.clock.now());
    for (const id of [ids[0], ids[254], ids[255], ids[700]]) {
      const receipt = await ledger.receipt(id ?? ('' as EventId));
      const verdict = verifyReceipt(receipt, null, fixture.signer.verifierKey);
      expect(verdict).toMatchObject({ ok: true });
      expect(verdict.ok && Buffer.from(verdict.entry).toString()).toContain(`"uid":"${id}"`);
    }
    expect(await ledger.eventById(ids[0] ?? ('' as EventId))).toBeNull();
    await expect(ledger.receipt('evt_01jz0000000000000000000000' as EventId)).rejects.toMatchObject({
      code: 'not_found',
    });
    await end(parts);
  });

  it('is no longer found by a search, and what is kept is', async () => {
    const parts = await grown([600]);
    const { ledger, ids } = parts;
    await ledger.prune(by, fixture.clock.now());
    const found = async (id: string) => (await ledger.search({ ids: [id] }, { limit: 5 })).events.length;
    expect([await found('dec_3'), await found('dec_590')]).toEqual([0, 1]);
    expect(ids).toHaveLength(600);
    await end(parts);
  });

  it('is taken from the archive when tiles have to be made again; without it a start refuses', async () => {
    const parts = await grown([900]);
    await parts.ledger.prune(by, fixture.clock.now());
    await end(parts);
    rmSync(join(fixture.logDirectory, 'tile', '0'), { recursive: true });
    await end(await fixture.open());
    expect(await verified()).toMatchObject({ ok: true });
    rmSync(join(fixture.logDirectory, 'tile', 'entries', '000'));
    await expect(fixture.open()).rejects.toMatchObject({
      code: 'ledger_unavailable',
      message: expect.stringContaining('were pruned from the database') as string,
    });
  });
});
