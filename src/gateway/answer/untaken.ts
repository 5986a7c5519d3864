import type { Outgoing } from '../ends.ts';

/** A client that takes nothing for so long is given up. */
export const untakenMilliseconds = 300_000;

/**
 * To be called once, when the head is set: gives the answer up when its client takes nothing of it for so long, at the
 * latest after twice that. Only the time counts in which the client alone is waited for: neither that in which more of
 * the body has yet to come, nor that behind another answer on the connection. Most answers are taken in the turn in
 * which they are written, and never get a timer.
 */
export function giveUpUntaken(response: Outgoing, milliseconds: number): void {
  setImmediate(watch, response, milliseconds);
}

function watch(response: Outgoing, milliseconds: number): void {
  if (response.writableFinished || response.destroyed) return;
  let waited = waitsForClient(response);
  const enough = setTimeout(() => {
    const waits = waitsForClient(response);
    if (waited && waits) return void response.destroy();
    waited = waits;
    enough.refresh();
  }, milliseconds).unref();
  const onDrain = (): void => {
    waited = false;
    enough.refresh();
  };
  response.on('drain', onDrain).once('close', () => clearTimeout(enough));
}

function waitsForClient({ socket, writableEnded, writableFinished, writableNeedDrain }: Outgoing): boolean {
  return socket !== null && (writableNeedDrain || (writableEnded && !writableFinished));
}
