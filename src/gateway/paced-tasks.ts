/** So long tasks may run before everything else has its turn. */
const turnMilliseconds = 10;

/**
 * Tasks that may wait a little, in order: as many as a turn has time for run at once, the rest in the turns that follow, so that
 * however many there are nothing else waits for all of them.
 */
export class PacedTasks {
  readonly #waiting: (() => void)[] = [];
  #next = 0;
  #scheduled = false;

  /** They must not throw. */
  add(task: () => void): void {
    this.#waiting.push(task);
  }

  /** Runs what is waiting; not all of it before it returns. */
  run(): void {
    if (!this.#scheduled) this.#turn();
  }

  #turn(): void {
    const until = performance.now() + turnMilliseconds;
    while (this.#next < this.#waiting.length && performance.now() < until) this.#waiting[this.#next++]?.();
    if (this.#next === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#next = 0;
      return;
    }
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }
}
