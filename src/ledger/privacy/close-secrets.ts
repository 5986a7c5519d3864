import type { Secret } from '../catalogue/seal.ts';
import { closeBoxes } from './box.ts';
import type { SealedValue } from './box-form.ts';
import type { SubjectKey, SubjectKeys } from './subject-keys.ts';

/** What stands beside an entry. */
export interface Beside {
  /** Null for an event without personal values. */
  readonly boxes: Uint8Array | null;
  readonly keys: readonly SubjectKey[];
}

/** Closes the secrets of one event, each under the key of its subject. */
export function closeSecrets(keys: SubjectKeys, secrets: readonly Secret[]): Beside {
  if (secrets.length === 0) return { boxes: null, keys: [] };
  const bySubject = new Map<SubjectKey, SealedValue[]>();
  for (const [i, { subject, salt, value }] of secrets.entries()) {
    const key = keys.of(subject);
    const own = bySubject.get(key);
    if (own === undefined) bySubject.set(key, [[i, salt, value]]);
    else own.push([i, salt, value]);
  }
  const closings = [...bySubject].map(([{ name, stream }, values]) => ({ keyName: name, stream, values }));
  return { boxes: closeBoxes(closings), keys: [...bySubject.keys()] };
}
