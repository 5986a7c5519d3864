import { failure, type LockstepError } from '../../lib/errors.ts';
import { CallerShares } from './caller-shares.ts';

export interface AdmissionBounds {
  /** Requests under way at the same time, until the last byte of their answers. */
  readonly requests: number;
  /** Requests that wait for one of them to end. */
  readonly waiting: number;
  readonly waitMilliseconds: number;
  /** Requests of one caller, those that wait among them. */
  readonly perCaller: number;
}

/**
 * How many requests one upstream may have at a time: beyond that they wait in order, and beyond that they are refused,
 * so that one slow upstream holds no more of the process than its share, and no caller more of it than theirs.
 */
export class Admission {
  readonly #bounds: AdmissionBounds;
  /** In order of arrival. */
  readonly #waiting = new Set<() => void>();
  readonly #shares: CallerShares;
  #inside = 0;

  constructor(bounds: AdmissionBounds) {
    this.#bounds = bounds;
    this.#shares = new CallerShares(bounds.perCaller, 'requests under way');
  }

  get inside(): number {
    return this.#inside;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves with the way out, to be taken once. `caller`: whose request it is; null for the gateway's own. Throws
   * `too_many_requests`, `upstream_unavailable`, or the reason of the signal.
   */
  async enter(signal: AbortSignal, caller: string | null): Promise<() => void> {
    signal.throwIfAborted();
    this.#shares.take(caller);
    try {
      await this.#come(signal);
    } catch (thrown) {
      this.#shares.give(caller);
      throw thrown;
    }
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#shares.give(caller);
      this.#leave();
    };
  }

  async #come(signal: AbortSignal): Promise<void> {
    if (this.#inside < this.#bounds.requests) this.#inside++;
    else if (this.#waiting.size < this.#bounds.waiting) await this.#turn(signal);
    else throw crowded('Too many requests wait for this upstream; try again shortly.');
  }

  /** The place of whoever leaves goes to the next in turn without ever being free. */
  async #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const mine = (): void => resolve();
    this.#waiting.add(mine);
    const onAbort = (): void => {
      this.#waiting.delete(mine);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      this.#waiting.delete(mine);
      reject(crowded('This upstream has been too busy for too long; try again shortly.'));
    }, this.#bounds.waitMilliseconds);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#inside--;
    else {
      this.#waiting.delete(next);
      next();
    }
  }
}

function crowded(publicMessage: string): LockstepError {
  return failure('upstream_unavailable', publicMessage, { retryAfterSeconds: 1 });
}
