import type { OutgoingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Outgoing } from '../ends.ts';

export interface PumpWatch {
  /** Asked when the body has ended. */
  trailers?(): OutgoingHttpHeaders;
  /** Told of every piece. */
  sent(bytes: number): void;
  /** Told when the body breaks off, before anything is done about it. */
  broke(): void;
}

/**
 * Writes a body to a response whose head is set, with backpressure, and ends it. Resolves when the last byte is handed
 * to the connection. Rejects when the body breaks off, leaving the response open for the caller to destroy, and when
 * the response is closed first, whereupon the body is destroyed. (`stream.pipeline` does more, and costs a tenth of a
 * small request for it.)
 */
export async function pump(body: Readable, response: Outgoing, watch: PumpWatch): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // A slow first byte must not hold the head back; a quick one should share its packet.
  const flush = setImmediate(() => response.flushHeaders());
  const onDrain = (): void => {
    body.resume();
  };
  const onData = (chunk: Buffer | string): void => {
    clearImmediate(flush);
    watch.sent(typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length);
    if (!response.write(chunk)) body.pause();
  };
  const onEnd = (): void => {
    clearImmediate(flush);
    if (watch.trailers !== undefined) response.addTrailers(watch.trailers());
    response.end();
  };
  const onBodyError = (fault: Error): void => {
    clearImmediate(flush);
    watch.broke();
    reject(fault);
  };
  const onBodyClose = (): void => {
    if (!body.readableEnded) onBodyError(new Error('the body was closed before its end'));
  };
  const onFinish = (): void => resolve();
  const onClose = (): void => {
    clearImmediate(flush);
    if (response.writableFinished) {
      resolve();
      return;
    }
    body.off('close', onBodyClose).off('error', onBodyError).on('error', ignore);
    body.destroy();
    reject(new Error('the response was closed before its end'));
  };
  if (response.destroyed) onClose();
  else {
    response.on('drain', onDrain).on('finish', onFinish).on('close', onClose);
    body.on('data', onData).on('end', onEnd).on('error', onBodyError).on('close', onBodyClose);
    if (body.destroyed && !body.readableEnded) onBodyClose();
  }
  return promise;
}

/** A body that nobody reads any more may fail as it likes. */
function ignore(): void {
  // Nothing to do.
}
