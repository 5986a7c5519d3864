import type { DecisionId, EventId, PrincipalId } from '../lib/ids.ts';
import type { Selectable } from 'kysely';
import { z } from 'zod';
import type { Schema } from '../store/schema.ts';
import type { Store } from '../store/sqlite.ts';

/** An event as it stands in the feed. */
export interface StoredEvent {
  readonly sequence: number;
  readonly id: EventId;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** OCSF class. */
  readonly classUid: number;
  readonly decisionId: DecisionId | null;
  readonly jobId: PrincipalId | null;
  /** On whose account it happened. */
  readonly principalId: PrincipalId | null;
  /** Its place in the tree; null until the sequencer has given it one. */
  readonly leafIndex: number | null;
  /** The log entry: canonical JSON, UTF-8. */
  readonly entry: Uint8Array;
  /** The same, read: an OCSF event. */
  readonly event: Readonly<Record<string, unknown>>;
}

export interface EventQueries {
  eventById(id: EventId): Promise<StoredEvent | null>;
  /** Everything recorded under one decision, oldest first. */
  eventsByDecision(id: DecisionId): Promise<StoredEvent[]>;
  /** Everything that a job did or that was done to it, oldest first. */
  eventsByJob(id: PrincipalId): Promise<StoredEvent[]>;
  /** The feed from after `sequence` on; at most `limit`. */
  eventsAfter(sequence: number, limit: number): Promise<StoredEvent[]>;
}

export function eventQueries({ db }: Store): EventQueries {
  const rows = db.selectFrom('placed_events').selectAll().orderBy('sequence');
  return {
    eventById: async (id) => {
      const row = await rows.where('event_id', '=', id).executeTakeFirst();
      return row === undefined ? null : storedEvent(row);
    },
    eventsByDecision: async (id) => (await rows.where('decision_id', '=', id).execute()).map(storedEvent),
    eventsByJob: async (id) => (await rows.where('job_id', '=', id).execute()).map(storedEvent),
    eventsAfter: async (sequence, limit) =>
      (await rows.where('sequence', '>', sequence).limit(limit).execute()).map(storedEvent),
  };
}

const eventSchema = z.record(z.string(), z.unknown());

function storedEvent(row: Selectable<Schema['placed_events']>): StoredEvent {
  return {
    sequence: row.sequence,
    id: row.event_id as EventId,
    time: row.time,
    classUid: row.class_uid,
    decisionId: row.decision_id as DecisionId | null,
    jobId: row.job_id as PrincipalId | null,
    principalId: row.principal_id as PrincipalId | null,
    leafIndex: row.leaf_index,
    entry: row.entry,
    event: eventSchema.parse(JSON.parse(Buffer.from(row.entry).toString('utf8'))),
  };
}
