import { canonicalJson, type JsonObject } from '../../lib/canonical-json.ts';
import { failure } from '../../lib/errors.ts';
import type { EventId } from '../../lib/ids.ts';
import type { Fact } from '../events.ts';
import { maxEntryBytes } from '../tlog/bundle.ts';
import { cleanObject, cleanText } from './clean.ts';
import { describeFact, eventOf } from './event.ts';
import { shortenObject } from './fit.ts';
import { contextUser, type Described } from './ocsf.ts';
import { personalIn, type Personal } from './personal.ts';
import { seal, type Secret } from './seal.ts';

/** Where a change stands in the feed. */
export interface Position {
  readonly sequence: number;
  /** Sequence of the change before it; 0 for the first. */
  readonly previous: number;
}

export interface EntryContext {
  readonly id: EventId;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly origin: string;
  readonly productVersion: string;
  /** Of a change; null for what changes nothing. */
  readonly position: Position | null;
}

/** One event, ready to be a row and a log entry. */
export interface Entry {
  readonly id: EventId;
  readonly position: Position | null;
  readonly time: number;
  readonly classUid: number;
  readonly decisionId: string | null;
  readonly jobId: string | null;
  readonly principalId: string | null;
  /** Canonical JSON, UTF-8, at most 65 535 bytes. */
  readonly bytes: Uint8Array;
  /** The personal values that it binds, which stand beside it for as long as they may be known. */
  readonly secrets: readonly Secret[];
}

/**
 * The OCSF 1.8.0 event of a fact, its personal values taken out and bound by commitments. Free text too long for a log entry is cut with a marker and `is_truncated` set;
 * a change is what the feed is replayed from, so one that does not fit whole throws `too_large`.
 */
export function entryOf(fact: Fact, context: EntryContext): Entry {
  const by = fact.attribution;
  const described = describeFact(fact);
  const { bytes, secrets } = fitted(fact, described, context);
  return {
    id: context.id,
    position: context.position,
    time: context.time,
    classUid: described.class.uid,
    decisionId: by.decisionId,
    jobId: described.jobId ?? by.chain.find((link) => link.kind === 'job')?.id ?? null,
    principalId: by.chain.length === 0 ? null : contextUser(by.chain).id,
    bytes,
    secrets,
  };
}

const textLimits = [4_096, 1_024, 256];
const neverCut = new Set(['change']);

function fitted(fact: Fact, described: Described, context: EntryContext): Pick<Entry, 'bytes' | 'secrets'> {
  const personal = personalIn(fact);
  const first = sealedEntry(eventOf(fact, described, context), context.id, personal);
  if (first.size <= maxEntryBytes) return first;
  const event = cleanObject(eventOf(fact, describeFact(fact), context));
  const size = Buffer.byteLength(canonicalJson(event));
  for (const limit of textLimits) {
    const flagged = cleanObject({
      ...event,
      metadata: { ...objectAt(event, 'metadata'), is_truncated: true, untruncated_size: size },
    });
    const cut = sealedEntry(shortenObject(flagged, limit, neverCut), context.id, personal);
    if (cut.size <= maxEntryBytes) return cut;
  }
  throw failure(
    'too_large',
    'This is more than one entry of the ledger can hold, so it cannot be recorded.',
    {
      bytes: size,
      maxBytes: maxEntryBytes,
    },
  );
}

/** `size` is that of the entry and what is told with it. */
function sealedEntry(
  event: object,
  uid: string,
  personal: readonly Personal[],
): Pick<Entry, 'bytes' | 'secrets'> & { readonly size: number } {
  const secrets = seal(event, uid, personal);
  const bytes = Buffer.from(cleanText(event));
  return { bytes, secrets, size: bytes.length + sizeOf(secrets) };
}

/** What they take in an event that is told whole. */
function sizeOf(secrets: readonly Secret[]): number {
  let size = 0;
  for (const { value, at } of secrets) {
    const text = typeof value === 'string' ? value : canonicalJson(value);
    // More than any character takes, escapes included, is not worth counting for what is short.
    size += at.length * (text.length < 1_024 ? 0 : Buffer.byteLength(JSON.stringify(text)));
  }
  return size;
}

function objectAt(event: JsonObject, name: string): object {
  const member = event[name];
  return typeof member === 'object' && member !== null ? member : {};
}
