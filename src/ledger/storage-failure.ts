import { asLockstepError, isDiskFull, LockstepError } from '../lib/errors.ts';

/** SQLite's primary result codes for a store that cannot write, rather than a statement that is wrong. */
const storeIsFailing = new Set([
  6, // SQLITE_LOCKED
  5, // SQLITE_BUSY
  7, // SQLITE_NOMEM
  8, // SQLITE_READONLY
  10, // SQLITE_IOERR
  11, // SQLITE_CORRUPT
  13, // SQLITE_FULL
  14, // SQLITE_CANTOPEN
  26, // SQLITE_NOTADB
]);

/** Whether SQLite said that it cannot read or write, as opposed to refusing a statement. */
export function isStoreFailing(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  const { errcode } = thrown as { errcode?: unknown };
  return typeof errcode === 'number' && storeIsFailing.has(errcode & 0xff);
}

/** What a caller is told when the ledger could not write: `storage_full` or `ledger_unavailable`. */
export function ledgerFailure(thrown: unknown): LockstepError {
  if (thrown instanceof LockstepError) return asLockstepError(thrown);
  return new LockstepError({
    code: isDiskFull(thrown) ? 'storage_full' : 'ledger_unavailable',
    internalMessage: `the ledger cannot write: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    cause: thrown,
  });
}
