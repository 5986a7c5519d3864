import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { Json } from '../../lib/canonical-json.ts';

/** Of a key: 32 bytes for AES-256, named by 16 that say nothing of it. */
export const keyBytes = 32;
export const keyNameBytes = 16;
export const nonceBytes = 12;
const tagBytes = 16;
const lengthBytes = 4;
/** Lengths of values are told no more exactly than this. */
const padding = 64;

/** Values of one event that belong to one subject, under that subject's key. */
export interface Box {
  /** Hex. */
  readonly keyName: string;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

/** Which of the commitments of the event it is of, from 0; the salt; the value. */
export type SealedValue = readonly [number, string, Json];

/** AES-256-GCM of the values with their salts, bound to the event. NIST SP 800-38D. */
export function closeBox(
  event: string,
  keyName: string,
  key: KeyObject,
  nonce: Uint8Array,
  values: readonly SealedValue[],
): Box {
  const text = JSON.stringify(values);
  const length = Buffer.byteLength(text);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(event));
  const ciphertext = cipher.update(text + ' '.repeat(padding - (length % padding)), 'utf8');
  // In this mode nothing is left for the end.
  cipher.final();
  return { keyName, nonce, ciphertext, tag: cipher.getAuthTag() };
}

const valuesSchema = z.array(z.tuple([z.int(), z.string(), z.json()]));

/** Null for a box that was not closed under this key for this event, or has been altered. */
export function openBox(
  event: string,
  key: Uint8Array,
  { nonce, ciphertext, tag }: Box,
): readonly SealedValue[] | null {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(event));
  decipher.setAuthTag(tag);
  let text: string;
  try {
    text = Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
  return valuesSchema.parse(JSON.parse(text));
}

const headBytes = keyNameBytes + nonceBytes + tagBytes + lengthBytes;

/** Name of the key, nonce, tag, length and ciphertext, one box after the other. */
export function encodeBoxes(boxes: readonly Box[]): Uint8Array {
  let length = 0;
  for (const { ciphertext } of boxes) length += headBytes + ciphertext.length;
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { keyName, nonce, tag, ciphertext } of boxes) {
    at += out.write(keyName, at, 'hex');
    out.set(nonce, at);
    out.set(tag, at + nonceBytes);
    at = out.writeUInt32BE(ciphertext.length, at + nonceBytes + tagBytes);
    out.set(ciphertext, at);
    at += ciphertext.length;
  }
  return out;
}

/** Null for what `encodeBoxes` does not make. */
export function decodeBoxes(bytes: Uint8Array): Box[] | null {
  const from = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const boxes: Box[] = [];
  for (let at = 0; at < from.length;) {
    const start = at + headBytes;
    if (start > from.length) return null;
    const end = start + from.readUInt32BE(start - lengthBytes);
    if (end > from.length) return null;
    const nonceAt = at + keyNameBytes;
    const tagAt = nonceAt + nonceBytes;
    boxes.push({
      keyName: from.toString('hex', at, nonceAt),
      nonce: from.subarray(nonceAt, tagAt),
      tag: from.subarray(tagAt, tagAt + tagBytes),
      ciphertext: from.subarray(start, end),
    });
    at = end;
  }
  return boxes;
}
