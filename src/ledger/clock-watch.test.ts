import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../lib/clock.ts';
import { ClockWatch, clockStepMilliseconds, steppedBeforeStart } from './clock-watch.ts';
import { generateNoteKey } from './note.ts';
import type { Ledger } from './ledger.ts';
import { directorySource } from './sources/directory-source.ts';
import { decidedFact, LedgerFixture, origin } from './testing/ledger-fixture.ts';
import { verifyLog } from './verify/verify-log.ts';

const { signingKey } = generateNoteKey(origin);
const start = 1_770_000_000_000;
let fixture: LedgerFixture;
beforeEach(() => {
  fixture = new LedgerFixture(signingKey);
});
afterEach(() => fixture.remove());

describe('a look at the clock', () => {
  it('finds nothing while it goes on, however long between two looks, and lets it be slewed', () => {
    const clock = new ManualClock(start);
    const watch = new ClockWatch(clock);
    for (const pause of [0, 1, 1_000, 86_400_000]) {
      clock.advance(pause);
      expect(watch.look()).toBeNull();
    }
    for (let second = 0; second < 10_000; second++) {
      clock.advance(1_000);
      clock.set(-0.5);
      expect(watch.look()).toBeNull();
    }
  });

  it.each([-clockStepMilliseconds, clockStepMilliseconds, -3_600_000, 86_400_000 * 365])(
    'tells once that it was set by %i ms',
    (milliseconds) => {
      const clock = new ManualClock(start);
      const watch = new ClockWatch(clock);
      clock.advance(700);
      clock.set(milliseconds);
      expect(watch.look()).toEqual({
        milliseconds,
        expected: start + 700,
        found: start + 700 + milliseconds,
        noticed: 'running',
      });
      clock.advance(700);
      expect(watch.look()).toBeNull();
    },
  );

  it('tells of many small steps together, so that no time is ever gone back by unseen', () => {
    const clock = new ManualClock(start);
    const watch = new ClockWatch(clock);
    let told = 0;
    for (let second = 0; second < 60; second++) {
      clock.advance(1_000);
      clock.set(-1_900);
      told += watch.look()?.milliseconds ?? 0;
    }
    const goneBack = -60 * 1_900;
    expect(told).toBeLessThan(goneBack * 0.9);
    expect(told).toBeGreaterThanOrEqual(goneBack);
    expect(clock.now()).toBeLessThan(start);
  });

  it('lets it be slewed as fast as any daemon slews', () => {
    const clock = new ManualClock(start);
    const watch = new ClockWatch(clock);
    for (let second = 0; second < 1_000; second++) {
      clock.advance(1_000);
      clock.set(-83.333);
      expect(watch.look()).toBeNull();
    }
  });

  it('takes no pause between two looks at the clocks for a step', () => {
    let elapsed = 0;
    let pause = 0;
    const clock = {
      now: () => {
        const now = start + elapsed;
        elapsed += pause;
        pause = 0;
        return now;
      },
      elapsed: () => elapsed,
    };
    const watch = new ClockWatch(clock);
    pause = 60_000;
    expect(watch.look()).toBeNull();
    expect(watch.look()).toBeNull();
  });

  it('at a start tells that it was set back behind the newest event, and nothing of a pause', () => {
    expect(steppedBeforeStart(null, 0)).toBeNull();
    expect(steppedBeforeStart(start, start + 1e9)).toBeNull();
    expect(steppedBeforeStart(start, start - clockStepMilliseconds + 1)).toBeNull();
    expect(steppedBeforeStart(start, start - 5_000)).toMatchObject({
      milliseconds: -5_000,
      noticed: 'start',
    });
  });
});

interface Told {
  readonly code: string;
  readonly time: number;
  readonly detail: Readonly<Record<string, string>> | undefined;
}

async function feedOf(ledger: Ledger): Promise<Told[]> {
  const feed = await ledger.eventsAfter(0, 1_000);
  return feed.map(({ entry }) => {
    const event = JSON.parse(Buffer.from(entry).toString('utf8')) as {
      time: number;
      metadata: { event_code: string };
      unmapped: { lockstep: { activity?: string; detail?: Record<string, string> } };
    };
    const { activity, detail } = event.unmapped.lockstep;
    return { code: activity ?? event.metadata.event_code, time: event.time, detail };
  });
}

