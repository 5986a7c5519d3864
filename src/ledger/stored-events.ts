import type { DecisionId, EventId, PrincipalId } from '../lib/ids.ts';
import type { Selectable } from 'kysely';
import type { Schema } from '../store/schema.ts';
import type { Store } from '../store/sqlite.ts';
import type { AsLogged } from './logged-entries.ts';
import type { Teller } from './privacy/teller.ts';
import type { ToldEvent } from './privacy/tell-entry.ts';

/** An event as it stands in the feed, and as it may be told. */
export interface StoredEvent extends ToldEvent {
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
  /** The log entry: canonical JSON, UTF-8. It binds the personal values that `event` shows. */
  readonly entry: Uint8Array;
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

/** What is told is what the log holds. `durable` is waited for before anything that was read is told. */
export function eventQueries(
  { db }: Store,
  asLogged: AsLogged,
  teller: Teller,
  durable: () => Promise<void>,
): EventQueries {
  const rows = db.selectFrom('placed_events').selectAll().orderBy('sequence');
  const told = async (read: Promise<Selectable<Schema['placed_events']>[]>): Promise<StoredEvent[]> => {
    const rowsTold = await teller.rows(await asLogged((await read).map(storedRow)));
    await durable();
    return rowsTold;
  };
  return {
    eventById: async (id) => (await told(rows.where('event_id', '=', id).execute()))[0] ?? null,
    eventsByDecision: async (id) => told(rows.where('decision_id', '=', id).execute()),
    eventsByJob: async (id) => told(rows.where('job_id', '=', id).execute()),
    eventsAfter: async (sequence, limit) =>
      told(rows.where('sequence', '>', sequence).limit(limit).execute()),
  };
}

function storedRow(row: Selectable<Schema['placed_events']>): Omit<StoredEvent, keyof ToldEvent> {
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
  };
}
