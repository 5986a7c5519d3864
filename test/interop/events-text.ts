import type { Store } from '../../src/store/sqlite.ts';

/** Every event of the feed as it is stored, and what stands beside it, as text in which something may be looked for. */
export async function eventsText({ db }: Store): Promise<string> {
  const rows = await db.selectFrom('ledger_events').selectAll().execute();
  return rows
    .map((row) =>
      JSON.stringify(row, (_, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
      ),
    )
    .join('\n');
}
