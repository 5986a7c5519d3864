import { z } from 'zod';
import type { DecisionId, EventId } from '../../lib/ids.ts';
import type { Erased, Erasure } from '../../ledger/privacy/erase.ts';
import type { Disclosures } from '../../ledger/verify/disclose.ts';
import type { EventFilter } from '../../ledger/search/event-filter.ts';
import type { LedgerHealth } from '../../ledger/health.ts';
import type { SearchOptions } from '../../ledger/search/search-events.ts';
import type { Attribution, Follower } from '../../store/changes.ts';

/** What the admin API needs of the ledger. */
export interface EventLog {
  readonly verifierKey: string;
  readonly verifierKeys: readonly string[];
  readonly retiredKeys: readonly string[];
  lastSequence(): number;
  eventById(id: EventId): Promise<LoggedEvent | null>;
  eventsByDecision(id: DecisionId): Promise<readonly LoggedEvent[]>;
  eventsAfter(sequence: number, limit: number): Promise<readonly LoggedEvent[]>;
  search(filter: EventFilter, options: SearchOptions): Promise<FoundEvents>;
  disclosures(id: EventId): Promise<Disclosures>;
  erase(by: Attribution, erasure: Erasure): Promise<Erased>;
  prune(
    by: Attribution,
    before: number,
    signal?: AbortSignal,
  ): Promise<{ readonly firstIndex: number; readonly rows: number }>;
  pruneArchive(
    by: Attribution,
    before: number,
    signal?: AbortSignal,
  ): Promise<{ readonly firstIndex: number; readonly entries: number }>;
  receipt(id: EventId): Promise<string>;
  receiptAt(index: number): Promise<{ readonly text: string; readonly entry: Uint8Array }>;
  follow(follower: Follower): () => void;
  witnessing(): Witnessing | null;
  health(): LedgerHealth;
}

/** Newest first; `next` is where to go on. */
export interface FoundEvents {
  readonly events: readonly LoggedEvent[];
  readonly next: number | null;
}

/** How far the witnesses of the log have cosigned. */
export interface Witnessing {
  readonly size: number;
  readonly behind: number;
  readonly unmetSince: number | null;
  readonly witnesses: readonly {
    readonly name: string;
    readonly size: number;
    readonly time: number | null;
    readonly problem: string | null;
  }[];
}

/** A row of the ledger; `entry` is the canonical JSON that the log holds, `told` the same with what may be shown. */
export interface LoggedEvent {
  readonly sequence: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly entry: Uint8Array;
  readonly told: Uint8Array;
}

/** A name that has been erased is told by the id. */
const link = z
  .object({ kind: z.string(), id: z.string(), name: z.string().optional() })
  .transform(({ kind, id, name = id }) => ({ kind, id, name }));

/** What is read back of an event: Lockstep's own facts beside OCSF's attributes. */
export const eventSchema = z.looseObject({
  time: z.number(),
  metadata: z.looseObject({ uid: z.string(), event_code: z.string() }),
  unmapped: z.looseObject({
    lockstep: z.looseObject({
      kind: z.string(),
      chain: z.array(link),
      policyId: z.string().nullable(),
      decisionId: z.string().nullable(),
      snapshotVersion: z.number().nullable(),
    }),
  }),
});

/** The facts of a `request.decided` event. */
const attributeSet = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.array(z.string()), z.array(z.number())]),
);
const attributesSchema = z
  .object({ request: attributeSet, resource: attributeSet, environment: attributeSet })
  .partial();

export const decidedSchema = z.looseObject({
  kind: z.literal('request.decided'),
  method: z.string().optional(),
  surface: z.string(),
  operation: z.string(),
  allowed: z.boolean(),
  reason: z.string(),
  decidedFor: z.string().nullable(),
  authorities: z.array(z.string()),
  action: z.string(),
  dataAction: z.boolean(),
  scope: z.string(),
  attributes: attributesSchema.optional(),
  subOperation: z.string().optional(),
  subtree: z.literal(true).optional(),
  chain: z.array(link),
  policyId: z.string().nullable(),
  snapshotVersion: z.number().nullable(),
});

export type LedgerEvent = z.infer<typeof eventSchema>;
export type DecidedFacts = z.infer<typeof decidedSchema>;

export function parseEvent({ told }: Pick<LoggedEvent, 'told'>): LedgerEvent {
  return eventSchema.parse(JSON.parse(Buffer.from(told).toString('utf8')));
}
