import { blobFailure } from './errors.ts';
import type { Query } from './request-rules.ts';

/** learn.microsoft.com/rest/api/storageservices/list-blobs: `maxresults` */
const mostResults = 5000;

/** Throws OutOfRangeQueryParameterValue for less than one; more than 5,000 means 5,000, as in Azure. */
export function parseMaxResults(query: Query): number {
  const text = query.get('maxresults');
  if (text === undefined) return mostResults;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1)
    throw blobFailure('OutOfRangeQueryParameterValue', "'maxresults' is a number from 1 to 5000.");
  return Math.min(value, mostResults);
}

/** A place in a listing as clients carry it; opaque to them, and no way out of the prefix that is decided on. */
export function markerOf(next: string | null): string {
  return next === null ? '' : `1!${Buffer.from(next, 'utf8').toString('base64url')}`;
}

/** The name to go on from; empty for the start. Throws InvalidQueryParameterValue for what was not made here. */
export function parseMarker(query: Query): string {
  const marker = query.get('marker') ?? '';
  if (marker === '') return '';
  const encoded = marker.startsWith('1!') ? marker.slice(2) : '';
  const name = Buffer.from(encoded, 'base64url').toString('utf8');
  if (name === '' || marker !== markerOf(name)) {
    throw blobFailure('InvalidQueryParameterValue', "The 'marker' is not one that a listing here gave.");
  }
  return name;
}

/** Throws InvalidQueryParameterValue for a value of `include` that is not among `known`. */
export function parseInclude(query: Query, known: readonly string[]): ReadonlySet<string> {
  const values = new Set((query.get('include') ?? '').split(',').filter((value) => value !== ''));
  for (const value of values) {
    if (!known.includes(value)) {
      throw blobFailure(
        'InvalidQueryParameterValue',
        `'include=${value.slice(0, 64)}' is not supported here.`,
      );
    }
  }
  return values;
}
