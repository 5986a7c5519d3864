import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventId } from '../../lib/ids.ts';
import type { Fault, StorageStep } from '../faults.ts';
import { openingSteps, storageSteps } from '../faults.ts';
import { generateNoteKey } from '../note.ts';
import { directorySource } from '../sources/directory-source.ts';
import { attribution, decidedFact, LedgerFixture, origin } from '../testing/ledger-fixture.ts';
import { sampleChanges } from '../testing/sample-facts.ts';
import { verifyConsistency } from '../verify/verify-consistency.ts';
import { verifyLog } from '../verify/verify-log.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';

let fixture: LedgerFixture;
beforeEach(() => {
  fixture = new LedgerFixture();
});
afterEach(() => fixture.remove());

const checkpointPath = () => join(fixture.logDirectory, 'checkpoint');
const verified = () => verifyLog(directorySource(fixture.logDirectory), fixture.signer.verifierKey);

async function grow(events: number): Promise<EventId[]> {
  const { ledger, store } = await fixture.open();
  const ids = await Promise.all(Array.from({ length: events }, () => ledger.record(decidedFact())));
  await ledger.close();
  await store.close();
  return ids;
}

/** Fails at the n-th passing of one step, before or after it has taken effect. */
function failingOnce(
  step: StorageStep,
  moment: 'before' | 'after',
  skip: number,
): Fault & { armed: boolean; fired: boolean } {
  let left = skip;
  const fault = Object.assign(
    (at: StorageStep, when: 'before' | 'after') => {
      if (!fault.armed || fault.fired || at !== step || when !== moment || left-- > 0) return;
      fault.fired = true;
      throw new Error(`${step} failed ${moment} it took effect`);
    },
    { armed: true, fired: false },
  );
  return fault;
}

describe('a storage step that fails', () => {
  // After `record.sync` nothing goes on: ledger.test.ts.
  const table = storageSteps
    .filter((step) => step !== 'record.sync')
    .flatMap((step) =>
      (['before', 'after'] as const).flatMap((moment) => [0, 2].map((skip) => [step, moment, skip] as const)),
    );

  it.each(table)(
    '%s, %s it takes effect, after %i passings: nothing acknowledged is lost and no fork is signed',
    async (step, moment, skip) => {
      await grow(250);
      const before = readFileSync(checkpointPath(), 'utf8');
      const fault = failingOnce(step, moment, skip);
      fault.armed = false;
      const { ledger, store } = await fixture.open({ fault, publishIntervalMilliseconds: 1_000_000 });
      fault.armed = true;
      const applied: number[] = [];
      ledger.follow((committed) => applied.push(...committed.map(({ sequence }) => sequence)));
      const acknowledged: EventId[] = [];
      let refused = 0;
      const notes = [before];
      for (let round = 0; round < 6; round++) {
        const outcomes = await Promise.allSettled([
          ledger.record(decidedFact()),
          ledger.record(decidedFact()),
          ledger.commit(attribution(), async (tx, record) => {
            await tx
              .insertInto('meta')
              .values({ key: `k${round}`, value: 'x' })
              .execute();
            record(sampleChanges['container.created']);
          }),
        ]);
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') refused += 1;
          else if (outcome.value !== undefined) acknowledged.push(outcome.value);
        }
        expect(store.raw.isTransaction).toBe(false);
        await ledger.integrate().catch(() => undefined);
        expect(store.raw.isTransaction).toBe(false);
        notes.push(readFileSync(checkpointPath(), 'utf8'));
      }
      expect(fault.fired).toBe(true);
      const changes = (await ledger.eventsAfter(0, 1_000)).filter((event) => event.classUid === 6005);
      const rows = await store.db.selectFrom('meta').selectAll().execute();
      expect(changes).toHaveLength(rows.length);
      expect(applied).toEqual(changes.map((event) => event.sequence));
      // Without close: the process has ended here.
      await store.close();

      const again = await fixture.open();
      const feed = await again.ledger.eventsAfter(0, 1_000);
      const ids = new Set(feed.map((event) => event.id));
      expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
      expect(feed).toHaveLength(250 + 18 - refused);
      expect(await verified()).toMatchObject({ ok: true, size: feed.length });
      for (const note of notes) {
        const verdict = await verifyConsistency(
          directorySource(fixture.logDirectory),
          note,
          fixture.signer.verifierKey,
        );
        expect(verdict).toMatchObject({ ok: true });
      }
      expect(again.ledger.health()).toEqual({ state: 'ok' });
      await again.ledger.close();
      await again.store.close();
      expect(readdirSync(join(fixture.logDirectory, '.tmp'))).toEqual([]);
    },
  );
});

