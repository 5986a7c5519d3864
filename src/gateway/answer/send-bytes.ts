import type { Outgoing } from '../ends.ts';

/** So much is written at a time: of what is taken in one piece nobody could tell whether any of it is. */
const pieceBytes = 65_536;

/**
 * Writes a body to a response whose head is set, and ends it. Resolves when the last byte is handed to the connection;
 * rejects when the response is closed first.
 */
export async function sendBytes(
  bytes: Buffer,
  response: Outgoing,
  sent: (bytes: number) => void,
): Promise<void> {
  let from = 0;
  for (; bytes.length - from > pieceBytes; from += pieceBytes) {
    sent(pieceBytes);
    if (!response.write(bytes.subarray(from, from + pieceBytes))) await drained(response);
  }
  sent(bytes.length - from);
  // The last piece and the end in one: between them a quick client, gone with the last byte, would pass for one that left early.
  response.end(from === 0 ? bytes : bytes.subarray(from));
}

async function drained(response: Outgoing): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onDrain = (): void => resolve();
  const onClose = (): void => reject(new Error('the response was closed before its end'));
  if (response.destroyed) onClose();
  response.once('drain', onDrain).once('close', onClose);
  try {
    await promise;
  } finally {
    response.off('drain', onDrain).off('close', onClose);
  }
}
