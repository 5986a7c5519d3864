import { Readable } from 'node:stream';

export interface AnswerFlow {
  pause(): void;
  resume(): void;
  /** Gives the answer up, and with it the connection that it comes by. */
  giveUp(): void;
}

/** A body that is still to come. Ends only when the answer was whole; one that is destroyed before takes its connection along. */
export class AnswerBody extends Readable {
  readonly #flow: AnswerFlow;
  #isWhole = false;

  constructor(flow: AnswerFlow) {
    super({ highWaterMark: 65_536 });
    this.#flow = flow;
    // It may break before anybody listens; whoever reads it later finds it destroyed.
    this.on('error', ignore);
  }

  /** One read's worth of it. */
  arrive(pieces: readonly Buffer[]): void {
    let mayGoOn = true;
    for (const piece of pieces) mayGoOn = this.push(piece);
    if (!mayGoOn && !this.#isWhole) this.#flow.pause();
  }

  complete(): void {
    this.#isWhole = true;
    this.push(null);
  }

  override _read(): void {
    if (!this.#isWhole) this.#flow.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#isWhole) this.#flow.giveUp();
    done(error);
  }
}

function ignore(): void {
  // Nothing to do.
}
