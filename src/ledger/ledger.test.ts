import { readFileSync, writeFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EventId, DecisionId } from '../lib/ids.ts';
import type { CommittedChange, Tx } from '../store/changes.ts';
import { openSqliteStore, type Store } from '../store/sqlite.ts';
import type { Ledger } from './ledger.ts';
import { directorySource } from './sources/directory-source.ts';
import { attribution, decidedFact, LedgerFixture } from './testing/ledger-fixture.ts';
import { sampleChanges } from './testing/sample-facts.ts';
import { verifyLog } from './verify/verify-log.ts';
import { verifyReceipt } from './verify/verify-receipt.ts';

const fixture = { current: new LedgerFixture() };
let store: Store;
let ledger: Ledger;

beforeEach(async () => {
  fixture.current = new LedgerFixture();
  ({ store, ledger } = await fixture.current.open());
});

afterEach(async () => {
  await ledger.close();
  await store.close();
  fixture.current.remove();
});

const created = sampleChanges['container.created'];
const verified = () => verifyLog(directorySource(fixture.current.logDirectory), ledger.verifierKey);

async function put(tx: Tx, key: string): Promise<void> {
  await tx.insertInto('meta').values({ key, value: 'x' }).execute();
}

async function keys(): Promise<string[]> {
  const rows = await store.db.selectFrom('meta').select('key').orderBy('key').execute();
  return rows.map((row) => row.key);
}

async function events(): Promise<number> {
  return (await ledger.eventsAfter(0, 10_000)).length;
}

describe('a commit', () => {
  it('makes the rows and one event per change durable together, and answers what the work answers', async () => {
    const answer = await ledger.commit(attribution(), async (tx, record) => {
      await put(tx, 'a');
      record(created);
      record(sampleChanges['blob.written']);
      return 'answer';
    });
    expect(answer).toBe('answer');
    expect(await keys()).toEqual(['a']);
    const feed = await ledger.eventsAfter(0, 10);
    expect(feed.map((event) => event.classUid)).toEqual([6005, 6005]);
    expect(feed.map((event) => event.sequence)).toEqual([1, 2]);
    expect(ledger.lastSequence()).toBe(2);
  });

  it('leaves nothing behind when the work throws, and passes its error on', async () => {
    const seen: CommittedChange[] = [];
    ledger.follow((committed) => seen.push(...committed));
    const error = new Error('changed my mind');
    await expect(
      ledger.commit(attribution(), async (tx, record) => {
        await put(tx, 'a');
        record(created);
        throw error;
      }),
    ).rejects.toBe(error);
    expect([await keys(), await events(), seen]).toEqual([[], 0, []]);
    expect(ledger.health()).toEqual({ state: 'ok' });
  });

  it('leaves nothing behind when an event cannot be made', async () => {
    const { definition } = sampleChanges['role-definition.put'];
    const change = {
      kind: 'role-definition.put',
      definition: { ...definition, description: 'x'.repeat(70_000) },
    } as const;
    await expect(
      ledger.commit(attribution(), async (tx, record) => {
        await put(tx, 'a');
        record(change);
      }),
    ).rejects.toMatchObject({ code: 'too_large' });
    expect([await keys(), await events()]).toEqual([[], 0]);
  });

  it('refuses a change that is recorded, or a row that is written, after it has ended', async () => {
    let late: (() => Promise<void>) | null = null;
    await ledger.commit(attribution(), async (tx, record) => {
      record(created);
      late = async () => {
        await put(tx, 'late');
      };
      await Promise.resolve();
      setImmediate(() => expect(() => record(created)).toThrow(/after its transaction had ended/));
    });
    await expect(late!()).rejects.toThrow();
    expect([await keys(), await events()]).toEqual([[], 1]);
  });

  it('calls followers after the commit, in the order of the feed, before anyone is told', async () => {
    const seen: number[] = [];
    ledger.follow((committed) => {
      expect(store.raw.isTransaction).toBe(false);
      seen.push(...committed.map(({ sequence }) => sequence));
    });
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        await ledger.commit(attribution(), async (tx, record) => {
          record(created);
          if (i % 3 === 0) await put(tx, `k${i}`);
          record(sampleChanges['container.deleted']);
        });
        expect(seen.length).toBeGreaterThanOrEqual(2);
        if (i % 2 === 0) await ledger.record(decidedFact());
      }),
    );
    expect(seen).toHaveLength(80);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('lets nobody read between the commit and its followers', async () => {
    let applied = 0;
    ledger.follow((committed) => {
      applied += committed.length;
    });
    const reads: [number, number][] = [];
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        await ledger.commit(attribution(), async (_, record) => record(created));
        await store.db.connection().execute(async () => {
          const row = store.raw.prepare('select count(*) as n from ledger_events').get();
          reads.push([Number(row?.['n']), applied]);
        });
      }),
    );
    for (const [rows, told] of reads) expect(told).toBe(rows);
  });

  it('stops calling a follower that has left', async () => {
    let calls = 0;
    const leave = ledger.follow(() => {
      calls += 1;
    });
    await ledger.commit(attribution(), async (_, record) => record(created));
    leave();
    await ledger.commit(attribution(), async (_, record) => record(created));
    expect(calls).toBe(1);
  });

  it('refuses everything once a follower has failed to apply a change', async () => {
    ledger.follow(() => {
      throw new Error('lost step');
    });
    await ledger.commit(attribution(), async (_, record) => record(created));
    expect(ledger.health()).toMatchObject({ state: 'failing', error: 'follow: lost step' });
    await expect(ledger.record(decidedFact())).rejects.toMatchObject({ code: 'ledger_unavailable' });
    await expect(ledger.commit(attribution(), async () => undefined)).rejects.toMatchObject({
      code: 'ledger_unavailable',
    });
  });
});

