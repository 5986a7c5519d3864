import type { Exchange } from '../../types.ts';
import type { Precondition, Upload } from './store.ts';

/**
 * The condition of a write, and that the exchange is still allowed to go on: the store asks in the transaction, so
 * nothing is committed for a caller that was cut off while its bytes came in.
 */
export function whileLive({ signal }: Pick<Exchange, 'signal'>, precondition: Precondition): Precondition {
  return (current) => {
    signal.throwIfAborted();
    precondition(current);
  };
}

/** The body of the exchange, no further than the exchange may go on. */
export function uploadOf(
  { stream, signal }: Pick<Exchange, 'stream' | 'signal'>,
  bytes: number | null,
  md5: string | null,
): Upload {
  return { stream: untilAborted(stream, signal), bytes, md5 };
}

async function* untilAborted(
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    signal.throwIfAborted();
    yield chunk;
  }
}