describe('a start that fails', () => {
  const moments = ['before', 'after'] as const;
  const steps = [...openingSteps, 'lease.commit'] as const;
  it.each(steps.flatMap((step) => moments.map((moment) => [step, moment] as const)))(
    'at %s, %s it takes effect, leaves everything to the next start',
    async (step, moment) => {
      await grow(300);
      const before = readFileSync(checkpointPath(), 'utf8');
      await expect(fixture.open({ fault: failingOnce(step, moment, 0) })).rejects.toThrow(step);
      expect(readFileSync(checkpointPath(), 'utf8')).toBe(before);
      await grow(3);
      expect(await verified()).toMatchObject({ ok: true, size: 303 });
    },
  );

  it.each(moments)('at the return of the lease, %s it takes effect, ends nevertheless', async (moment) => {
    const fault = failingOnce('lease.release', moment, 0);
    const { ledger, store } = await fixture.open({ fault });
    await ledger.record(decidedFact());
    await ledger.close();
    await store.close();
    expect(fault.fired).toBe(true);
    await grow(2);
    expect(await verified()).toMatchObject({ ok: true, size: 3 });
  });
});

describe('a receipt', () => {
  it('of an event that has its place but not yet its checkpoint waits for the checkpoint', async () => {
    const fault = failingOnce('checkpoint.write', 'before', 1);
    const { ledger, store } = await fixture.open({ fault, publishIntervalMilliseconds: 1_000_000 });
    const id = await ledger.record(decidedFact());
    await expect(ledger.integrate()).rejects.toThrow('checkpoint.write');
    expect(ledger.health()).toMatchObject({ state: 'failing' });
    expect(await ledger.eventById(id)).toMatchObject({ leafIndex: 0 });
    expect(verifyReceipt(await ledger.receipt(id), null, ledger.verifierKey)).toMatchObject({
      ok: true,
      size: 1,
    });
    expect(ledger.health()).toEqual({ state: 'ok' });
    await ledger.close();
    await store.close();
  });
});

