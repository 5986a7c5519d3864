import { isLockstepError, LockstepError, type ErrorCode } from '../../lib/errors.ts';

/** What one thread does for another: functions of one value that can be sent. */
type Served<Methods> = { readonly [Name in keyof Methods]: (argument: never) => unknown };
type Answer<Call extends (argument: never) => unknown> = Awaited<ReturnType<Call>>;

interface Port {
  postMessage(message: Message): void;
  on(event: 'message', listener: (message: Message) => void): unknown;
}

type Message =
  | { readonly kind: 'told'; readonly name: string; readonly argument: unknown }
  | { readonly kind: 'call'; readonly id: number; readonly name: string; readonly argument: unknown }
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly error: SentError };

/** Of an error what survives being sent. */
interface SentError {
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly publicMessage: string;
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Calls between two threads, both ways over one port: what is called in turn arrives in turn, and what a function throws
 * the caller is thrown.
 */
export class Calls<Theirs extends Served<Theirs>> {
  readonly #port: Port;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ours: Readonly<Record<string, (argument: never) => unknown>>;
  #last = 0;
  #ended: Error | null = null;

  constructor(port: Port, ours: Readonly<Record<string, (argument: never) => unknown>>) {
    this.#port = port;
    this.#ours = ours;
    port.on('message', (message) => this.#receive(message));
  }

  async call<Name extends keyof Theirs & string>(
    name: Name,
    argument: Parameters<Theirs[Name]>[0],
  ): Promise<Answer<Theirs[Name]>> {
    if (this.#ended !== null) throw this.#ended;
    const id = ++this.#last;
    return new Promise<Answer<Theirs[Name]>>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#port.postMessage({ kind: 'call', id, name, argument });
    });
  }

  /** A call that nobody waits for. */
  tell<Name extends keyof Theirs & string>(name: Name, argument: Parameters<Theirs[Name]>[0]): void {
    if (this.#ended === null) this.#port.postMessage({ kind: 'told', name, argument });
  }

  /** The other thread is no more. */
  end(reason: Error): void {
    this.#ended = reason;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }

  #receive(message: Message): void {
    if (message.kind === 'told') {
      this.#ours[message.name]?.(message.argument as never);
      return;
    }
    if (message.kind === 'call') {
      void this.#serve(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === 'failed') waiting?.reject(received(message.error));
    else waiting?.resolve(message.value as never);
  }

  async #serve({ id, name, argument }: Message & { readonly kind: 'call' }): Promise<void> {
    try {
      const value = await this.#ours[name]?.(argument as never);
      this.#port.postMessage({ kind: 'done', id, value });
    } catch (error) {
      this.#port.postMessage({ kind: 'failed', id, error: sent(error) });
    }
  }
}

function sent(error: unknown): SentError {
  if (isLockstepError(error)) {
    const { code, message, publicMessage } = error;
    return { code, message, publicMessage };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: null, message, publicMessage: '' };
}

function received({ code, message, publicMessage }: SentError): Error {
  return code === null
    ? new Error(message)
    : new LockstepError({ code, internalMessage: message, publicMessage });
}
