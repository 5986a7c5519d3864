import type { InteropContext, InteropResult } from './suite.ts';

/** Runs the checks of a suite one after the other and counts them; a check fails by throwing. */
export class Checks {
  readonly #log: InteropContext['log'];
  readonly #notes: string[] = [];
  #passed = 0;

  constructor(context: InteropContext) {
    this.#log = (line) => context.log(line);
  }

  /** Answers what the check answers, null where it failed; the checks after it go on. */
  async check<T>(what: string, work: () => Promise<T>): Promise<T | null> {
    const begun = Date.now();
    try {
      const answer = await work();
      this.#passed += 1;
      this.#log(`ok   ${what} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
      return answer;
    } catch (error) {
      this.#log(`FAIL ${what}`);
      this.#notes.push(`failed: ${what}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  }

  result(): InteropResult {
    return { passed: this.#passed, failed: this.#notes.length, skipped: 0, notes: this.#notes };
  }
}
