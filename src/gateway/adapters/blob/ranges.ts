import type { IncomingHttpHeaders } from 'node:http';
import { blobFailure } from './errors.ts';

/** As asked for; `end` is included, null for the rest. */
export interface AskedRange {
  readonly start: number;
  readonly end: number | null;
}

/** Inside the blob; both ends included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * `x-ms-range`, or else `Range`; null for the whole blob. Blob knows `bytes=a-b` and `bytes=a-` only, anything else is
 * InvalidHeaderValue. learn.microsoft.com/rest/api/storageservices/specifying-the-range-header-for-blob-service-operations
 */
export function parseRange(headers: IncomingHttpHeaders): AskedRange | null {
  const header = headers['x-ms-range'] ?? headers.range;
  if (header === undefined) return null;
  const match = typeof header === 'string' ? /^bytes=(\d{1,15})-(\d{1,15})?$/.exec(header) : null;
  const start = Number(match?.[1] ?? Number.NaN);
  const end = match?.[2] === undefined ? null : Number(match[2]);
  if (Number.isNaN(start) || (end !== null && end < start)) {
    throw blobFailure('InvalidHeaderValue', 'A range is bytes=first-last or bytes=first-.');
  }
  return { start, end };
}

/** Throws InvalidRange when the range starts at or beyond the end; an empty blob has no range. */
export function resolveRange(asked: AskedRange, size: number): ByteRange {
  if (asked.start >= size) {
    throw blobFailure('InvalidRange', `The range starts beyond the blob, which has ${size} bytes.`, { size });
  }
  return { start: asked.start, end: Math.min(asked.end ?? size - 1, size - 1) };
}
