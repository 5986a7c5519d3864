import { z } from 'zod';
import { parseRecordedChange, withheld, type RecordedChange } from '../store/recorded-change.ts';
import type { Position } from './catalogue/entry.ts';

/** What an entry says that decisions can be made again from. */
export type RecordedEntry =
  | ({ readonly kind: 'change'; readonly position: Position | null } & RecordedChange)
  | { readonly kind: 'decision'; readonly facts: DecisionFacts }
  | { readonly kind: 'other' };

/** Of a `request.decided` event. */
export interface DecisionFacts {
  readonly eventId: string;
  readonly decisionId: string;
  readonly snapshotVersion: number;
  readonly allowed: boolean;
  readonly reason: string;
  readonly policyId: string;
  readonly decidedFor: string | null;
  readonly authorities: readonly string[];
  readonly action: string;
  readonly dataAction: boolean;
  readonly scope: string;
  readonly subOperation?: string;
  readonly subtree?: true;
  readonly attributes: z.infer<typeof attributes>;
  /** False when something of the access was cut, escaped or withheld in the record. */
  readonly whole: boolean;
}

const attributeSet = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.array(z.string()), z.array(z.number())]),
);
const attributes = z.strictObject({
  request: attributeSet.exactOptional(),
  resource: attributeSet.exactOptional(),
  environment: attributeSet.exactOptional(),
});
const entry = z.object({
  metadata: z.object({ uid: z.string(), is_truncated: z.boolean().optional() }),
  unmapped: z.object({ lockstep: z.looseObject({ kind: z.string() }) }),
});
const changed = z.object({
  sequence: z.int().optional(),
  previousChange: z.int().optional(),
  change: z.unknown(),
});
const decided = z.object({
  decisionId: z.string(),
  snapshotVersion: z.int(),
  allowed: z.boolean(),
  reason: z.string(),
  policyId: z.string(),
  decidedFor: z.string().nullable(),
  authorities: z.array(z.string()),
  action: z.string(),
  dataAction: z.boolean(),
  scope: z.string(),
  subOperation: z.string().exactOptional(),
  subtree: z.literal(true).exactOptional(),
  attributes: attributes.default({}),
  altered: z.boolean().default(false),
});

/**
 * Reads an entry of the log back. Throws a ZodError, or a SyntaxError, for one that is not in the form in which this
 * version records.
 */
export function parseEntry(bytes: Uint8Array): RecordedEntry {
  const text = Buffer.from(bytes).toString('utf8');
  const { metadata, unmapped } = entry.parse(JSON.parse(text));
  const facts = unmapped.lockstep;
  if (facts.kind === 'change') {
    const { sequence, previousChange: previous, change } = changed.parse(facts);
    // Entries of before changes were linked say nothing of their place.
    const position = sequence === undefined || previous === undefined ? null : { sequence, previous };
    return { kind: 'change', position, ...parseRecordedChange(change) };
  }
  if (facts.kind !== 'request.decided') return { kind: 'other' };
  const { altered, ...decision } = decided.parse(facts);
  const { scope, attributes: asked, action, subOperation } = decision;
  const whole =
    !altered &&
    metadata.is_truncated !== true &&
    !JSON.stringify([scope, asked, action, subOperation]).includes(withheld);
  return { kind: 'decision', facts: { ...decision, eventId: metadata.uid, whole } };
}
