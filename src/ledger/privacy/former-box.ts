import { createDecipheriv } from 'node:crypto';
import { keyNameBytes, valuesIn, type Box, type SealedValue } from './box-form.ts';

const nonceBytes = 12;
const tagBytes = 16;
const lengthBytes = 4;
const headBytes = keyNameBytes + nonceBytes + tagBytes + lengthBytes;

/**
 * Boxes as they were closed before there was a mark: name of the key, nonce, tag, length, and the values in AES-256-GCM (NIST
 * SP 800-38D) with the event's id beside them. Null for what is none.
 */
export function formerBoxesIn(from: Buffer): Box[] | null {
  const boxes: Box[] = [];
  for (let at = 0; at < from.length;) {
    const start = at + headBytes;
    if (start > from.length) return null;
    const end = start + from.readUInt32BE(start - lengthBytes);
    if (end > from.length) return null;
    const nonceAt = at + keyNameBytes;
    const tagAt = nonceAt + nonceBytes;
    const nonce = from.subarray(nonceAt, tagAt);
    const tag = from.subarray(tagAt, tagAt + tagBytes);
    const ciphertext = from.subarray(start, end);
    boxes.push({
      keyName: from.toString('hex', at, nonceAt),
      open: (event, secret) => open(event, secret, nonce, tag, ciphertext),
    });
    at = end;
  }
  return boxes;
}

function open(
  event: string,
  secret: Uint8Array,
  nonce: Uint8Array,
  tag: Uint8Array,
  ciphertext: Uint8Array,
): readonly SealedValue[] | null {
  const decipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(event));
  decipher.setAuthTag(tag);
  try {
    return valuesIn(Buffer.concat([decipher.update(ciphertext), decipher.final()]));
  } catch {
    return null;
  }
}
