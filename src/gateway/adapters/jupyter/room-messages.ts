import type { Admit } from '../../web-socket/admit.ts';

/** First byte of a message of jupyter-server-ydoc; behind `sync` stands the step. (y-protocols, PROTOCOL.md) */
const kinds = { sync: 0, raw: 2 } as const;
const askForState = 0;
const save = Buffer.from('\x04save', 'latin1');

/**
 * What a reader may send into the room of a document: the question of what is in it, and nothing else. Changes, cursors and
 * whatever is unknown stay here; a wish to save is told that it failed, for which JupyterLab waits. Only the shortest form of
 * a number is known: what another parser might take for it in a longer one stays here too.
 */
export const readsOnly: Admit = (message, isBinary) => {
  if (!isBinary) return { answer: null };
  if (message[0] === kinds.sync && message[1] === askForState) return 'pass';
  if (message[0] === kinds.raw && message.subarray(1, 1 + save.length).equals(save)) {
    const id = numberAt(message, 1 + save.length);
    return { answer: id === null ? null : rawMessage({ type: 'save', responseTo: id, status: 'failed' }) };
  }
  return { answer: null };
};

/** Seven bits a byte, the lowest first; the highest bit says that there are more (lib0). Null for what is no safe integer. */
function numberAt(bytes: Buffer, start: number): number | null {
  let number = 0;
  let weight = 1;
  for (let at = start; at < bytes.length && weight <= 2 ** 42; at++, weight *= 128) {
    const byte = bytes[at] ?? 0;
    number += (byte & 0x7f) * weight;
    if (byte < 0x80) return number;
  }
  return null;
}

function rawMessage(value: object): Uint8Array {
  const text = Buffer.from(JSON.stringify(value));
  const length: number[] = [];
  let rest = text.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([kinds.raw, ...length, rest]), text]);
}