describe('recording', () => {
  it('shares transactions among what arrives together', async () => {
    let commits = 0;
    await ledger.close();
    ({ ledger } = await fixture.current.open({
      store,
      fault: (step, moment) => {
        if (step === 'record.commit' && moment === 'after') commits += 1;
      },
    }));
    const ids = await Promise.all(Array.from({ length: 64 }, () => ledger.record(decidedFact())));
    expect(new Set(ids).size).toBe(64);
    expect(await events()).toBe(64);
    // The second half is written while the first waits for the disk.
    expect(commits).toBe(2);
    await Promise.all(
      Array.from({ length: 64 }, async () => {
        for (let i = 0; i < 10; i++) await ledger.record(decidedFact());
      }),
    );
    expect(await events()).toBe(704);
    expect(commits).toBeLessThanOrEqual(2 + 22);
  });

  it('never lands inside a transaction that is rolled back', async () => {
    const recorded: Promise<EventId>[] = [];
    const failing = ledger.commit(attribution(), async (tx, record) => {
      record(created);
      recorded.push(ledger.record(decidedFact()));
      await put(tx, 'a');
      await new Promise(setImmediate);
      recorded.push(ledger.record(decidedFact()));
      await new Promise(setImmediate);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    const ids = await Promise.all(recorded);
    expect((await ledger.eventsAfter(0, 10)).map((event) => event.id)).toEqual(ids);
  });

  it('finds events by id, decision and job', async () => {
    const { lease } = sampleChanges['lease.started'];
    const decisionId = 'dec_other' as DecisionId;
    const id = await ledger.record(
      decidedFact({ attribution: attribution({ decisionId, chain: lease.chain }) }),
    );
    await ledger.record(decidedFact());
    await ledger.commit(attribution(), async (_, record) => record(sampleChanges['job.status']));
    expect(await ledger.eventById(id)).toMatchObject({ id, decisionId, jobId: lease.jobId, classUid: 6003 });
    expect(await ledger.eventById('evt_none' as EventId)).toBeNull();
    expect((await ledger.eventsByDecision(decisionId)).map((event) => event.id)).toEqual([id]);
    expect((await ledger.eventsByJob(lease.jobId)).map((event) => event.classUid)).toEqual([6003, 3004]);
    expect((await ledger.eventsAfter(1, 1)).map((event) => event.sequence)).toEqual([2]);
  });
});

describe('when the disk is full or slow', () => {
  it('refuses with storage_full, loses nothing acknowledged, and goes on when there is room again', async () => {
    const acknowledged: EventId[] = [];
    const pages = Number(store.raw.prepare('pragma page_count').get()?.['page_count']);
    store.raw.exec(`pragma max_page_count = ${pages + 20}`);
    let refusal: unknown = null;
    for (let i = 0; i < 500 && refusal === null; i++) {
      try {
        acknowledged.push(await ledger.record(decidedFact()));
      } catch (error) {
        refusal = error;
      }
    }
    expect(refusal).toMatchObject({ code: 'storage_full' });
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(ledger.health()).toMatchObject({ state: 'failing' });

    const seen: CommittedChange[] = [];
    ledger.follow((committed) => seen.push(...committed));
    await expect(
      ledger.commit(attribution(), async (tx, record) => {
        for (let i = 0; i < 200; i++) record(created);
        await put(tx, 'a');
      }),
    ).rejects.toMatchObject({ code: 'storage_full' });
    await expect(
      ledger.commit(attribution(), async (tx, record) => {
        record(created);
        await tx
          .insertInto('meta')
          .values({ key: 'big', value: 'x'.repeat(400_000) })
          .execute();
      }),
    ).rejects.toMatchObject({ code: 'storage_full' });
    expect([await keys(), seen]).toEqual([[], []]);

    store.raw.exec(`pragma max_page_count = 1000000`);
    acknowledged.push(await ledger.record(decidedFact()));
    expect(ledger.health()).toEqual({ state: 'ok' });
    expect((await ledger.eventsAfter(0, 1_000)).map((event) => event.id)).toEqual(acknowledged);
    await ledger.integrate();
    expect(await verified()).toMatchObject({ ok: true, size: acknowledged.length });
  });

  /** A ledger whose disk keeps nothing until `disk` says so. */
  async function waitingFor(disk: () => Promise<void>, patienceMilliseconds = 60_000): Promise<void> {
    await ledger.close();
    await store.close();
    const path = join(fixture.current.home, 'lockstep.db');
    const opened = await openSqliteStore({ path });
    const journal = {
      ...opened.journal,
      synced: async () => disk().then(async () => opened.journal.synced()),
    };
    const publishIntervalMilliseconds = 1_000_000;
    ({ ledger, store } = await fixture.current.open({
      store: { ...opened, journal },
      patienceMilliseconds,
      publishIntervalMilliseconds,
    }));
  }

  it('neither acknowledges an event nor tells of it before it is on the disk, and writes what comes meanwhile together', async () => {
    let kept: () => void = () => undefined;
    let disk = Promise.resolve();
    await waitingFor(() => disk);
    disk = new Promise((resolve) => (kept = resolve));
    const happened: string[] = [];
    const note = async (what: string, of: Promise<unknown>) => {
      await of;
      happened.push(what);
    };
    const rows = () => Number(store.raw.prepare('select count(*) as n from ledger_events').get()?.['n']);
    const first = note('first', ledger.record(decidedFact()));
    await vi.waitUntil(() => rows() === 1, { timeout: 30_000 });
    const told = note('told', ledger.eventsAfter(0, 10));
    const found = note('found', ledger.search({}, { limit: 10 }));
    const later = [1, 2, 3].map((i) => note(`later ${i}`, ledger.record(decidedFact())));
    for (let i = 0; i < 50; i++) await turn();
    const before = [[...happened], rows(), ledger.lastSequence()];
    disk = Promise.resolve();
    kept();
    expect(before).toEqual([[], 1, 0]);
    await Promise.all([first, told, found, ...later]);
    expect([rows(), ledger.lastSequence()]).toEqual([4, 4]);
    expect(happened[0]).toBe('first');
  });

  it('writes what is enough for a transaction while another waits for the disk, and no third', async () => {
    let kept: () => void = () => undefined;
    let disk = Promise.resolve();
    await waitingFor(() => disk);
    disk = new Promise((resolve) => (kept = resolve));
    const rows = () => Number(store.raw.prepare('select count(*) as n from ledger_events').get()?.['n']);
    const settle = async () => {
      for (let i = 0; i < 50; i++) await turn();
    };
    const told: number[] = [];
    let sent = 0;
    const send = (count: number) => {
      for (let i = 0; i < count; i++) {
        const which = sent++;
        void ledger.record(decidedFact()).then(() => told.push(which));
      }
    };
    send(1);
    await vi.waitUntil(() => rows() === 1, { timeout: 30_000 });
    send(31);
    await settle();
    const few = rows();
    send(1);
    await settle();
    const enough = rows();
    send(100);
    await settle();
    const more = [rows(), ledger.lastSequence(), [...told]];
    disk = Promise.resolve();
    kept();
    expect([few, enough]).toEqual([1, 33]);
    expect(more).toEqual([33, 0, []]);
    await vi.waitUntil(() => told.length === 133, { timeout: 30_000 });
    expect(told).toEqual(Array.from({ length: 133 }, (_, i) => i));
    expect([rows(), ledger.lastSequence()]).toEqual([133, 133]);
  });

  it('refuses what is new while the disk does not keep up, writes what it has taken, and goes on', async () => {
    let kept: () => void = () => undefined;
    let disk = Promise.resolve();
    await waitingFor(() => disk, 1_000);
    disk = new Promise((resolve) => (kept = resolve));
    const taken = Array.from({ length: 20 }, () => ledger.record(decidedFact()));
    let refused: unknown = null;
    while (refused === null) {
      await turn();
      const one = ledger.record(decidedFact());
      taken.push(one);
      // A refusal rejects at once; what is taken waits for the disk.
      refused = await Promise.race([
        one.then(
          () => null,
          (error: unknown) => error,
        ),
        turn(null),
      ]);
    }
    void taken.pop();
    expect(refused).toMatchObject({
      code: 'ledger_unavailable',
      message: expect.stringContaining('the disk does not keep up') as string,
    });
    expect(ledger.health()).toMatchObject({ state: 'failing' });
    disk = Promise.resolve();
    kept();
    const ids = await Promise.all(taken);
    ids.push(await ledger.record(decidedFact()));
    expect(ledger.health()).toEqual({ state: 'ok' });
    const present = new Set((await ledger.eventsAfter(0, 100_000)).map(({ id }) => id));
    expect(ids.filter((id) => !present.has(id))).toEqual([]);
  });

  it('does not take it for a slow disk that the event loop was held', async () => {
    await waitingFor(() => Promise.resolve(), 50);
    const taken = [ledger.record(decidedFact())];
    const free = performance.now() + 120;
    while (performance.now() < free);
    for (let i = 0; i < 2000; i++) taken.push(ledger.record(decidedFact()));
    const ids = await Promise.all(taken);
    expect(new Set(ids).size).toBe(2001);
    expect(ledger.health()).toEqual({ state: 'ok' });
  });

  it('is refused when the disk did not keep it, and all that comes until a restart', async () => {
    let disk = Promise.resolve();
    await waitingFor(() => disk);
    const id = await ledger.record(decidedFact());
    disk = Promise.reject(new Error('EIO'));
    disk.catch(() => undefined);
    await expect(ledger.record(decidedFact())).rejects.toMatchObject({ code: 'ledger_unavailable' });
    expect(ledger.health()).toMatchObject({
      state: 'failing',
      error: expect.stringContaining('sync') as string,
    });
    disk = Promise.resolve();
    await expect(ledger.record(decidedFact())).rejects.toMatchObject({ code: 'ledger_unavailable' });
    await expect(ledger.commit(attribution(), async () => undefined)).rejects.toMatchObject({
      code: 'ledger_unavailable',
    });
    await ledger.close().catch(() => undefined);
    await store.close();
    ({ ledger, store } = await fixture.current.open());
    expect((await ledger.eventsAfter(0, 10))[0]).toMatchObject({ id });
    expect(ledger.health()).toEqual({ state: 'ok' });
    expect(await verified()).toMatchObject({ ok: true });
  });

  it('lets nothing out when work goes on after SQLite has given its transaction up', async () => {
    await expect(
      ledger.commit(attribution(), async (tx, record) => {
        await put(tx, 'a');
        store.raw.exec('rollback');
        record(created);
      }),
    ).rejects.toMatchObject({ code: 'ledger_unavailable' });
    expect([await keys(), await events()]).toEqual([[], 0]);
  });
});

describe('the log', () => {
  it('is published by itself soon after an event, and is signed', async () => {
    await ledger.record(decidedFact());
    const started = Date.now();
    for (;;) {
      const verdict = await verified();
      if (verdict.ok && verdict.size === 1) break;
      expect(Date.now() - started).toBeLessThan(30_000);
      await new Promise(setImmediate);
    }
  });

  it('grows over full tiles and closes complete', async () => {
    for (let i = 0; i < 5; i++) {
      await Promise.all(Array.from({ length: 130 }, () => ledger.record(decidedFact())));
      await ledger.integrate();
    }
    await Promise.all(Array.from({ length: 60 }, () => ledger.record(decidedFact())));
    await ledger.close();
    expect(await verified()).toMatchObject({ ok: true, size: 710 });
    await expect(ledger.record(decidedFact())).rejects.toMatchObject({ code: 'ledger_unavailable' });
  });

  it('places events in the order of the feed', async () => {
    await Promise.all(Array.from({ length: 30 }, () => ledger.record(decidedFact())));
    await ledger.integrate();
    const feed = await ledger.eventsAfter(0, 100);
    expect(feed.map((event) => event.leafIndex)).toEqual(feed.map((_, i) => i));
  });

  it('gives a receipt that stands alone, for an event not yet published too', async () => {
    const early = await ledger.record(decidedFact());
    for (let i = 0; i < 3; i++) {
      await Promise.all(Array.from({ length: 100 }, () => ledger.record(decidedFact())));
    }
    const late = await ledger.record(decidedFact({ path: '/late' }));
    for (const id of [late, early]) {
      const receipt = await ledger.receipt(id);
      const verdict = verifyReceipt(receipt, null, ledger.verifierKey);
      expect(verdict).toMatchObject({ ok: true });
      expect(verdict.ok ? Buffer.from(verdict.entry).toString() : '').toContain(id);
    }
    await expect(ledger.receipt('evt_none' as EventId)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('gives the receipt of what the log holds, though its row was altered', async () => {
    const id = await ledger.record(decidedFact());
    await ledger.integrate();
    store.raw.exec(`update ledger_events set entry = cast(replace(entry, '"allow"', '"deny"') as blob)`);
    const verdict = verifyReceipt(await ledger.receipt(id), null, ledger.verifierKey);
    expect(verdict.ok && Buffer.from(verdict.entry).toString()).toContain('"allow"');
  });

  it('gives no receipt where the log contradicts itself', async () => {
    const [id] = await Promise.all([ledger.record(decidedFact()), ledger.record(decidedFact())]);
    await ledger.integrate();
    const path = join(fixture.current.logDirectory, 'tile/0/000.p/2');
    // Of the hash of the other entry, which proves this one.
    const hashes = readFileSync(path);
    hashes[40] = (hashes[40] ?? 0) ^ 1;
    writeFileSync(path, hashes);
    await expect(ledger.receipt(id)).rejects.toMatchObject({ code: 'internal' });
  });
});
