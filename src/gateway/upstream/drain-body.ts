import type { Readable } from 'node:stream';

/** What is read of an unwanted body for the sake of the connection that it comes by; beyond it, that is given up. */
const mostBytes = 131_072;
const mostMilliseconds = 5000;

/** Throws away the body of an answer. Never rejects. */
export async function drainBody(body: Readable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let bytes = 0;
  const enough = setTimeout(() => body.destroy(), mostMilliseconds);
  body.on('error', () => undefined).once('close', () => resolve());
  body.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > mostBytes) body.destroy();
  });
  if (body.destroyed) resolve();
  await promise;
  clearTimeout(enough);
}
