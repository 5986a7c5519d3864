import { canonical, isList, isMembers, type Members, type Value } from './canonical.ts';
import { commitmentHash, commitmentsOf, withCommitments, withValue, type Commitment } from './commitment.ts';
import { refusal, type Refusal } from './refusal.ts';

/** One value of an event with the salt that shows that the entry in the log binds it. */
export interface Disclosure {
  readonly at: readonly string[];
  /** base64url, 128 bits. */
  readonly salt: string;
  readonly value: Value;
}

/** What is handed to an auditor beside a receipt. */
export interface Disclosures {
  readonly event: string;
  readonly disclosures: readonly Disclosure[];
}

export type DisclosedEvent =
  | {
      readonly ok: true;
      /** The entry with the disclosed values in their places. */
      readonly event: Members;
      readonly disclosed: readonly Disclosure[];
      /** What it binds besides, and nobody has shown. */
      readonly withheld: readonly Commitment[];
    }
  | Refusal;

/**
 * Puts the values that somebody discloses into an entry of the log, if they are those that it binds. The entry must have
 * been proven to be in the log, by its receipt or with the whole log. A finding is a value with its reason.
 */
export function discloseEntry(entry: Uint8Array, text: string): DisclosedEvent {
  const event = eventIn(entry);
  if (event === null) return refusal('the entry is not an event');
  const given = parseDisclosures(text);
  if (given === null) return refusal('the disclosures are not in form');
  const uid = uidOf(event);
  if (given.event !== uid) return refusal(`the disclosures are of ${given.event}, the entry is of ${uid}`);
  const commitments = commitmentsOf(event);
  if (commitments === null) return refusal('the entry does not say in form what it binds');
  const left = new Map(commitments.map((commitment) => [keyOf(commitment.at), commitment]));
  let disclosed = event;
  for (const { at, salt, value } of given.disclosures) {
    const commitment = left.get(keyOf(at));
    if (commitment === undefined) return refusal(`the entry binds nothing more at ${at.join(' and ')}`);
    if (commitmentHash(uid, at, salt, value) !== commitment.hash) {
      return refusal(`what is disclosed at ${at.join(' and ')} is not what the entry binds`);
    }
    left.delete(keyOf(at));
    disclosed = withValue(disclosed, at, value) ?? disclosed;
  }
  const withheld = [...left.values()];
  return {
    ok: true,
    event: withCommitments(disclosed, withheld),
    disclosed: given.disclosures,
    withheld,
  };
}

/** One line. */
export function formatDisclosures({ event, disclosures }: Disclosures): string {
  const items = disclosures.map(({ at, salt, value }): Members => ({ at, salt, value }));
  return `${canonical({ event, disclosures: items }) ?? ''}\n`;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** An entry read; null for what is no event. */
export function eventIn(entry: Uint8Array): Members | null {
  try {
    const event: unknown = JSON.parse(utf8.decode(entry));
    return isMembers(event) ? event : null;
  } catch {
    return null;
  }
}

/** The id of the event, to which its commitments are bound. */
export function uidOf(event: Members): string {
  const metadata = event['metadata'];
  const uid = isMembers(metadata) && Object.hasOwn(metadata, 'uid') ? metadata['uid'] : undefined;
  return typeof uid === 'string' ? uid : '';
}

/** Canonical JSON, as `formatDisclosures` writes it; null for anything else: a member more, or twice, is not let pass. */
export function parseDisclosures(text: string): Disclosures | null {
  const read = canonicalObject(text.trimEnd());
  if (!hasExactly(read, ['event', 'disclosures'])) return null;
  const { event, disclosures } = read;
  if (typeof event !== 'string' || !isList(disclosures)) return null;
  const parsed: Disclosure[] = [];
  for (const item of disclosures) {
    if (!hasExactly(item, ['at', 'salt', 'value'])) return null;
    const { at, salt, value } = item;
    if (!isList(at) || !at.every((pointer) => typeof pointer === 'string')) return null;
    if (typeof salt !== 'string' || !/^[\w-]{22}$/.test(salt)) return null;
    if (value === undefined) return null;
    parsed.push({ at, salt, value });
  }
  return { event, disclosures: parsed };
}

/** Null for what is not JSON in canonical form, or is nested too deeply to be looked at. */
function canonicalObject(text: string): Members | null {
  try {
    const read: unknown = JSON.parse(text);
    return isMembers(read) && canonical(read) === text ? read : null;
  } catch {
    return null;
  }
}

function hasExactly(value: unknown, names: readonly string[]): value is Members {
  return (
    isMembers(value) &&
    Object.keys(value).length === names.length &&
    names.every((name) => Object.hasOwn(value, name))
  );
}

function keyOf(at: readonly string[]): string {
  return JSON.stringify(at);
}
