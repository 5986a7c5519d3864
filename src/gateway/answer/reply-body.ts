import { Readable } from 'node:stream';
import type { Reply } from '../types.ts';

/** A body may break before anybody listens; whoever reads it later finds it destroyed. */
export function calm(reply: Reply): Reply {
  if (reply.body instanceof Readable) reply.body.on('error', ignoreBrokenBody);
  return reply;
}

function ignoreBrokenBody(): void {
  // Nothing to do.
}

/** Nobody will read it. */
export function discard(reply: Reply): void {
  if (reply.body instanceof Readable) reply.body.on('error', ignoreBrokenBody).destroy();
  reply.upstream?.webSocket.on('error', ignoreBrokenBody).terminate();
}
