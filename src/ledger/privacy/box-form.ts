import { z } from 'zod';
import type { Json } from '../../lib/canonical-json.ts';

/** Of a key: 32 bytes for AES-256, named by 16 that say nothing of it. */
export const keyBytes = 32;
export const keyNameBytes = 16;

/** Which of the commitments of the event it is of, from 0; the salt; the value. */
export type SealedValue = readonly [number, string, Json];

/** Values of one event that belong to one subject, under that subject's key. */
export interface Box {
  /** Hex. */
  readonly keyName: string;
  /** Null where the key is not this box's, or it has been altered so that nothing can be read. */
  open(event: string, secret: Uint8Array): readonly SealedValue[] | null;
}

const valuesSchema = z.array(z.tuple([z.int(), z.string(), z.json()]));

/** Null for bytes that are no values: of another key, or altered. */
export function valuesIn(bytes: Buffer): readonly SealedValue[] | null {
  let values: unknown;
  try {
    values = JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
  return valuesSchema.safeParse(values).data ?? null;
}
