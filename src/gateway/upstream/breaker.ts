import type { Clock } from '../../lib/clock.ts';

export interface BreakerSettings {
  /** So many failures in a row, without one answer between them, open it. */
  readonly failures: number;
  /** For how long at first; each time that it opens again, twice as long. */
  readonly minMilliseconds: number;
  readonly maxMilliseconds: number;
}

export type BreakerState = 'closed' | 'open' | 'half-open';

/** What one request was let in with. */
export interface Pass {
  /** Milliseconds of `Clock.elapsed`. */
  readonly startedAt: number;
  readonly probe: boolean;
}

/** A probe that has not come to an end by then stands in nobody's way: an answer may rightly take minutes. */
const probeMilliseconds = 10_000;

/**
 * Keeps requests from an address that does not answer. *Closed*, it lets everything through; *open*, nothing; after a
 * while it is *half open* and lets one request through, by which it is decided: an answer closes it, a failure opens it
 * for longer. A failure counts only if nobody was answered since that request began, so that whoever knows a slow page
 * cannot close an address to others whom it answers.
 */
export class Breaker {
  readonly #settings: BreakerSettings;
  readonly #clock: Pick<Clock, 'elapsed'>;
  readonly #random: () => number;
  #failures = 0;
  #openings = 0;
  #openUntil = Number.NEGATIVE_INFINITY;
  #probe: Pass | null = null;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(settings: BreakerSettings, clock: Pick<Clock, 'elapsed'>, random: () => number = Math.random) {
    this.#settings = settings;
    this.#clock = clock;
    this.#random = random;
  }

  get state(): BreakerState {
    if (this.#openings === 0) return 'closed';
    return this.#clock.elapsed() < this.#openUntil ? 'open' : 'half-open';
  }

  /** Failures in a row that count, while it is closed. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether the one request by which it is decided is under way. */
  get isProbing(): boolean {
    return this.#probe !== null;
  }

  /** Milliseconds until a request may be let in; 0 where one may at once. */
  wait(): number {
    if (this.#openings === 0) return 0;
    const now = this.#clock.elapsed();
    const probed = this.#probe === null ? 0 : this.#probe.startedAt + probeMilliseconds - now;
    return Math.max(0, this.#openUntil - now, probed);
  }

  /** Lets a request in; only while `wait` is 0. One of `answered`, `failed` and `abandoned` follows. */
  enter(): Pass {
    const pass = { startedAt: this.#clock.elapsed(), probe: this.#openings > 0 };
    if (pass.probe) this.#probe = pass;
    return pass;
  }

  /** Whoever answers, answers: also one that was asked before the others failed. */
  answered(): void {
    this.#answeredAt = this.#clock.elapsed();
    this.#failures = 0;
    this.#openings = 0;
    this.#probe = null;
  }

  /** Whether it counts. */
  failed(pass: Pass): boolean {
    if (pass.startedAt < this.#answeredAt) return false;
    if (this.#openings > 0) {
      if (this.#probe !== pass) return false;
      this.#open();
      return true;
    }
    this.#failures++;
    if (this.#failures >= this.#settings.failures) this.#open();
    return true;
  }

  /** It says nothing of the address: whoever asked is gone. */
  abandoned(pass: Pass): void {
    if (this.#probe === pass) this.#probe = null;
  }

  #open(): void {
    const { minMilliseconds, maxMilliseconds } = this.#settings;
    const longest = Math.min(maxMilliseconds, minMilliseconds * 2 ** Math.min(this.#openings, 30));
    this.#openings++;
    this.#probe = null;
    this.#failures = 0;
    // Many that have lost one upstream should not all come back to it in the same instant.
    this.#openUntil = this.#clock.elapsed() + longest * (0.5 + this.#random() / 2);
  }
}
