import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openConnection, type Turns } from '../../store/connection.ts';
import { journalIn } from '../../store/journal.ts';
import { openSqliteStore } from '../../store/sqlite.ts';
import { systemClock } from '../../lib/clock.ts';
import { createLog } from '../../lib/log.ts';
import { endingAt, noFault } from '../faults.ts';
import { Health } from '../health.ts';
import { directorySource } from '../sources/directory-source.ts';
import { openKeyHouse } from '../testing/key-house.ts';
import { attribution, decidedFact, LedgerFixture, origin } from '../testing/ledger-fixture.ts';
import { segmentWidth } from '../search/postings.ts';
import { sampleChanges } from '../testing/sample-facts.ts';
import { walkKeys } from '../verify/key-history.ts';
import { verifyConsistency } from '../verify/verify-consistency.ts';
import { verifyLog } from '../verify/verify-log.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';
import { Sequencer } from '../sequence/sequencer.ts';
import { LedgerThread } from './ledger-thread.ts';

let fixture: LedgerFixture;
beforeEach(() => {
  fixture = new LedgerFixture();
});
afterEach(() => fixture.remove());

const databasePath = () => join(fixture.home, 'lockstep.db');
const read = (name: string) => readFileSync(join(fixture.logDirectory, name), 'utf8');
const verified = () => verifyLog(directorySource(fixture.logDirectory), fixture.signer.verifierKey);
const inThread = { inThread: true, clock: systemClock } as const;

