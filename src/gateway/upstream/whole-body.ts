/** The answer of an upstream, read whole. Throws a RangeError when there is more of it. */
export async function wholeBody(body: AsyncIterable<Buffer> | Buffer, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of Buffer.isBuffer(body) ? [body] : body) {
    length += chunk.length;
    if (length > maxBytes)
      throw new RangeError(`the answer of the upstream is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}
