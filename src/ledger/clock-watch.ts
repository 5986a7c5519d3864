import type { Clock } from '../lib/clock.ts';

/** More than a clock is slewed by within a second, and less than anyone sets it by on purpose. */
export const clockStepMilliseconds = 2_000;

/** More of a second than any daemon slews a clock by in one (chrony: a twelfth). */
const slewed = 0.1;

/** The clock was set, or stood still while the machine slept. Milliseconds, since the epoch where it is a time. */
export interface ClockStep {
  /** Less than 0: set back. */
  readonly milliseconds: number;
  /** What the clock would have said. Found at a start: the time of the newest event. */
  readonly expected: number;
  /** What it said. */
  readonly found: number;
  readonly noticed: 'running' | 'start';
}

/**
 * Notices that the clock is set: it and the monotonic clock no longer go together. How far apart they drift bit by bit,
 * as a clock is slewed, is not noticed; steps that are each too small to be told add up faster than that.
 */
export class ClockWatch {
  readonly #clock: Clock;
  #now: number;
  #elapsed: number;
  /** What earlier looks have found and not told, less what it may have been slewed by since. */
  #untold = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    ({ now: this.#now, elapsed: this.#elapsed } = readTogether(clock));
  }

  /** What has happened to the clock since the last look; null when it has only gone on. */
  look(): ClockStep | null {
    const { now: found, elapsed } = readTogether(this.#clock);
    const since = elapsed - this.#elapsed;
    const left = Math.max(0, Math.abs(this.#untold) - since * slewed) * Math.sign(this.#untold);
    this.#untold = left + found - (this.#now + since);
    this.#now = found;
    this.#elapsed = elapsed;
    const step = stepOf(found - this.#untold, found, 'running');
    if (step !== null) this.#untold = 0;
    return step;
  }
}

/** Both clocks at one moment: a process that was stopped between the two looks looks again. */
function readTogether(clock: Clock): { readonly now: number; readonly elapsed: number } {
  for (;;) {
    const before = clock.elapsed();
    const now = clock.now();
    const elapsed = clock.elapsed();
    if (elapsed - before < clockStepMilliseconds / 10) return { now, elapsed };
  }
}

/**
 * Whether the clock has been set back while nothing ran, by the time of the newest event. That it was set forward cannot be
 * told from a long pause.
 */
export function steppedBeforeStart(newestEvent: number | null, now: number): ClockStep | null {
  if (newestEvent === null || now >= newestEvent) return null;
  return stepOf(newestEvent, now, 'start');
}

function stepOf(expected: number, found: number, noticed: ClockStep['noticed']): ClockStep | null {
  const milliseconds = Math.round(found - expected);
  if (Math.abs(milliseconds) < clockStepMilliseconds) return null;
  return { milliseconds, expected: Math.round(expected), found, noticed };
}
