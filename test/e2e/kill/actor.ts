import { setTimeout as pause } from 'node:timers/promises';
import { Unreachable, type Answer } from './client.ts';

/** Runs turns until told to stop; a turn that a kill interrupted is only begun anew. */
export class Actor {
  readonly #turn: () => Promise<void>;
  readonly #pauseMilliseconds: number;
  #stopped = false;
  #running: Promise<void> | null = null;

  constructor(turn: () => Promise<void>, pauseMilliseconds: number) {
    this.#turn = turn;
    this.#pauseMilliseconds = pauseMilliseconds;
  }

  start(): void {
    this.#running = this.#play();
    this.#running.catch(() => undefined);
  }

  /** Rejects with what a turn has thrown. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Rejects as soon as a turn has thrown; never resolves before the actor is stopped. */
  get running(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  async #play(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#turn();
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
      }
      await pause(this.#pauseMilliseconds);
    }
  }
}

/** Asks until there is an answer. */
export async function untilAnswered(
  ask: () => Promise<Answer>,
): Promise<Answer & { readonly attempts: number }> {
  for (let attempts = 1; ; attempts++) {
    try {
      return { ...(await ask()), attempts };
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      await pause(40);
    }
  }
}

export class Unexpected extends Error {
  constructor(what: string, answer: Answer) {
    super(`${what} answered ${answer.status}: ${answer.text().slice(0, 2000)}`);
  }
}
