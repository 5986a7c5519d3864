import type { IncomingMessage } from 'node:http';

/**
 * Keeps what follows a request on a connection that Node has paused, until Node resumes it.
 *
 * Node pauses a connection and its parser when a request arrives before an earlier answer has drained, be it that the
 * client pipelines or that it was quicker to answer than this process to notice. Several TLS records may come with one
 * read of the socket, and a parser that takes its bytes from the socket directly is given all of them, paused or not:
 * the second one fails as `HPE_PAUSED`, and with it a sound request. A listener for `data` takes the connection out of
 * that shortcut, so that the records wait in the stream's own bounded buffer; parsing is as strict as before. Must be
 * called while the `request` event of the server is emitted: later, the next record is lost already.
 */
export function keepWhatFollows({ socket }: IncomingMessage): void {
  if (!socket.isPaused() || socket.listeners('data').includes(ignore)) return;
  socket.on('data', ignore);
  // The stream never saw what the parser took, and still waits for its first read; unless that wait is ended it would
  // not read on (https://nodejs.org/docs/latest-v24.x/api/stream.html#readablepush).
  socket.push('');
}

/** The server's own listener reads the bytes. */
function ignore(): void {
  // Nothing to do.
}
