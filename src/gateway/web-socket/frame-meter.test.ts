import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { pieceBytes } from '../bodies/memory-budget.ts';
import { FrameMeter } from './frame-meter.ts';

interface Sent {
  readonly kind: 'text' | 'fragment' | 'last' | 'ping';
  readonly length: number;
  readonly masked: boolean;
}

function frameOf({ kind, length, masked }: Sent): Buffer {
  const first = { text: 0x81, fragment: 0x00, last: 0x80, ping: 0x89 }[kind];
  const mask = masked ? 0x80 : 0;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = first;
  head[1] = mask | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0, 0xff), Buffer.alloc(length, 0xff)]);
}

/** The plain way: where each frame lies, and from where on bytes wait for more, once so many have come. */
function waitingOf(frames: readonly Sent[], come: number): number {
  let at = 0;
  let message = 0;
  for (const one of frames) {
    const { length } = frameOf(one);
    if (at + length > come) return message + come - at;
    at += length;
    if (one.kind === 'fragment') message += length;
    else if (one.kind !== 'ping') message = 0;
  }
  return message;
}

const sent: fc.Arbitrary<Sent> = fc.record({
  kind: fc.constantFrom('text', 'fragment', 'last', 'ping'),
  length: fc.oneof(fc.integer({ min: 0, max: 125 }), fc.constantFrom(126, 127, 200, 65_535, 65_536, 70_000)),
  masked: fc.boolean(),
});
const frames = fc.array(
  sent.map((one) => (one.kind === 'ping' ? { ...one, length: one.length % 126 } : one)),
  { maxLength: 12 },
);

it('says what waits for more, however the bytes are cut', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1 }), (all, cuts) => {
      const bytes = Buffer.concat(all.map(frameOf));
      const meter = new FrameMeter();
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const end = Math.min(bytes.length, at + (cuts[i % cuts.length] ?? 1));
        const held = meter.take(bytes.subarray(at, end));
        const waiting = waitingOf(all, end);
        expect(held % pieceBytes).toBe(waiting % pieceBytes);
        expect(held > 0).toBe(waiting > 0);
        expect(held).toBeGreaterThanOrEqual(waiting);
        at = end;
      }
    }),
  );
});

it('counts each piece for what it costs beside its bytes: what comes at a time, and each fragment', () => {
  const meter = new FrameMeter();
  const fragment = frameOf({ kind: 'fragment', length: 10, masked: true });
  expect(meter.take(fragment.subarray(0, 1))).toBe(1 + pieceBytes);
  expect(meter.take(fragment.subarray(1, 2))).toBe(2 + 2 * pieceBytes);
  expect(meter.take(fragment.subarray(2))).toBe(fragment.length + 4 * pieceBytes);
  expect(meter.take(Buffer.concat([fragment, fragment, fragment]))).toBe(
    4 * fragment.length + 8 * pieceBytes,
  );
  expect(meter.take(frameOf({ kind: 'last', length: 10, masked: true }))).toBe(0);
});
