import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { openSqliteStore, type Store } from '../../store/sqlite.ts';
import { generateNoteKey } from '../note.ts';
import { directorySource } from '../sources/directory-source.ts';
import { decidedFact, LedgerFixture, origin } from '../testing/ledger-fixture.ts';
import { verifyConsistency } from '../verify/verify-consistency.ts';
import { verifyLog } from '../verify/verify-log.ts';
import { Lease, leaseMilliseconds, LeaseLost } from './lease.ts';

const { signingKey } = generateNoteKey(origin);
let fixture: LedgerFixture;
beforeEach(() => {
  fixture = new LedgerFixture(signingKey);
});
afterEach(() => fixture.remove());

describe('the lease', () => {
  let store: Store;
  let first: Lease;
  let second: Lease;
  beforeEach(async () => {
    store = await openSqliteStore({ path: ':memory:' });
    first = new Lease(store, 'one.example/1/a');
    second = new Lease(store, 'two.example/1/b');
  });
  afterEach(() => store.close());

  it('is of whoever asks first, until it has not been renewed in time', () => {
    expect(first.lead(1_000)).toBe('taken');
    expect(second.lead(1_001)).toEqual({ holder: 'one.example/1/a', until: 1_000 + leaseMilliseconds });
    expect(first.lead(1_000 + leaseMilliseconds - 100)).toBe('kept');
    expect(second.lead(1_000 + leaseMilliseconds)).toMatchObject({ holder: 'one.example/1/a' });
    expect(second.lead(1_000 + 2 * leaseMilliseconds)).toBe('taken');
    expect(() => {
      first.require();
    }).toThrow(LeaseLost);
    second.require();
    expect(first.lead(1_000 + 2 * leaseMilliseconds)).toMatchObject({ holder: 'two.example/1/b' });
  });

  it('is free at once when its holder lets go, and only its holder can', () => {
    first.lead(1_000);
    second.release();
    expect(second.lead(1_001)).toMatchObject({ holder: 'one.example/1/a' });
    first.release();
    expect(second.lead(1_002)).toBe('taken');
    first.release();
    second.require();
  });

  it('is not kept for ever by a clock that has been set back', () => {
    first.lead(1_000_000_000);
    expect(second.lead(1_000)).toBe('taken');
    expect(() => {
      first.require();
    }).toThrow(LeaseLost);
    // The holder's own: brought back to the time that it is.
    second.lead(0);
    expect(first.lead(leaseMilliseconds + 1)).toBe('taken');
  });

  it('is free at once when its holder was a process of this host that has ended', () => {
    const ended = new Lease(store, `${hostname()}/999999999/c`);
    const here = new Lease(store, `${hostname()}/1/d`);
    ended.lead(1_000);
    expect(here.lead(1_001)).toBe('taken');
    // Process 1 runs.
    expect(new Lease(store, `${hostname()}/999999999/c`).lead(1_002)).toMatchObject({ until: 6_001 });
  });
});

