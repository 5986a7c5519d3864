import { createHmac, randomBytes } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import type { Turns } from '../../store/connection.ts';
import type { Subject } from '../catalogue/personal.ts';
import { keyBytes, keyNameBytes } from './box-form.ts';
import { Keystream, keystreamKey } from './keystream.ts';

/** Subjects whose keys are at hand; the others' are read again. */
const maxRemembered = 10_000;

/** The key under which one subject's values stand beside the log. */
export interface SubjectKey {
  /** Hex. */
  readonly name: string;
  /** Digest. */
  readonly subject: string;
  readonly secret: Uint8Array;
  /** Closes boxes under it. */
  readonly stream: Keystream;
  /** `new`: it is written together with the first event that uses it. `erased`: it is never written again. */
  state: 'new' | 'durable' | 'erased';
}

/**
 * One key for each subject, so that what is known of one goes with one row, wherever copies of the ciphertext are, and of
 * nobody else. Reads may be made at any time; `write` belongs into the transaction of the events that use the keys.
 */
export class SubjectKeys {
  readonly #keys = new Map<string, SubjectKey>();
  readonly #newest: StatementSync;
  readonly #byName: StatementSync;
  readonly #write: StatementSync;
  readonly #saltRow: StatementSync;
  #salt: Uint8Array | null = null;

  constructor({ raw }: Pick<Turns, 'raw'>) {
    this.#newest = raw.prepare(
      `select name, secret from personal_keys where subject = ? and erased_at is null order by id desc limit 1`,
    );
    this.#byName = raw.prepare(`select secret from personal_keys where name = ? and erased_at is null`);
    this.#write = raw.prepare(`insert or ignore into personal_keys (name, subject, secret) values (?, ?, ?)`);
    this.#saltRow = raw.prepare(`select salt from ledger_search where id = 1`);
  }

  /** The subject's key; made where there is none. */
  of(subject: Subject): SubjectKey {
    const id = 'id' in subject ? subject.id : subject.address;
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    if (this.#keys.size >= maxRemembered) this.#keys.clear();
    const digest = this.digest(id);
    const key =
      this.#read(digest) ?? keyOf(randomBytes(keyNameBytes).toString('hex'), digest, randomBytes(keyBytes));
    this.#keys.set(id, key);
    return key;
  }

  /** How the database calls the subject of an id or an address: nobody can be read out of the table of keys. */
  digest(idOrAddress: string): string {
    this.#salt ??= bytesOf(this.#saltRow.get()?.['salt']);
    return createHmac('sha256', this.#salt).update(idOrAddress.toLowerCase()).digest('hex');
  }

  /** The secret of a key; null when it has been erased. */
  secret(name: string): Uint8Array | null {
    const row = this.#byName.get(name);
    return row === undefined ? null : bytesOf(row['secret']);
  }

  /** Within a transaction: makes those that are new stand beside what uses them. */
  write(keys: readonly SubjectKey[]): void {
    for (const { state, name, subject, secret } of keys) {
      if (state === 'new') this.#write.run(name, subject, secret);
    }
  }

  /** The transaction of `write` is durable. */
  written(keys: readonly SubjectKey[]): void {
    for (const key of keys) if (key.state === 'new') key.state = 'durable';
  }

  /** They have been erased: whatever still waits to be written under them stays closed for ever. */
  forget(digests: readonly string[]): void {
    for (const [id, key] of this.#keys) {
      if (!digests.includes(key.subject)) continue;
      key.state = 'erased';
      this.#keys.delete(id);
    }
  }

  #read(subject: string): SubjectKey | null {
    const row = this.#newest.get(subject);
    if (row === undefined) return null;
    return keyOf(String(row['name']), subject, bytesOf(row['secret']));
  }
}

/** One that was read is new as well: it may be of a transaction that is still open. */
function keyOf(name: string, subject: string, secret: Uint8Array): SubjectKey {
  return { name, subject, secret, stream: new Keystream(keystreamKey(secret)), state: 'new' };
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new Error('a key of the ledger is not a blob');
}
