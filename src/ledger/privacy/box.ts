import { createDecipheriv } from 'node:crypto';
import { keyNameBytes, valuesIn, type Box, type SealedValue } from './box-form.ts';
import { counterBytes, keystreamKey, type Keystream } from './keystream.ts';
import { formerBoxesIn } from './former-box.ts';

const lengthBytes = 4;
/** Lengths of values are told no more exactly than this. */
const padding = 64;
/** Stands before boxes of this form; those of the former begin with the name of a key, which is random. */
const mark = Buffer.from('LSB2', 'latin1');
const headBytes = keyNameBytes + counterBytes + lengthBytes;

/** What is to be closed under one key. */
export interface Closing {
  /** Hex. */
  readonly keyName: string;
  readonly stream: Keystream;
  readonly values: readonly SealedValue[];
}

/**
 * Boxes, one after the other: name of the key, counter block, length, and the values with their salts in AES-256-CTR (NIST SP
 * 800-38A). A box has no tag of its own: the entry in the log binds each value to its event and place under its salt, and what
 * it does not bind is never shown, so that whoever alters a box can make it say nothing, and nothing else.
 */
export function closeBoxes(closings: readonly Closing[]): Uint8Array {
  const texts = closings.map(({ values }) => JSON.stringify(values));
  const lengths = texts.map((text) => Math.ceil((Buffer.byteLength(text) + 1) / padding) * padding);
  const out = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + headBytes + length, mark.length));
  let at = mark.copy(out);
  for (const [i, { keyName, stream }] of closings.entries()) {
    const length = lengths[i] ?? 0;
    out.write(keyName, at, 'hex');
    out.writeUInt32BE(length, at + keyNameBytes + counterBytes);
    const start = at + headBytes;
    const written = out.write(texts[i] ?? '', start);
    out.fill(' ', start + written, start + length);
    stream.encrypt(out, start, length, at + keyNameBytes);
    at = start + length;
  }
  return out;
}

/** Null for what is no boxes. */
export function decodeBoxes(bytes: Uint8Array): Box[] | null {
  const from = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (from.subarray(0, mark.length).equals(mark) ? boxesIn(from) : null) ?? formerBoxesIn(from);
}

function boxesIn(from: Buffer): Box[] | null {
  const boxes: Box[] = [];
  for (let at = mark.length; at < from.length;) {
    const start = at + headBytes;
    if (start > from.length) return null;
    const end = start + from.readUInt32BE(start - lengthBytes);
    if (end > from.length) return null;
    const counter = from.subarray(at + keyNameBytes, at + keyNameBytes + counterBytes);
    const ciphertext = from.subarray(start, end);
    boxes.push({
      keyName: from.toString('hex', at, at + keyNameBytes),
      open: (_event, secret) => {
        const decipher = createDecipheriv('aes-256-ctr', keystreamKey(secret), counter);
        return valuesIn(decipher.update(ciphertext));
      },
    });
    at = end;
  }
  return boxes;
}
