import { sql, type Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/**
 * What `read` selects is all of one moment. Unlike a transaction, which takes its turn to write as it begins, it waits for
 * no process that writes and holds none up (sqlite.org/isolation.html). `read` must not write.
 */
export async function readTogether<T>(
  db: Kysely<Schema>,
  read: (moment: Kysely<Schema>) => Promise<T>,
): Promise<T> {
  return db.connection().execute(async (turn) => {
    await sql`begin deferred`.execute(turn);
    try {
      return await read(turn);
    } finally {
      await sql`rollback`.execute(turn);
    }
  });
}
