/** Time is passed in, so that tests can move it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds since some moment: goes on evenly, whatever the time is set to. */
  elapsed(): number;
}

export const systemClock: Clock = { now: () => Date.now(), elapsed: () => performance.now() };

/** Whole seconds since the Unix epoch, as JWTs count. */
export function epochSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000);
}

/** A clock that moves only when told to. */
export class ManualClock implements Clock {
  #now: number;
  #elapsed = 0;

  constructor(startMilliseconds: number) {
    this.#now = startMilliseconds;
  }

  now(): number {
    return this.#now;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
    this.#elapsed += milliseconds;
  }

  /** Somebody sets it: forward, or back by less than 0. */
  set(milliseconds: number): void {
    this.#now += milliseconds;
  }
}