describe('a clock that is set', () => {
  it('is an event of its own, before the first that carries the new time; the log stays one', async () => {
    const { ledger, store } = await fixture.open();
    const { clock } = fixture;
    await ledger.record(decidedFact());
    clock.advance(10);
    clock.set(-3_600_000);
    await ledger.record(decidedFact());
    clock.advance(10);
    clock.set(7_200_000);
    await ledger.record(decidedFact());
    await ledger.integrate();
    const feed = await feedOf(ledger);
    expect(feed.map(({ code, time }) => [code, time - start])).toEqual([
      ['request.decided', 0],
      ['clock-set', -3_599_990],
      ['request.decided', -3_599_990],
      ['clock-set', 3_600_020],
      ['request.decided', 3_600_020],
    ]);
    expect(feed[1]?.detail).toEqual({
      milliseconds: '-3600000',
      expected: '2026-02-02T02:40:00.010Z',
      found: '2026-02-02T01:40:00.010Z',
      noticed: 'running',
    });
    expect(ledger.health()).toEqual({
      state: 'ok',
      clockStep: expect.objectContaining({ milliseconds: 7_200_000 }) as object,
    });
    expect((await ledger.search({ action: 'lifecycle.clock-set' }, { limit: 10 })).events).toHaveLength(2);
    await ledger.close();
    await store.close();
    const verdict = await verifyLog(directorySource(fixture.logDirectory), fixture.signer.verifierKey);
    expect(verdict).toMatchObject({ ok: true, size: 5 });
  });

  it('between two runs is found at the next start, once', async () => {
    const open = async () => {
      const { ledger, store } = await fixture.open();
      await ledger.record(decidedFact());
      const feed = await feedOf(ledger);
      await ledger.close();
      await store.close();
      return feed.map(({ code }) => code);
    };
    await open();
    fixture.clock.set(-86_400_000);
    expect(await open()).toEqual(['request.decided', 'clock-set', 'request.decided']);
    expect(await open()).toHaveLength(4);
  });

  it('is recorded later when it cannot be recorded now', async () => {
    let failing = false;
    const { ledger, store } = await fixture.open({
      fault: (step, moment) => {
        if (failing && step === 'record.commit' && moment === 'before') throw new Error('the disk is full');
      },
    });
    failing = true;
    fixture.clock.set(-10_000);
    await expect(ledger.record(decidedFact())).rejects.toMatchObject({ code: 'ledger_unavailable' });
    failing = false;
    await vi.waitFor(
      async () => {
        expect((await feedOf(ledger)).map(({ code }) => code)).toEqual(['clock-set']);
      },
      { timeout: 30_000 },
    );
    await ledger.close();
    await store.close();
  });

  it('of a process that does nothing is noticed within seconds, and after kill -9 at the next start', async () => {
    const set = (milliseconds: number) => writeFileSync(join(fixture.home, 'offset'), String(milliseconds));
    const run = () => {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'testing', 'clock-child.ts'), fixture.home, signingKey],
        { stdio: ['pipe', 'pipe', 'inherit'] },
      );
      const exited = once(child, 'exit');
      const lines = createInterface({ input: child.stdout });
      const ask = async (what: string): Promise<number> => {
        child.stdin.write(`${what}\n`);
        const [line] = (await once(lines, 'line')) as [string];
        return Number(line);
      };
      const kill = async () => {
        child.kill('SIGKILL');
        await exited;
      };
      return { ask, kill };
    };
    set(0);
    const first = run();
    expect(await first.ask('record')).toBe(1);
    set(3_600_000);
    await vi.waitFor(async () => expect(await first.ask('look')).toBe(2), { timeout: 20_000, interval: 200 });
    await first.kill();
    set(0);
    const second = run();
    await vi.waitFor(async () => expect(await second.ask('look')).toBe(3), {
      timeout: 20_000,
      interval: 200,
    });
    await second.kill();

    // Far enough ahead that nothing is told of this start.
    fixture.clock.set(Date.now() + 60_000 - fixture.clock.now());
    const { ledger, store } = await fixture.open();
    const steps = (await feedOf(ledger)).filter(({ code }) => code === 'clock-set');
    expect(steps.map(({ detail }) => detail?.['noticed'])).toEqual(['running', 'start']);
    const [ahead, back] = steps.map(({ detail }) => Number(detail?.['milliseconds']));
    expect(Math.abs(ahead! - 3_600_000)).toBeLessThan(2_000);
    expect(back).toBeLessThan(-3_500_000);
    await ledger.close();
    await store.close();
  }, 60_000);
});
