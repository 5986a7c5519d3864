import { expect, it } from 'vitest';
import { ManualClock } from '../../lib/clock.ts';
import { Breaker, type Pass } from './breaker.ts';

const settings = { failures: 3, minMilliseconds: 1000, maxMilliseconds: 8000 };

/** With the longest times that chance allows. */
function breaker(random = () => 1) {
  const clock = new ManualClock(0);
  const made = new Breaker(settings, clock, random);
  const fail = (): void => {
    const pass = made.enter();
    clock.advance(1);
    made.failed(pass);
  };
  return { clock, made, fail };
}

it('opens after failures in a row, and not before', () => {
  const { made, fail } = breaker();
  fail();
  fail();
  expect([made.state, made.wait()]).toEqual(['closed', 0]);
  fail();
  expect([made.state, made.wait()]).toEqual(['open', 1000]);
});

it('does not open where somebody is answered between failures', () => {
  const { made, fail } = breaker();
  for (let i = 0; i < 20; i++) {
    fail();
    fail();
    made.answered();
  }
  expect(made.state).toBe('closed');
});

it('does not count what fails late while others are answered: a slow page is not a dead upstream', () => {
  const { made, clock } = breaker();
  const slow = Array.from({ length: 50 }, () => made.enter());
  clock.advance(300_000);
  made.enter();
  made.answered();
  for (const pass of slow) made.failed(pass);
  expect(made.state).toBe('closed');
});

it('half open, lets one through at a time, and closes by its answer', () => {
  const { made, clock, fail } = breaker();
  for (let i = 0; i < 3; i++) fail();
  clock.advance(1000);
  expect([made.state, made.wait()]).toEqual(['half-open', 0]);
  made.enter();
  expect(made.wait()).toBeGreaterThan(0);
  made.answered();
  expect([made.state, made.wait()]).toEqual(['closed', 0]);
});

it('opens for twice as long each time that the probe fails, up to its most', () => {
  const { made, clock, fail } = breaker();
  for (let i = 0; i < 3; i++) fail();
  const waits: number[] = [];
  for (let i = 0; i < 6; i++) {
    waits.push(made.wait());
    clock.advance(made.wait());
    fail();
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 8000, 8000]);
});

it('spreads what comes back over half of the time', () => {
  for (const [chance, wait] of [
    [0, 500],
    [0.5, 750],
    [1, 1000],
  ] as const) {
    const { made, fail } = breaker(() => chance);
    for (let i = 0; i < 3; i++) fail();
    expect(made.wait()).toBe(wait);
  }
});

it('gives the place of a probe to another when its caller goes, and when it takes long', () => {
  const { made, clock, fail } = breaker();
  for (let i = 0; i < 3; i++) fail();
  clock.advance(1000);
  made.abandoned(made.enter());
  expect(made.wait()).toBe(0);
  const stuck = made.enter();
  clock.advance(10_000);
  expect(made.wait()).toBe(0);
  made.enter();
  // The one before is no longer who decides.
  made.failed(stuck);
  expect(made.state).toBe('half-open');
});

it('is not opened for longer by what was under way when it opened', () => {
  const { made, clock } = breaker();
  const many: Pass[] = Array.from({ length: 1000 }, () => made.enter());
  for (const pass of many.slice(0, 500)) made.failed(pass);
  expect(made.wait()).toBe(1000);
  clock.advance(1000);
  made.enter();
  for (const pass of many.slice(500)) made.failed(pass);
  expect(made.state).toBe('half-open');
  made.answered();
  for (const pass of many) made.failed(pass);
  expect(made.state).toBe('closed');
});
