import type { IncomingHttpHeaders } from 'node:http';
import { blobFailure } from './errors.ts';
import type { Precondition, Version } from './store.ts';

/** Entity tags without quotes, or `*`; times in whole seconds since the epoch. RFC 9110 §13.1. */
export interface Conditions {
  readonly ifMatch: EntityTags | null;
  readonly ifNoneMatch: EntityTags | null;
  readonly ifModifiedSince: number | null;
  readonly ifUnmodifiedSince: number | null;
}

type EntityTags = '*' | readonly EntityTag[];
interface EntityTag {
  readonly value: string;
  readonly weak: boolean;
}

export const conditionHeaders = [
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
] as const;

/** Throws InvalidHeaderValue for what cannot be understood: a condition is never dropped. */
export function parseConditions(headers: IncomingHttpHeaders): Conditions {
  return {
    ifMatch: entityTags('If-Match', headers['if-match']),
    ifNoneMatch: entityTags('If-None-Match', headers['if-none-match']),
    ifModifiedSince: httpDate('If-Modified-Since', headers['if-modified-since']),
    ifUnmodifiedSince: httpDate('If-Unmodified-Since', headers['if-unmodified-since']),
  };
}

/** Whether a read goes ahead (RFC 9110 §13.2.2). Throws ConditionNotMet. */
export function evaluateRead(conditions: Conditions, current: Version): 'proceed' | 'not-modified' {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  if (ifMatch !== null) {
    if (!matchesStrongly(ifMatch, current)) throw notMet();
  } else if (ifUnmodifiedSince !== null && seconds(current) > ifUnmodifiedSince) throw notMet();
  if (ifNoneMatch !== null) return matchesWeakly(ifNoneMatch, current) ? 'not-modified' : 'proceed';
  return ifModifiedSince !== null && seconds(current) <= ifModifiedSince ? 'not-modified' : 'proceed';
}

/**
 * The check of a write: every condition must hold. With `creates`, `If-None-Match: *` on what exists is
 * BlobAlreadyExists (409), as Blob's clients expect; everything else is ConditionNotMet (412).
 */
export function writePrecondition(conditions: Conditions, creates = false): Precondition {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  return (current) => {
    if (current === null) {
      if (ifMatch !== null) throw notMet();
      return;
    }
    if (ifMatch !== null && !matchesStrongly(ifMatch, current)) throw notMet();
    if (ifNoneMatch === '*' && creates) throw blobFailure('BlobAlreadyExists', 'The blob exists already.');
    if (ifNoneMatch !== null && matchesWeakly(ifNoneMatch, current)) throw notMet();
    if (ifModifiedSince !== null && seconds(current) <= ifModifiedSince) throw notMet();
    if (ifUnmodifiedSince !== null && seconds(current) > ifUnmodifiedSince) throw notMet();
  };
}

function notMet() {
  return blobFailure('ConditionNotMet', 'A condition in the headers of the request does not hold.');
}

function matchesStrongly(tags: EntityTags, { etag }: Version): boolean {
  return tags === '*' || tags.some(({ value, weak }) => !weak && value === etag);
}

function matchesWeakly(tags: EntityTags, { etag }: Version): boolean {
  return tags === '*' || tags.some(({ value }) => value === etag);
}

/** Headers carry whole seconds, so that is what is compared. */
function seconds({ updatedAt }: Version): number {
  return Math.floor(updatedAt / 1000);
}

function entityTags(name: string, header: string | undefined): EntityTags | null {
  if (header === undefined) return null;
  const text = header.trim();
  if (text === '*') return '*';
  return text.split(',').map((part) => {
    const match = /^(W\/)?(?:"([^"\s]+)"|([^"\s*]+))$/.exec(part.trim());
    const value = match?.[2] ?? match?.[3];
    if (value === undefined) throw invalid(name);
    return { value, weak: match?.[1] !== undefined };
  });
}

const imfFixdate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

function httpDate(name: string, header: string | undefined): number | null {
  if (header === undefined) return null;
  const time = imfFixdate.test(header) ? Date.parse(header) : Number.NaN;
  if (Number.isNaN(time)) throw invalid(name);
  return time / 1000;
}

function invalid(name: string) {
  return blobFailure('InvalidHeaderValue', `The value of ${name} is not understood.`);
}
