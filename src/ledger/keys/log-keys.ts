import type { StatementSync } from 'node:sqlite';
import type { Sealer } from '../../store/sealer.ts';
import type { Store } from '../../store/sqlite.ts';
import { createSigner, signTogether, type NoteSigner } from '../note.ts';
import { formatKeyHistory } from '../verify/key-history.ts';
import { revisionOf } from './keys-revision.ts';

/** Signs the checkpoints of a log: by one key or, while one takes the place of another, by both. */
export interface LogSigner extends NoteSigner {
  /** Keys that have signed before and sign no more: what they have signed goes on to be believed. */
  readonly retiredKeys?: readonly string[];
  /** How each key came to follow the one before it, for `key-history`; empty while there has been one only. */
  readonly keyHistory?: string;
  /** Names the keys that were last read. */
  readonly revision?: string;
  /** Reads again which keys sign: another process may have exchanged them. */
  refresh?(): Promise<void>;
  /** Whether the keys are still those that were last read. To be called within the database's turn. */
  isCurrent?(): boolean;
}

export type LogKeyState = 'announced' | 'signing' | 'retired';

/** One key of the log, as it stands in the database. Times in milliseconds since the epoch. */
export interface LogKey {
  readonly verifierKey: string;
  /** 1 for the first key of the log. */
  readonly position: number;
  readonly state: LogKeyState;
  readonly announcedAt: number;
  readonly beganAt: number | null;
  /** When it is planned to stop; null while no other takes its place. */
  readonly endsAt: number | null;
  readonly endedAt: number | null;
  /** The note in which the key before it and it name each other; null for the first. */
  readonly vouched: string | null;
}

export interface LogKeysOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  /** The name of every key. */
  readonly origin: string;
}

/**
 * The keys that sign the log, as the database holds them. Each private half is sealed under its own name, in a row that
 * is removed, and overwritten, when the key has signed for the last time.
 */
export class LogKeys implements LogSigner {
  readonly #options: LogKeysOptions;
  readonly #readKeys: StatementSync;
  readonly #readSecret: StatementSync;
  readonly #revisionNow: () => string;
  readonly #signers = new Map<string, NoteSigner>();
  #keys: readonly LogKey[] = [];
  #together: NoteSigner;
  #revision = '';

  private constructor(options: LogKeysOptions) {
    this.#options = options;
    const { raw } = options.store;
    this.#readKeys = raw.prepare(
      `select verifier_key, position, announced_at, began_at, ends_at, ended_at, vouched
       from ledger_keys order by position`,
    );
    this.#readSecret = raw.prepare(`select sealed from ledger_key_secrets where verifier_key = ?`);
    this.#revisionNow = revisionOf(raw);
    this.#together = this.#read();
  }

  /** Reads the keys. Throws when there is none that signs, or one cannot be unsealed. */
  static async open(options: LogKeysOptions): Promise<LogKeys> {
    return options.store.db.connection().execute(async () => new LogKeys(options));
  }

  get name(): string {
    return this.#options.origin;
  }

  get verifierKey(): string {
    return this.#together.verifierKey;
  }

  get verifierKeys(): readonly string[] {
    return this.#together.verifierKeys;
  }

  get retiredKeys(): readonly string[] {
    return this.#keys.filter(({ state }) => state === 'retired').map(({ verifierKey }) => verifierKey);
  }

  get keyHistory(): string {
    return formatKeyHistory(this.#keys.flatMap(({ vouched }) => vouched ?? []));
  }

  /** All keys that there are and ever were, the first one first. */
  get all(): readonly LogKey[] {
    return this.#keys;
  }

  sign(text: string): string {
    return this.#together.sign(text);
  }

  /** One of the keys that have not been retired. Throws for any other. */
  signerOf(verifierKey: string): NoteSigner {
    const signer = this.#signers.get(verifierKey);
    if (signer === undefined) throw new Error(`there is no private half of ${verifierKey}`);
    return signer;
  }

  async refresh(): Promise<void> {
    await this.#options.store.db.connection().execute(async () => {
      if (!this.isCurrent()) this.#together = this.#read();
    });
  }

  get revision(): string {
    return this.#revision;
  }

  isCurrent(): boolean {
    return this.#revision === this.#revisionNow();
  }

  #read(): NoteSigner {
    const revision = this.#revisionNow();
    const keys = this.#readKeys.all().map(logKeyOf);
    for (const { verifierKey, state } of keys) {
      if (state === 'retired') this.#signers.delete(verifierKey);
      else if (!this.#signers.has(verifierKey)) this.#signers.set(verifierKey, this.#unseal(verifierKey));
    }
    const signing = keys.filter(({ state }) => state === 'signing').toReversed();
    const [newest, ...others] = signing.map(({ verifierKey }) => this.signerOf(verifierKey));
    if (newest === undefined) throw new Error('the database holds no key that signs the ledger');
    const together = signTogether(newest, others);
    this.#keys = keys;
    this.#revision = revision;
    return together;
  }

  #unseal(verifierKey: string): NoteSigner {
    const sealed = this.#readSecret.get(verifierKey)?.['sealed'];
    if (typeof sealed !== 'string') throw new Error(`the database holds no private half of ${verifierKey}`);
    const signer = createSigner(this.#options.sealer.open(sealed, sealContext(verifierKey)));
    if (signer.verifierKey !== verifierKey)
      throw new Error(`what is sealed as ${verifierKey} is another key`);
    return signer;
  }
}

/** Under which name the private half of a key is sealed. */
export function sealContext(verifierKey: string): string {
  return `ledger signing key ${verifierKey}`;
}

function logKeyOf(row: Readonly<Record<string, unknown>>): LogKey {
  const [beganAt, endsAt, endedAt] = [row['began_at'], row['ends_at'], row['ended_at']].map((time) =>
    time === null ? null : Number(time),
  );
  return {
    verifierKey: String(row['verifier_key']),
    position: Number(row['position']),
    state: (endedAt ?? null) !== null ? 'retired' : (beganAt ?? null) !== null ? 'signing' : 'announced',
    announcedAt: Number(row['announced_at']),
    beganAt: beganAt ?? null,
    endsAt: endsAt ?? null,
    endedAt: endedAt ?? null,
    vouched: typeof row['vouched'] === 'string' ? row['vouched'] : null,
  };
}
