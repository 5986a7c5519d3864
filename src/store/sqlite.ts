import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Kysely, SqliteDialect, type SqliteDatabase, type SqliteStatement } from 'kysely';
import { Migrator } from 'kysely/migration';
import { journalOf, noJournal, type Journal } from './journal.ts';
import { migrations } from './migrations.ts';
import type { Schema } from './schema.ts';

export interface Store {
  readonly db: Kysely<Schema>;
  /** The connection beneath `db`, for statements that must cost microseconds. Use it only inside `db`'s turn. */
  readonly raw: DatabaseSync;
  readonly journal: Journal;
  close(): Promise<void>;
}

export interface OpenStoreOptions {
  /** File path, or `:memory:`. */
  readonly path: string;
  /** Default true: every commit reaches the disk before it is acknowledged. */
  readonly dangerouslyNotDurable?: boolean;
}

/**
 * Opens the SQLite database (WAL, synchronous=FULL, foreign keys on) and applies every outstanding migration.
 * Throws if the file is not a database, is in use by another writer, or was written by a newer Lockstep.
 */
export async function openSqliteStore(options: OpenStoreOptions): Promise<Store> {
  if (options.path !== ':memory:') keepPrivate(options.path);
  const raw = new DatabaseSync(options.path, { enableForeignKeyConstraints: true, timeout: 5_000 });
  // Of a new file only: an event of the ledger takes somewhat more than half of a page of 4 KiB.
  raw.exec(`pragma page_size = 8192`);
  raw.exec(`pragma journal_mode = wal`);
  raw.exec(`pragma synchronous = ${options.dangerouslyNotDurable ? 'off' : 'full'}`);
  // What is deleted is overwritten: an erased key must not be found in the free space of a page.
  raw.exec(`pragma secure_delete = on`);
  const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database: kyselyDatabase(raw) }) });
  try {
    await migrate(db, raw);
  } catch (cause) {
    await db.destroy();
    throw new Error(`the store at ${options.path} cannot be brought up to date`, { cause });
  }
  const waits = options.path !== ':memory:' && options.dangerouslyNotDurable !== true;
  const journal = waits ? journalOf(raw, options.path) : noJournal(raw);
  return {
    db,
    raw,
    journal,
    close: async () => {
      await journal.close();
      await db.destroy();
    },
  };
}

/** Readable by its owner only; SQLite gives the files that it keeps beside it the same mode. */
function keepPrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

/** All outstanding migrations or none: Kysely runs them outside of a transaction on SQLite, which can do better. */
async function migrate(db: Kysely<Schema>, raw: DatabaseSync): Promise<void> {
  raw.exec('begin immediate');
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) raw.exec('commit');
  else {
    if (raw.isTransaction) raw.exec('rollback');
    throw error;
  }
}

/** Kysely's SQLite dialect speaks better-sqlite3's interface; node:sqlite differs in spelling only. */
export function kyselyDatabase(raw: DatabaseSync): SqliteDatabase {
  return {
    close: () => {
      raw.close();
    },
    // A transaction that has read before another process wrote may not write any more, however long it waits; one that
    // takes its turn at once may (sqlite.org/isolation.html).
    prepare: (sql) => kyselyStatement(raw.prepare(sql === 'begin' ? 'begin immediate' : sql)),
  };
}

function kyselyStatement(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...inputs(parameters)),
    run: (parameters) => statement.run(...inputs(parameters)),
    iterate: (parameters) => statement.iterate(...inputs(parameters)),
  };
}

function inputs(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters as SQLInputValue[];
}
