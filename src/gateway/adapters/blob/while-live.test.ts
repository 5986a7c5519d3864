import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Exchange } from '../../types.ts';
import { uploadOf, whileLive } from './while-live.ts';

const reason = new Error('cut: policy-changed');

function exchange(signal: AbortSignal, stream = Readable.from([])): Pick<Exchange, 'signal' | 'stream'> {
  return { signal, stream };
}

describe('a write of an exchange that was cut', () => {
  it('is refused in the transaction, whatever the condition says', () => {
    const precondition = whileLive(exchange(AbortSignal.abort(reason)), () => undefined);
    expect(() => precondition(null)).toThrow(reason);
  });

  it('takes no more bytes', async () => {
    const controller = new AbortController();
    const { stream } = uploadOf(exchange(controller.signal, Readable.from(['a', 'b'])), null, null);
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const chunk of stream) {
        seen.push(chunk);
        controller.abort(reason);
      }
    })();
    await expect(reading).rejects.toThrow(reason);
    expect(seen).toHaveLength(1);
  });
});

it('a write of an exchange that goes on asks its condition', () => {
  const precondition = whileLive(exchange(new AbortController().signal), (current) => {
    throw new Error(current === null ? 'asked' : 'asked of another');
  });
  expect(() => precondition(null)).toThrow('asked');
});
