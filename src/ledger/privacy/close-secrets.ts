import type { Secret } from '../catalogue/seal.ts';
import { closeBox, encodeBoxes, nonceBytes, type Box, type SealedValue } from './box.ts';
import { RandomPool } from '../../lib/random-pool.ts';
import type { SubjectKey, SubjectKeys } from './subject-keys.ts';

const nonces = new RandomPool(nonceBytes);

/** What stands beside an entry. */
export interface Beside {
  /** Null for an event without personal values. */
  readonly boxes: Uint8Array | null;
  readonly keys: readonly SubjectKey[];
}

/** Closes an event's secrets, each under the key of its subject. */
export function closeSecrets(keys: SubjectKeys, event: string, secrets: readonly Secret[]): Beside {
  if (secrets.length === 0) return { boxes: null, keys: [] };
  const bySubject = new Map<SubjectKey, SealedValue[]>();
  for (const [i, { subject, salt, value }] of secrets.entries()) {
    const key = keys.of(subject);
    const own = bySubject.get(key);
    if (own === undefined) bySubject.set(key, [[i, salt, value]]);
    else own.push([i, salt, value]);
  }
  const boxes: Box[] = [];
  for (const [{ name, key }, values] of bySubject) {
    boxes.push(closeBox(event, name, key, nonces.next(), values));
  }
  return { boxes: encodeBoxes(boxes), keys: [...bySubject.keys()] };
}
