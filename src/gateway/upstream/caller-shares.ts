import { failure } from '../../lib/errors.ts';

/** Beyond so many callers, those that have nothing are forgotten: to forget each at once would change the table with every request. */
const mostRemembered = 1024;

/** How much of one upstream each caller has, of requests or of WebSockets: no more than a share, so that others find room. */
export class CallerShares {
  readonly #most: number;
  readonly #what: string;
  readonly #taken = new Map<string, number>();

  /** `what`: how the caller is told what there is too much of. */
  constructor(most: number, what: string) {
    this.#most = most;
    this.#what = what;
  }

  /** Throws `too_many_requests` beyond the share. To be given back with `give`; null, which is nobody, has no share. */
  take(caller: string | null): void {
    if (caller === null) return;
    const taken = this.#taken.get(caller) ?? 0;
    if (taken >= this.#most) {
      throw failure(
        'too_many_requests',
        `You have ${taken} ${this.#what} at this upstream, as many as one caller may have; let some end, and try again.`,
        { retryAfterSeconds: 1 },
      );
    }
    if (taken === 0 && this.#taken.size >= mostRemembered) this.#forget();
    this.#taken.set(caller, taken + 1);
  }

  give(caller: string | null): void {
    if (caller === null) return;
    this.#taken.set(caller, Math.max(0, (this.#taken.get(caller) ?? 0) - 1));
  }

  #forget(): void {
    for (const [caller, taken] of this.#taken) if (taken === 0) this.#taken.delete(caller);
  }
}
