/**
 * One run at a time of a piece of work that takes up all there is when it begins. Whoever asks while one runs shares the
 * next: it begins when this one has ended, well or not, so that what was there when they asked is taken up.
 */
export class JoinedRuns {
  readonly #run: () => Promise<void>;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  constructor(run: () => Promise<void>) {
    this.#run = run;
  }

  /** Resolves once a run has ended that began after this was called; rejects with what that run throws. */
  async request(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        this.#running = this.#run();
        return this.#running;
      });
    return this.#next;
  }

  /** Resolves when nothing runs and nothing waits, however the runs ended. */
  async idle(): Promise<void> {
    for (let last: Promise<void> | null = null; last !== (this.#next ?? this.#running);) {
      last = this.#next ?? this.#running;
      await last.catch(() => undefined);
    }
  }
}
