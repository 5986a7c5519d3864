/** For each request, the part of a second attempt that it earns. */
const share = 0.1;
/** What can be saved up, and is there at the beginning: an upstream that restarts loses its kept connections at once. */
const most = 10;

/** Keeps second attempts to a tenth of the requests, so that an upstream in trouble is not asked twice as often. */
export class RetryBudget {
  #left = most;

  earn(): void {
    this.#left = Math.min(most, this.#left + share);
  }

  spend(): boolean {
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
