import type { TileSource } from '../verify/tile-source.ts';

/** One full bundle of the longest entries, with room. */
const maxBytes = 32 * 1024 * 1024;

/**
 * A log at an address, e.g. `https://host:8443/ledger/`. 404 and 410 mean that there is no such resource;
 * any other failure throws, so that an outage is never taken for a finding.
 */
export function httpSource(prefix: string, options: { signal?: AbortSignal } = {}): TileSource {
  const root = prefix.endsWith('/') ? prefix : `${prefix}/`;
  return {
    read: async (path) => {
      const response = await fetch(new URL(path, root), {
        redirect: 'error',
        ...(options.signal ? { signal: options.signal } : {}),
      });
      if (response.status === 404 || response.status === 410) {
        await response.body?.cancel();
        return null;
      }
      if (!response.ok) {
        await response.body?.cancel();
        throw new Error(`${root}${path} answers ${response.status}`);
      }
      return readBounded(response, `${root}${path}`);
    },
  };
}

async function readBounded(response: Response, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw new Error(`${what} is longer than any part of a log can be`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
