import { versionHeaders } from '../replies.ts';
import type { BlobProperties } from '../store.ts';

/** What a writer is told of what it wrote. */
export function writtenHeaders(blob: BlobProperties): Readonly<Record<string, string>> {
  return {
    ...versionHeaders(blob),
    ...(blob.md5 === null ? {} : { 'content-md5': blob.md5 }),
    'x-ms-request-server-encrypted': 'false',
  };
}
