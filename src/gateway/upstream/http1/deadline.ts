/** A time that may be up, set again and again: one timer for all of them. It keeps no process alive. */
export class Deadline {
  readonly #isUp: () => void;
  #timer: NodeJS.Timeout | undefined;
  #milliseconds = 0;
  #isSet = false;

  constructor(isUp: () => void) {
    this.#isUp = isUp;
  }

  /** From now; 0 is any time. */
  start(milliseconds: number): void {
    this.#isSet = milliseconds > 0;
    if (!this.#isSet) return;
    if (this.#timer !== undefined && this.#milliseconds === milliseconds) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#milliseconds = milliseconds;
    this.#timer = setTimeout(this.#onTimeout, milliseconds).unref();
  }

  stop(): void {
    this.#isSet = false;
  }

  /** For good. */
  dispose(): void {
    this.#isSet = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #onTimeout = (): void => {
    if (!this.#isSet) return;
    this.#isSet = false;
    this.#isUp();
  };
}
