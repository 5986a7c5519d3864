import { z } from 'zod';
import type { PolicyStep } from '../store/changes.ts';
import { parseRecordedChange } from '../store/recorded-change.ts';
import { readTogether } from '../store/read-together.ts';
import type { Store } from '../store/sqlite.ts';
import { SubjectKeys } from './privacy/subject-keys.ts';
import { tellEntry, type ToldEvent } from './privacy/tell-entry.ts';

/** A change of policy as the feed holds it. */
export interface FeedStep extends PolicyStep {
  /** False where the feed withholds part of what it was, or it was erased: the rows of the store have to be asked. */
  readonly whole: boolean;
}

export interface FeedPage {
  /** In order, without a gap but the one that the first may show in its `previous`. */
  readonly steps: readonly FeedStep[];
  /** There is no change up to here beyond those in `steps`. */
  readonly through: number;
}

/** Reads the changes after a revision; at most `limit` of them. */
export interface ChangeFeed {
  after(revision: number, limit: number): Promise<FeedPage>;
}

/**
 * The feed as any process reads it that has the database open, the one that writes it included: the rows themselves,
 * in one look, so that what is missing in front of a row shows. Throws for an entry that holds no change in the form
 * of this version.
 */
export function changeFeed(store: Store): ChangeFeed {
  const { db } = store;
  const keys = new SubjectKeys(store);
  const changes = db
    .selectFrom('ledger_events')
    .select(['sequence', 'previous_change', 'entry', 'sealed'])
    .where('previous_change', 'is not', null)
    .orderBy('sequence');
  return {
    after: (revision, limit) =>
      readTogether(db, async (tx) => {
        const newest = await tx
          .selectFrom('ledger_events')
          .select((events) => events.fn.max('sequence').as('sequence'))
          .executeTakeFirst();
        const rows = await tx.executeQuery(changes.where('sequence', '>', revision).limit(limit).compile());
        const steps = rows.rows.map((row) => {
          const told = tellEntry(row.entry, row.sealed, (name) => keys.secret(name));
          const { change, whole } = parseRecordedChange(changeIn(told));
          const { sequence, previous_change: previous } = row;
          return { sequence, previous: previous ?? 0, change, whole: whole && !lacks(told) };
        });
        const last = steps.length === limit ? steps.at(-1)?.sequence : undefined;
        return { steps, through: last ?? Math.max(revision, newest?.sequence ?? 0) };
      }),
  };
}

const entrySchema = z.object({ unmapped: z.object({ lockstep: z.object({ change: z.unknown() }) }) });

function changeIn({ event }: ToldEvent): unknown {
  return entrySchema.parse(event).unmapped.lockstep.change;
}

/** Whether a text of the change itself is not known any more. */
function lacks({ withheld }: ToldEvent): boolean {
  return withheld.some(({ at }) => at.some((place) => place.startsWith('/unmapped/lockstep/change/')));
}
