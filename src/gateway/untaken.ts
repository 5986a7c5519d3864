import type { Outgoing } from './ends.ts';

/** A client that takes nothing for so long is given up. */
export const untakenMilliseconds = 300_000;

/**
 * Gives an answer up of which its client takes nothing for so long, though all there is to wait for is the client. Time
 * spent behind another answer on the connection does not count. Most are taken in the turn in which they are written,
 * and never get a timer. (Streams of HTTP/2 are watched where they are written.)
 */
export function giveUpUntaken(response: Outgoing, milliseconds: number): void {
  setImmediate(watch, response, milliseconds);
}

function watch(response: Outgoing, milliseconds: number): void {
  if (response.writableFinished || response.destroyed) return;
  let hasTurn = response.socket !== null;
  const enough = setTimeout(() => {
    if (hasTurn) response.destroy();
    else {
      hasTurn = response.socket !== null;
      enough.refresh();
    }
  }, milliseconds).unref();
  response.on('drain', () => enough.refresh()).once('close', () => clearTimeout(enough));
}
