import type { DatabaseSync } from 'node:sqlite';

/** Reads what changes with every step of an exchange of keys: no step is ever taken back. */
export function revisionOf(raw: DatabaseSync): () => string {
  const read = raw.prepare(
    `select count(*) || '/' || count(began_at) || '/' || count(ends_at) || '/' || count(ended_at) as revision
     from ledger_keys`,
  );
  return () => String(read.get()?.['revision']);
}
