import { advised } from './connect-advice.ts';
import type { Transport } from './transport.ts';
import { drainBody } from './drain-body.ts';

export interface HealthCheckSettings {
  /** Beneath the address, which it cannot leave: no host is read from it, and redirects are not followed. */
  readonly path: string;
  readonly intervalMilliseconds: number;
  readonly timeoutMilliseconds: number;
  /** So many in a row that fail, and the address is not used. */
  readonly failures: number;
  /** So many in a row that succeed, and it is used again. */
  readonly passes: number;
}

export interface HealthChecked {
  readonly transport: Transport;
  /** Path with the address's own before it. */
  readonly path: string;
  readonly headers: readonly string[];
  readonly settings: HealthCheckSettings;
  /** Told after each answer, and after each that did not come. */
  readonly checked: () => void;
}

/** Asks one address again and again whether it is well: an answer of 2xx in time is yes, everything else no. */
export class HealthCheck {
  readonly #checked: HealthChecked;
  readonly #stopped = new AbortController();
  #healthy = true;
  #passed = false;
  #against = 0;
  #lastError: string | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(checked: HealthChecked) {
    this.#checked = checked;
    this.#later(0);
  }

  /** Whether the address may be used. */
  get isHealthy(): boolean {
    return this.#healthy;
  }

  /** Whether it has ever passed. */
  get hasPassed(): boolean {
    return this.#passed;
  }

  /** Failures in a row, while it is healthy. */
  get failures(): number {
    return this.#healthy ? this.#against : 0;
  }

  /** Why it failed the last time that it did. */
  get lastError(): string | null {
    return this.#lastError;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stopped.abort();
  }

  /** Spread over an interval, and not in step: a thousand addresses are not to be asked in the same instant. */
  #later(milliseconds: number): void {
    const wait = milliseconds + this.#checked.settings.intervalMilliseconds * 0.2 * Math.random();
    this.#timer = setTimeout(() => void this.#check(), wait).unref();
  }

  async #check(): Promise<void> {
    const { intervalMilliseconds } = this.#checked.settings;
    const why = await this.#ask();
    if (this.#stopped.signal.aborted) return;
    this.#take(why);
    this.#checked.checked();
    this.#later(intervalMilliseconds * 0.9);
  }

  /** Null for a healthy answer. */
  async #ask(): Promise<string | null> {
    const { transport, path, headers, settings } = this.#checked;
    const deadline = AbortSignal.timeout(settings.timeoutMilliseconds);
    const signal = AbortSignal.any([this.#stopped.signal, deadline]);
    try {
      const answer = await transport.request({
        method: 'GET',
        path,
        headers: [...headers],
        body: null,
        signal,
      });
      await drainBody(answer.body);
      signal.throwIfAborted();
      const { statusCode } = answer;
      return statusCode >= 200 && statusCode < 300 ? null : `it answered ${statusCode} to the health check`;
    } catch (thrown) {
      if (deadline.aborted) return 'it did not answer the health check in time';
      return `the health check failed: ${thrown instanceof Error ? advised(thrown.cause, thrown.message) : String(thrown)}`;
    }
  }

  #take(why: string | null): void {
    const { settings } = this.#checked;
    const passed = why === null;
    if (passed) this.#passed = true;
    else this.#lastError = why;
    if (passed === this.#healthy) {
      this.#against = 0;
      return;
    }
    this.#against++;
    if (this.#against < (passed ? settings.passes : settings.failures)) return;
    this.#against = 0;
    this.#healthy = passed;
  }
}
