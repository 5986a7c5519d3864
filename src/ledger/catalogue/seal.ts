import type { Json } from '../../lib/canonical-json.ts';
import { commitmentHash, saltBytes, type Commitment } from '../verify/commitment.ts';
import { RandomPool } from '../../lib/random-pool.ts';
import { clean } from './clean.ts';
import { place, type Personal, type Place, type Subject } from './personal.ts';

/** A value that an entry binds and does not hold. */
export interface Secret {
  readonly subject: Subject;
  readonly at: readonly string[];
  /** base64url, 128 bits. */
  readonly salt: string;
  readonly value: Json;
}

const sealedPlace = place('/unmapped/lockstep/sealed');

/**
 * Takes the personal values out of an event and puts commitments to them in, `unmapped.lockstep.sealed`. Places that the
 * event has not got are passed over. What differs from its first place is bound by itself: nothing personal stays because
 * it was expected to be the same. None of the objects that hold a personal value may be anybody else's: they are changed.
 */
export function seal(event: object, uid: string, personal: readonly Personal[]): Secret[] {
  const secrets: Secret[] = [];
  const sealed: Commitment[] = [];
  for (const { subject, at } of personal) {
    for (const { value, pointers } of takenFrom(event, at)) {
      const secret = { subject, at: pointers, salt: salts.nextText(), value: clean(value) };
      const hash = commitmentHash(uid, pointers, secret.salt, secret.value);
      if (hash === null) throw new TypeError('what has been cleaned has a canonical form');
      sealed.push({ at: pointers, hash });
      secrets.push(secret);
    }
  }
  const holder = sealed.length === 0 ? null : holderOf(event, sealedPlace.steps);
  if (holder !== null) holder[sealedPlace.member] = sealed;
  return secrets;
}

interface Taken {
  readonly value: unknown;
  readonly pointers: string[];
}

/** The values at these places, each with all of the places that it stood in. */
function takenFrom(event: object, at: readonly Place[]): Taken[] {
  const taken: Taken[] = [];
  for (const { steps, member, pointer } of at) {
    const holder = holderOf(event, steps);
    const value = holder?.[member];
    if (holder === null || value === undefined || value === null || value === '') continue;
    holder[member] = undefined;
    let same: Taken | null = null;
    for (const one of taken) if (one.value === value) same = one;
    if (same === null) taken.push({ value, pointers: [pointer] });
    else same.pointers.push(pointer);
  }
  return taken;
}

const salts = new RandomPool(saltBytes);

function holderOf(event: object, steps: readonly string[]): Record<string, unknown> | null {
  let holder: unknown = event;
  for (const step of steps) {
    if (!isRecord(holder)) return null;
    holder = holder[step];
  }
  return isRecord(holder) ? holder : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
