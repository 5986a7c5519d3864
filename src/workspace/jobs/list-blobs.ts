import { failure } from '../../lib/errors.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { BlobLocation } from '../data-locations.ts';

const most = 10_000;

/**
 * Names of the blobs beneath a location that is a folder, or of the one blob that it is. Only names: the bytes are read
 * by the job itself. Throws `invalid_request` beyond 10,000 of them.
 */
export function blobLister(
  store: Pick<BlobStore, 'listBlobs'>,
): (location: BlobLocation) => Promise<readonly string[]> {
  return async ({ account, container, path, scope }) => {
    const at = { account, container, scope };
    const names: string[] = [];
    const collect = async (prefix: string, limit: number): Promise<void> => {
      let from: string | null = '';
      while (from !== null && names.length <= most) {
        const page = await store.listBlobs(at, { prefix, from, delimiter: '', limit });
        for (const entry of page.entries) if (entry.kind === 'blob') names.push(entry.blob.name);
        from = limit === 1 ? null : page.next;
      }
    };
    if (path !== '') {
      await collect(path, 1);
      if (names[0] === path) return names;
      names.length = 0;
    }
    await collect(path === '' ? '' : `${path}/`, 1000);
    if (names.length <= most) return names;
    throw failure(
      'invalid_request',
      `${container}/${path} holds more than ${most} blobs; name a smaller folder.`,
    );
  };
}
