/** When signing keys come and go; all in seconds. */
export interface Rotation {
  /** How long one key signs. */
  readonly signSeconds: number;
  /** How long before it signs a key is published, so that caches of the key set know it in time. */
  readonly publishAheadSeconds: number;
  /** The longest life of any token; a key stays published for so long after it stopped signing. */
  readonly longestTokenSeconds: number;
}

/** Verifiers may run this far behind or ahead. */
export const clockSkewSeconds = 60;

export const defaultRotation: Rotation = {
  signSeconds: 30 * 86_400,
  publishAheadSeconds: 86_400,
  longestTokenSeconds: 86_400,
};

/** What rotation looks at of a key; milliseconds since the epoch. */
export interface KeyLife {
  readonly activeFrom: number;
  readonly activeUntil: number;
}

/** When the next key has to begin to sign, or null while the keys that exist suffice. */
export function nextActivation(keys: readonly KeyLife[], now: number, rotation: Rotation): number | null {
  if (!keys.some((key) => key.activeFrom <= now && now < key.activeUntil)) return now;
  const last = Math.max(...keys.map((key) => key.activeUntil));
  return last - rotation.publishAheadSeconds * 1000 <= now ? last : null;
}
