import { chmodSync, closeSync, openSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { Kysely, SqliteDialect, type SqliteDatabase, type SqliteStatement } from 'kysely';
import { Migrator } from 'kysely/migration';
import { z } from 'zod';
import { openConnection, type Database, type Turns } from './connection.ts';
import { journalIn } from './journal.ts';
import { migrations } from './migrations.ts';
import type { Schema } from './schema.ts';

/** Turns are those of `db`, whose connection this is: Kysely gives it to one user at a time. */
export interface Store extends Turns {
  readonly db: Kysely<Schema>;
  /** What another thread opens to have a connection of its own. */
  readonly database: Database;
  close(): Promise<void>;
}

/**
 * Opens the SQLite database (WAL, synchronous=FULL, foreign keys on) and applies every outstanding migration.
 * Throws if the file is not a database, is in use by another writer, or was written by a newer Lockstep.
 */
export async function openSqliteStore(database: Database): Promise<Store> {
  if (database.path !== ':memory:') keepPrivate(database.path);
  const raw = openConnection(database);
  const db = new Kysely<Schema>({ dialect: new SqliteDialect({ database: kyselyDatabase(raw) }) });
  try {
    await migrate(db, raw);
  } catch (cause) {
    const newer = laterMigration(raw);
    await db.destroy();
    if (newer === null) {
      throw new Error(
        `the store at ${database.path} cannot be brought up to date: ${(cause as Error).message}`,
        { cause },
      );
    }
    throw new Error(
      `the store at ${database.path} was written by a newer Lockstep (${newer}): start that one, or restore the backup from before it`,
      { cause },
    );
  }
  const journal = journalIn(raw, database);
  return {
    db,
    raw,
    journal,
    database,
    turn: async (act) => db.connection().execute(async () => act()),
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

/** The name of one that this version does not know; null where there is none, or none can be read. */
function laterMigration(raw: DatabaseSync): string | null {
  try {
    const applied = raw.prepare('select name from kysely_migration order by name desc').all();
    return applied.map(({ name }) => String(name)).find((name) => !(name in migrations)) ?? null;
  } catch {
    return null;
  }
}

const damage = z.looseObject({ errcode: z.number() });

/** Whether SQLite found that a file is damaged, or no database (SQLITE_CORRUPT, SQLITE_NOTADB, and their kinds). */
export function isDamage(error: unknown): boolean {
  const { data } = damage.safeParse(error);
  return data !== undefined && [11, 26].includes(data.errcode & 0xff);
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