describe('several processes on one database', () => {
  const checkpoint = (): string => readFileSync(join(fixture.logDirectory, 'checkpoint'), 'utf8');
  const sizeOf = (note: string): number => Number(note.split('\n')[1]);
  const expectGrowth = async (notes: readonly string[]): Promise<void> => {
    const source = directorySource(fixture.logDirectory);
    for (const note of new Set(notes)) {
      expect(await verifyConsistency(source, note, fixture.signer.verifierKey)).toMatchObject({ ok: true });
    }
    expect(notes.map(sizeOf)).toEqual(notes.map(sizeOf).toSorted((a, b) => a - b));
  };

  interface Appending {
    readonly signal: (name: NodeJS.Signals) => void;
    readonly acknowledged: readonly string[];
    readonly end: () => Promise<void>;
  }

  const running: Appending[] = [];
  afterEach(async () => {
    for (const each of running.splice(0)) await each.end();
  });

  /** Stops it at a moment at which it does not hold the database itself: of that nobody could free the others. */
  async function hang(process: Appending): Promise<void> {
    const probe = new DatabaseSync(join(fixture.home, 'lockstep.db'), { timeout: 100 });
    for (;;) {
      process.signal('SIGSTOP');
      await sleep(50);
      try {
        probe.exec('begin immediate');
        probe.exec('rollback');
        break;
      } catch {
        process.signal('SIGCONT');
        await sleep(randomInt(5, 30));
      }
    }
    probe.close();
  }

  async function appendingProcess(): Promise<Appending> {
    const program = join(import.meta.dirname, '..', 'testing', 'appending-child.ts');
    const child = spawn(process.execPath, [program, fixture.home, signingKey], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const acknowledged: string[] = [];
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => acknowledged.push(line));
    const appending: Appending = {
      signal: (name) => child.kill(name),
      acknowledged,
      end: async () => {
        child.kill('SIGKILL');
        await exited;
      },
    };
    running.push(appending);
    await once(lines, 'line');
    return appending;
  }

  it('one that hangs loses the lease, and what it does when it comes back takes nothing back', async () => {
    const other = await appendingProcess();
    const { ledger, store } = await fixture.open({ clock: systemClock });
    try {
      await hang(other);
      const notes = [checkpoint()];
      const stopped = Date.now();
      const id = await ledger.record(decidedFact());
      await ledger.integrate();
      expect(Date.now() - stopped).toBeLessThan(leaseMilliseconds + 20_000);
      notes.push(checkpoint());
      expect(await ledger.receipt(id)).toContain('index ');
      const soFar = other.acknowledged.length;
      other.signal('SIGCONT');
      const since = Date.now();
      const goesOn = (): boolean => other.acknowledged.length > soFar || Date.now() - since > 20_000;
      const append = async (): Promise<void> => {
        await ledger.record(decidedFact());
        await ledger.integrate();
        notes.push(checkpoint());
        await sleep(10);
      };
      for (let round = 0; round < 12 || !goesOn(); round++) await append();
      await append();
      expect(sizeOf(notes.at(-1)!)).toBeGreaterThan(sizeOf(notes[1]!) + notes.length - 2);
      await expectGrowth(notes);
    } finally {
      await other.end();
      await ledger.close();
      await store.close();
    }
    const verdict = await verifyLog(directorySource(fixture.logDirectory), fixture.signer.verifierKey);
    expect(verdict).toMatchObject({ ok: true });
  }, 60_000);

  it.each([
    ['it had the lease', 1],
    ['it had placed what there was', 2],
  ])('one that is taken over after %s waits for what the other publishes', async (_when, at) => {
    const publishIntervalMilliseconds = 1_000_000;
    const opened = await openSqliteStore({ path: join(fixture.home, 'lockstep.db') });
    let waits = -Infinity;
    // Of the waits for the disk in a run the one after the lease, or the one after that.
    const synced = async () => {
      await opened.journal.synced();
      if (++waits === at) await other.ledger.integrate();
    };
    const store = { ...opened, journal: { ...opened.journal, synced } };
    const { ledger } = await fixture.open({ store, publishIntervalMilliseconds });
    // Of one process, each takes the other for one that is gone.
    const other = await fixture.open({ publishIntervalMilliseconds });
    try {
      await ledger.record(decidedFact());
      await ledger.integrate();
      await ledger.record(decidedFact());
      waits = 0;
      await ledger.integrate();
      expect(waits).toBeGreaterThan(at);
      expect(sizeOf(ledger.checkpoint() ?? '')).toBe(2);
      expect(ledger.health()).toEqual({ state: 'ok' });
    } finally {
      await other.ledger.close();
      await other.store.close();
      await ledger.close();
      await store.close();
    }
  });

  it('one that is killed is followed by the other at once', async () => {
    const other = await appendingProcess();
    const { ledger, store } = await fixture.open({ clock: systemClock });
    try {
      await ledger.record(decidedFact());
      await ledger.integrate();
      const before = checkpoint();
      await other.end();
      const killed = Date.now();
      await ledger.record(decidedFact());
      await ledger.integrate();
      expect(Date.now() - killed).toBeLessThan(leaseMilliseconds);
      await expectGrowth([before, checkpoint()]);
      const feed = await ledger.eventsAfter(0, 1_000_000);
      expect(sizeOf(checkpoint())).toBe(feed.length);
      const rows = await store.db.selectFrom('meta').select('key').execute();
      const present = new Set([...feed.map((event): string => event.id), ...rows.map((row) => row.key)]);
      expect(other.acknowledged.filter((one) => !present.has(one))).toEqual([]);
    } finally {
      await ledger.close();
      await store.close();
    }
  }, 60_000);
});
