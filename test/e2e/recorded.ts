import { z } from 'zod';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { StoredEvent } from '../../src/ledger/stored-events.ts';
import type { DecisionId } from '../../src/lib/ids.ts';

const link = z.object({ kind: z.string(), id: z.string(), name: z.string().default('') });

const recordedSchema = z.object({
  metadata: z.object({ uid: z.string() }),
  unmapped: z.object({
    lockstep: z.looseObject({
      kind: z.string(),
      chain: z.array(link),
      action: z.string().optional(),
      scope: z.string().optional(),
      path: z.string().optional(),
      allowed: z.boolean().optional(),
      reason: z.string().optional(),
      activity: z.string().optional(),
      succeeded: z.boolean().optional(),
      failureCode: z.string().nullish(),
      leaseId: z.string().nullish(),
      policyId: z.string().nullish(),
      decisionId: z.string().nullish(),
      requestId: z.string().nullish(),
      change: z.looseObject({ kind: z.string() }).optional(),
      ending: z.string().optional(),
    }),
  }),
});

/** An event as the ledger holds it, reduced to Lockstep's own facts. */
export type Recorded = z.infer<typeof recordedSchema>['unmapped']['lockstep'] & {
  readonly sequence: number;
  readonly id: string;
  /** All that is told of it, for searching in. */
  readonly text: string;
};

/** Everything that the ledger holds from after `sequence` on, read from the store itself. */
export async function recordedSince(ledger: Ledger, sequence: number): Promise<Recorded[]> {
  const found: Recorded[] = [];
  for (let after = sequence; ;) {
    const page = await ledger.eventsAfter(after, 1000);
    found.push(...page.map(recorded));
    after = found.at(-1)?.sequence ?? after;
    if (page.length < 1000) return found;
  }
}

/** Everything that the ledger holds under one decision. */
export async function recordedUnder(ledger: Ledger, decisionId: string): Promise<Recorded[]> {
  return (await ledger.eventsByDecision(decisionId as DecisionId)).map(recorded);
}

function recorded({ told, event, sequence }: StoredEvent): Recorded {
  const { metadata, unmapped } = recordedSchema.parse(event);
  const text = Buffer.from(told).toString('utf8');
  return { ...unmapped.lockstep, sequence, id: metadata.uid, text };
}
