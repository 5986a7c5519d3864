import type { Readable } from 'node:stream';
import type { Socket } from 'node:net';
import { lastChunk, type RequestFraming } from './request-head.ts';

export interface UploadWatch {
  /** Fields behind a chunked body; asked for when that has ended. */
  trailers(): readonly string[];
  /** Told when the last byte was handed to the connection. */
  sent(): void;
  /** Told when it stands still because the upstream takes nothing, and when it goes on. */
  stalls(does: boolean): void;
  /** Told when what the upstream got must not pass for a whole request. */
  broke(reason: Error): void;
}

/** Writes a streamed body behind its head, with backpressure: exactly the bytes that were said, or in chunks. */
export class Upload {
  readonly #socket: Socket;
  readonly #body: Readable;
  readonly #left: number | null;
  readonly #watch: UploadWatch;
  #missing: number;
  #isOver = false;

  constructor(socket: Socket, body: Readable, framing: RequestFraming, watch: UploadWatch) {
    this.#socket = socket;
    this.#body = body;
    this.#left = framing.kind === 'length' ? framing.bytes : null;
    this.#missing = this.#left ?? 0;
    this.#watch = watch;
    // Whatever becomes of it is told by `close`, or by nobody who is still concerned.
    body.on('error', this.#onError);
  }

  begin(): void {
    const body = this.#body;
    this.#socket.on('drain', this.#onDrain);
    body.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose);
    if (body.readableEnded) this.#onEnd();
    else if (body.destroyed) this.#onClose();
    // A first attempt may have paused it.
    else body.resume();
  }

  /** Before its end: nothing more of it is wanted. */
  stop(): void {
    if (this.#isOver) return;
    this.#end();
    this.#body.destroy();
  }

  readonly #onData = (chunk: Buffer | string): void => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    // An empty chunk would be the last one.
    if (bytes.length === 0) return;
    if (!this.#write(bytes)) {
      this.#body.pause();
      this.#watch.stalls(true);
    }
  };

  #write(bytes: Buffer): boolean {
    const socket = this.#socket;
    if (this.#left === null) {
      socket.cork();
      socket.write(`${bytes.length.toString(16)}\r\n`, 'latin1');
      socket.write(bytes);
      const mayGoOn = socket.write('\r\n', 'latin1');
      socket.uncork();
      return mayGoOn && !socket.writableNeedDrain;
    }
    this.#missing -= bytes.length;
    if (this.#missing >= 0) return socket.write(bytes);
    this.#break(new Error('the request has more bytes than it said'));
    return true;
  }

  readonly #onDrain = (): void => {
    this.#watch.stalls(false);
    this.#body.resume();
  };

  readonly #onEnd = (): void => {
    if (this.#isOver) return;
    if (this.#missing > 0) return this.#break(new Error('the request has fewer bytes than it said'));
    if (this.#left === null) {
      try {
        this.#socket.write(lastChunk(this.#watch.trailers()), 'latin1');
      } catch (thrown) {
        this.#break(thrown instanceof Error ? thrown : new Error(String(thrown)));
        return;
      }
    }
    this.#end();
    this.#watch.sent();
  };

  readonly #onError = (error: Error): void => this.#break(error);

  readonly #onClose = (): void => {
    if (!this.#body.readableEnded) this.#break(new Error('the request broke off'));
  };

  #break(reason: Error): void {
    if (this.#isOver) return;
    this.#end();
    this.#body.destroy();
    this.#watch.broke(reason);
  }

  #end(): void {
    this.#isOver = true;
    this.#socket.off('drain', this.#onDrain);
    this.#body.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose);
  }
}
