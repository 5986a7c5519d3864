import { canonical, type Members } from '../verify/canonical.ts';
import {
  commitmentHash,
  commitmentsOf,
  withCommitments,
  withValue,
  type Commitment,
} from '../verify/commitment.ts';
import { eventIn, uidOf, type Disclosure } from '../verify/disclose.ts';
import { decodeBoxes } from './box.ts';

/** An entry as it may be told now. */
export interface ToldEvent {
  /** The entry with every value in its place that has not been erased; what is left stays in `unmapped.lockstep.sealed`. */
  readonly event: Members;
  /** The same, in canonical JSON. */
  readonly told: Uint8Array;
  /** What shows that the log binds the values. */
  readonly disclosures: readonly Disclosure[];
  readonly withheld: readonly Commitment[];
}

/**
 * Opens what stands beside an entry, so far as it may still be known, and shows nothing that the entry does not bind.
 * What is no event, as a damaged row may be, is told as one that says nothing.
 */
export function tellEntry(
  entry: Uint8Array,
  boxes: Uint8Array | null,
  secretOf: (keyName: string) => Uint8Array | null,
): ToldEvent {
  const event = eventIn(entry);
  if (event === null) return tellWith({}, new Map());
  if (boxes === null) return { event, told: entry, disclosures: [], withheld: commitmentsOf(event) ?? [] };
  const uid = uidOf(event);
  const values = new Map<number, Opened>();
  for (const box of decodeBoxes(boxes) ?? []) {
    const secret = secretOf(box.keyName);
    if (secret === null) continue;
    for (const [i, salt, value] of box.open(uid, secret) ?? []) values.set(i, { salt, value });
  }
  return tellWith(event, values);
}

/** A value with its salt, of the commitment at that place in the event's list. */
export type Opened = Pick<Disclosure, 'salt' | 'value'>;

/** The same, of values that are at hand. */
export function tellWith(event: Members, values: ReadonlyMap<number, Opened>): ToldEvent {
  const uid = uidOf(event);
  let told = event;
  const disclosures: Disclosure[] = [];
  const withheld: Commitment[] = [];
  for (const [i, commitment] of (commitmentsOf(event) ?? []).entries()) {
    const { at, hash } = commitment;
    const one = values.get(i);
    const opened =
      one !== undefined && commitmentHash(uid, at, one.salt, one.value) === hash
        ? withValue(told, at, one.value)
        : null;
    if (one === undefined || opened === null) withheld.push(commitment);
    else {
      told = opened;
      disclosures.push({ at, ...one });
    }
  }
  const whole = withCommitments(told, withheld);
  return { event: whole, told: Buffer.from(canonical(whole) ?? ''), disclosures, withheld };
}