describe('a start', () => {
  it('publishes what a stop without warning had left unpublished', async () => {
    const { ledger, store } = await fixture.open({ publishIntervalMilliseconds: 1_000_000 });
    await ledger.record(decidedFact());
    await store.close();
    expect(await verified()).toMatchObject({ ok: true, size: 0 });
    await grow(0);
    expect(await verified()).toMatchObject({ ok: true, size: 1 });
  });

  it.each([0, 1, 255, 256, 257, 600])('goes on from %i entries', async (size) => {
    await grow(size);
    await grow(3);
    expect(await verified()).toMatchObject({ ok: true, size: size + 3 });
  });

  it('writes every tile again that is missing or damaged', async () => {
    await grow(600);
    const tile = join(fixture.logDirectory, 'tile');
    const whole = readdirSync(tile, { recursive: true, encoding: 'utf8' }).map((name) => join(tile, name));
    for (const path of whole.filter((name) => statSync(name).isFile())) {
      rmSync(path);
      await grow(0);
      expect(await verified()).toMatchObject({ ok: true, size: 600 });
    }
    writeFileSync(join(tile, '0', '002.p', '88'), Buffer.alloc(88 * 32));
    await grow(0);
    expect(await verified()).toMatchObject({ ok: true, size: 600 });
    rmSync(fixture.logDirectory, { recursive: true });
    await grow(1);
    expect(await verified()).toMatchObject({ ok: true, size: 601 });
  });

  it('goes over gaps in the sequence of the feed', async () => {
    await grow(3);
    const { ledger, store } = await fixture.open({ publishIntervalMilliseconds: 1_000_000 });
    await Promise.all(Array.from({ length: 9 }, () => ledger.record(decidedFact())));
    store.raw.exec(`delete from ledger_events where sequence in (5, 6, 9)`);
    await ledger.integrate();
    const feed = await ledger.eventsAfter(0, 100);
    expect(feed.map((event) => event.sequence)).toEqual([1, 2, 3, 4, 7, 8, 10, 11, 12]);
    expect(feed.map((event) => event.leafIndex)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    await ledger.close();
    await store.close();
    expect(await verified()).toMatchObject({ ok: true, size: 9 });
  });

  it('leaves no partial tile behind where there is a full one', async () => {
    await grow(200);
    await grow(200);
    const names = readdirSync(join(fixture.logDirectory, 'tile'), { recursive: true, encoding: 'utf8' });
    expect(names.filter((name) => name.includes('000.p') && !name.startsWith('1'))).toEqual([]);
  });

  it('refuses a database that is older than what has been published', async () => {
    await grow(10);
    const { store } = await fixture.open();
    store.raw.exec(`delete from ledger_events where sequence > 5`);
    store.raw.exec(`update ledger_runs set last_sequence = 5`);
    store.raw.exec(`update ledger_head set size = 5`);
    await store.close();
    const kept = readFileSync(checkpointPath(), 'utf8');
    await expect(fixture.open()).rejects.toMatchObject({
      code: 'ledger_unavailable',
      message: expect.stringContaining('older than the log') as string,
    });
    expect(readFileSync(checkpointPath(), 'utf8')).toBe(kept);
  });

  it('refuses a database with another history than what has been published', async () => {
    await grow(10);
    const kept = readFileSync(checkpointPath(), 'utf8');
    const other = new LedgerFixture();
    const { ledger, store } = await other.open({ signer: fixture.signer });
    await Promise.all(Array.from({ length: 12 }, () => ledger.record(decidedFact())));
    await ledger.close();
    await expect(
      other.open({ store, directory: fixture.logDirectory, signer: fixture.signer }),
    ).rejects.toMatchObject({
      code: 'ledger_unavailable',
      message: expect.stringContaining('is not of the entries') as string,
    });
    expect(readFileSync(checkpointPath(), 'utf8')).toBe(kept);
    other.remove();
  });

  it('refuses rows that do not add up to the head of the database', async () => {
    await grow(10);
    const { store } = await fixture.open();
    store.raw.exec(`update ledger_events set entry = x'00' where sequence = 4`);
    await store.close();
    rmSync(join(fixture.logDirectory, 'tile'), { recursive: true });
    await expect(fixture.open()).rejects.toMatchObject({ code: 'ledger_unavailable' });
    expect(readdirSync(fixture.logDirectory)).not.toContain('tile');
  });

  it('refuses a directory that another key has published in', async () => {
    await grow(3);
    const stranger = new LedgerFixture(generateNoteKey(origin).signingKey);
    await expect(fixture.open({ signer: stranger.signer })).rejects.toMatchObject({
      code: 'ledger_unavailable',
      message: expect.stringContaining('is not of this log') as string,
    });
    stranger.remove();
  });

  it('never signs beside another sequencer on the same database', async () => {
    const first = await fixture.open({ publishIntervalMilliseconds: 1_000_000 });
    const second = await fixture.open({ publishIntervalMilliseconds: 1_000_000 });
    for (let i = 0; i < 4; i++) {
      await first.ledger.record(decidedFact());
      await second.ledger.record(decidedFact());
      const notes: string[] = [];
      for (const { ledger } of [first, second]) {
        await ledger.integrate();
        notes.push(readFileSync(checkpointPath(), 'utf8'));
      }
      for (const note of notes) {
        const source = directorySource(fixture.logDirectory);
        expect(await verifyConsistency(source, note, fixture.signer.verifierKey)).toMatchObject({ ok: true });
      }
    }
    await first.ledger.integrate();
    await first.ledger.close();
    await first.store.close();
    await second.ledger.close();
    await second.store.close();
    await grow(0);
    expect(await verified()).toMatchObject({ ok: true, size: 8 });
  });
});