describe('a ledger that a thread publishes', () => {
  it('is published soon after an event by itself, at once when asked, and to its end when it is closed', async () => {
    const { ledger, store } = await fixture.open(inThread);
    await Promise.all(Array.from({ length: 300 }, () => ledger.record(decidedFact())));
    await vi.waitUntil(() => ledger.checkpoint()?.split('\n')[1] === '300', { timeout: 30_000 });
    const id = await ledger.record(decidedFact());
    expect(verifyReceipt(await ledger.receipt(id), null, ledger.verifierKey)).toMatchObject({ ok: true });
    const last = Array.from({ length: 700 }, () => ledger.record(decidedFact()));
    await ledger.close();
    await Promise.all(last);
    await store.close();
    expect(await verified()).toMatchObject({ ok: true, size: 1_001 });
    expect(ledger.health()).toEqual({ state: 'ok' });
  });

  it('follows an exchange of keys, each step under the keys that are to sign it', async () => {
    const house = await openKeyHouse(fixture.home, { ledger: { inThread: true } });
    const first = house.ledger.verifierKey;
    await house.ledger.record(decidedFact());
    await house.ledger.integrate();
    await house.exchange.begin(attribution(), { kind: 'planned', overlapMilliseconds: 0 });
    await house.ledger.record(decidedFact());
    await house.ledger.integrate();
    const walk = walkKeys(read('key-history'), [first]);
    if (!walk.ok) throw new Error(walk.reason);
    expect(house.ledger.verifierKey).toBe(walk.current);
    expect(walk.current).not.toBe(first);
    expect(await verifyLog(directorySource(fixture.logDirectory), [walk.current])).toMatchObject({
      ok: true,
    });
    await house.close();
  });

  it('finds what has just been recorded, page by page, as one does that searches within', async () => {
    const { ledger, store } = await fixture.open({ ...inThread, publishIntervalMilliseconds: 1_000_000 });
    const ids = await Promise.all(Array.from({ length: 40 }, () => ledger.record(decidedFact())));
    const filter = { decision: 'allow', person: attribution().chain[0]?.id } as const;
    const first = await ledger.search(filter, { limit: 25 });
    const second = await ledger.search(filter, { limit: 25, before: first.next ?? 0 });
    expect([...first.events, ...second.events].map(({ sequence }) => sequence)).toEqual(
      ids.map((_, i) => ids.length - i),
    );
    expect(second.next).toBe(null);
    const related = await ledger.search({ ids: [String(ids[7])] }, { limit: 100 });
    expect(related.events.map(({ sequence }) => sequence)).toContain(8);
    await ledger.close();
    await store.close();
    const within = await fixture.open();
    const same = await within.ledger.search(filter, { limit: 25 });
    expect(first).toEqual(same);
    await within.ledger.close();
    await within.store.close();
  });

  it('stops looking when nobody waits any more', async () => {
    const { ledger, store } = await fixture.open(inThread);
    await ledger.record(decidedFact());
    const stop = new AbortController();
    const looking = ledger.search({}, { limit: 5, signal: stop.signal });
    const reason = new Error('gone');
    stop.abort(reason);
    await expect(looking).rejects.toBe(reason);
    await expect(ledger.search({}, { limit: 5, signal: stop.signal })).rejects.toBe(reason);
    expect((await ledger.search({}, { limit: 5 })).events).toHaveLength(1);
    await ledger.close();
    await store.close();
  });

  it('reads no further events for a search that is stopped', async () => {
    const written = await fixture.open(inThread);
    const count = 6_000;
    const apart = 20;
    await Promise.all(Array.from({ length: count }, () => written.ledger.record(decidedFact())));
    await written.ledger.close();
    // Of these rows the thread tells each time that it reads one: they are not what the log holds.
    const spoil = `update ledger_events set entry = cast(replace(cast(entry as text), '"allowed":true', '"allowed":false') as blob) where sequence % ? = 0`;
    written.store.raw.prepare(spoil).run(apart);
    let read = 0;
    let onRead: () => void = () => undefined;
    const thread = new LedgerThread({
      store: written.store,
      directory: fixture.logDirectory,
      origin,
      signer: fixture.signer,
      health: new Health(systemClock),
      log: createLog('silent'),
      checkpointPath: 'checkpoint',
      onPublished: () => undefined,
      onAltered: () => {
        read += 1;
        onRead();
      },
      onEnded: () => undefined,
    });
    await thread.open();
    const all = { limit: 1_000_000 };
    expect((await thread.search.find({}, all)).events).toHaveLength(count);
    expect(read).toBeGreaterThanOrEqual(count / apart);

    read = 0;
    const stop = new AbortController();
    const reason = new Error('gone');
    onRead = () => {
      if (read === 2) stop.abort(reason);
    };
    await expect(thread.search.find({}, { ...all, signal: stop.signal })).rejects.toBe(reason);
    expect(read).toBeGreaterThanOrEqual(2);
    expect(read).toBeLessThan(count / apart / 2);
    // And it stays so, while the thread answers others.
    const readUntilStopped = read;
    expect((await thread.search.find({ person: 'nobody' }, all)).events).toEqual([]);
    await thread.integrate();
    expect(read).toBe(readUntilStopped);
    await thread.leave();
    await written.store.close();
  });

  it('forgets in its index what has been pruned', async () => {
    const { ledger, store } = await fixture.open(inThread);
    // The index is made, and forgotten, by so many events at a time.
    await Promise.all(Array.from({ length: segmentWidth + 300 }, () => ledger.record(decidedFact())));
    await ledger.commit(attribution(), (_tx, record) => {
      record(sampleChanges['container.created']);
      return Promise.resolve();
    });
    await ledger.integrate();
    await ledger.search({}, { limit: 1 });
    const indexed = () =>
      ['ledger_segments', 'ledger_postings'].map((table) =>
        Number(store.raw.prepare(`select count(*) as n from ${table}`).get()?.['n']),
      );
    expect(indexed().every((count) => count > 0)).toBe(true);
    expect(await ledger.prune(attribution(), Date.now() + 1)).toMatchObject({ rows: segmentWidth + 256 });
    expect(indexed()).toEqual([0, 0]);
    const { events } = await ledger.search({}, { limit: 1_000 });
    expect(events.at(-1)).toMatchObject({ sequence: segmentWidth + 257 });
    await ledger.close();
    await store.close();
  });

  it('does not keep the process alive', async () => {
    const program = join(import.meta.dirname, '..', 'testing', 'leaving-child.ts');
    const child = spawn(process.execPath, [program, fixture.home], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('refuses to be of a database that only this connection has', async () => {
    const store = await openSqliteStore({ path: ':memory:' });
    await expect(fixture.open({ ...inThread, store })).rejects.toThrow('in memory');
  });
});

describe('a thread that ends', () => {
  const steps = ['lease.commit', 'sequence.commit', 'tile.rename', 'checkpoint.rename', 'published.commit'];
  it.each(steps.flatMap((step) => ['before', 'after'].map((moment) => [step, moment] as const)))(
    'at %s, %s it takes effect, refuses what waits for it and nothing else, and is followed by another',
    async (step, moment) => {
      // The lease is looked at twice while it is opened, the rest once.
      const skip = step === 'lease.commit' ? 2 : 1;
      const threadEnding = { step, moment, skip, ends: 'thread' } as const;
      const { ledger, store } = await fixture.open({
        ...inThread,
        threadEnding,
        publishIntervalMilliseconds: 1_000_000,
      });
      await ledger.record(decidedFact());
      const refusals: unknown[] = [];
      for (let i = 0; i < 3 && refusals.length === 0; i++) {
        await ledger.record(decidedFact());
        await ledger.integrate().catch((error: unknown) => refusals.push(error));
      }
      expect(refusals).toMatchObject([{ code: 'ledger_unavailable' }]);
      expect(ledger.health()).toMatchObject({ state: 'failing' });
      expect((await ledger.search({}, { limit: 10 })).events).not.toEqual([]);
      const left = read('checkpoint');

      await ledger.record(decidedFact());
      await ledger.commit(attribution(), (_tx, record) => {
        record(sampleChanges['container.created']);
        return Promise.resolve();
      });
      await ledger.integrate();
      expect(ledger.health()).toEqual({ state: 'ok' });
      const size = (await ledger.eventsAfter(0, 100)).length;
      expect(await verified()).toMatchObject({ ok: true, size });
      const source = directorySource(fixture.logDirectory);
      expect(await verifyConsistency(source, left, ledger.verifierKey)).toMatchObject({ ok: true });
      await ledger.close();
      await store.close();
    },
  );

  it('is followed by another without being asked for', async () => {
    const threadEnding = { step: 'sequence.commit', moment: 'before', skip: 0, ends: 'thread' } as const;
    const { ledger, store } = await fixture.open({ ...inThread, threadEnding });
    await ledger.record(decidedFact());
    await vi.waitUntil(() => ledger.checkpoint()?.split('\n')[1] === '1', { timeout: 30_000 });
    await vi.waitUntil(() => ledger.health().state === 'ok', { timeout: 30_000 });
    await ledger.close();
    await store.close();
    expect(await verified()).toMatchObject({ ok: true, size: 1 });
  });

  it('while it is opened, opens nothing and leaves everything to the next start', async () => {
    const threadEnding = { step: 'scratch.prepare', moment: 'after', skip: 0, ends: 'thread' } as const;
    await expect(fixture.open({ ...inThread, threadEnding })).rejects.toMatchObject({
      code: 'ledger_unavailable',
    });
    const { ledger, store } = await fixture.open(inThread);
    await ledger.record(decidedFact());
    await ledger.close();
    await store.close();
    expect(await verified()).toMatchObject({ ok: true, size: 1 });
  });
});

describe('a disk that did not keep something', () => {
  it('and told the process: the thread publishes nothing more, and everything is refused', async () => {
    const { ledger, store } = await fixture.open({ ...inThread, publishIntervalMilliseconds: 1_000_000 });
    await ledger.record(decidedFact());
    await ledger.integrate();
    const before = read('checkpoint');
    const inFlight = [ledger.record(decidedFact()), ledger.integrate()];
    store.journal.lose(new Error('EIO'));
    const outcomes = await Promise.allSettled(inFlight);
    expect(outcomes[0]?.status).toBe('rejected');
    const rejection = { code: 'ledger_unavailable' };
    await expect(ledger.record(decidedFact())).rejects.toMatchObject(rejection);
    await expect(ledger.commit(attribution(), () => Promise.resolve())).rejects.toMatchObject(rejection);
    await expect(ledger.integrate()).rejects.toMatchObject(rejection);
    expect(ledger.health()).toMatchObject({ state: 'failing' });
    await ledger.close();
    await store.close();
    expect(read('checkpoint')).toBe(before);
  });

  it('and told the thread: everything is refused', async () => {
    await (await fixture.open(inThread)).ledger.close();
    // SQLite follows the link; the journal beside the link, which the thread is to wait for, is none.
    const alias = join(fixture.home, 'alias.db');
    symlinkSync(databasePath(), alias);
    const opened = await openSqliteStore({ path: databasePath() });
    await expect(
      fixture.open({
        ...inThread,
        store: { ...opened, close: async () => undefined, database: { path: alias } },
      }),
    ).rejects.toThrow('did not keep');
    await expect(opened.journal.synced()).rejects.toThrow('did not keep');
    await opened.close();
  });
});

it('what another connection has written is not signed before a wait for the disk that began after it was read', async () => {
  const { ledger, store } = await fixture.open({ publishIntervalMilliseconds: 1_000_000 });
  await ledger.close();
  const raw = openConnection(store.database);
  const journal = journalIn(raw, store.database);
  let kept: () => void = () => undefined;
  const disk = new Promise<void>((resolve) => (kept = resolve));
  let isWaiting = false;
  const placed = raw.prepare('select 1 from ledger_runs');
  const beside: Turns = {
    raw,
    turn: async (act) => Promise.resolve().then(act),
    journal: {
      ...journal,
      synced: async () => {
        if (placed.get() !== undefined) {
          isWaiting = true;
          await disk;
        }
        await journal.synced();
      },
    },
  };
  const signed: string[] = [];
  const sign = (text: string) => {
    signed.push(text);
    return fixture.signer.sign(text);
  };
  const sequencer = new Sequencer({
    store: beside,
    directory: fixture.logDirectory,
    origin,
    signer: { ...fixture.signer, sign },
    clock: systemClock,
    fault: noFault,
    health: { worked: () => undefined, failed: () => undefined },
  });
  await sequencer.open();
  store.journal.deferred(() => {
    store.raw.exec('begin immediate');
    store.raw.exec(
      `insert into ledger_events (event_id, time, class_uid, entry) values ('evt_written', 1, 6003, x'7b7d')`,
    );
    store.raw.exec('commit');
  });
  const published = sequencer.integrate();
  await vi.waitUntil(() => isWaiting, { timeout: 30_000 });
  for (let i = 0; i < 50; i++) await turn();
  expect(signed).toEqual([]);
  kept();
  await published;
  expect(signed.map((text) => text.split('\n')[1])).toEqual(['1']);
  await sequencer.leave();
  await journal.close();
  raw.close();
  await store.close();
});

it('an ending that is told to another thread ends at its passing and not before', () => {
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  const fault = endingAt({ step: 'tile.write', moment: 'before', skip: 1 });
  fault('tile.write', 'before');
  fault('tile.write', 'after');
  expect(kill).not.toHaveBeenCalled();
  fault('tile.write', 'before');
  expect(kill).toHaveBeenCalledWith(process.pid, 'SIGKILL');
  kill.mockRestore();
});
