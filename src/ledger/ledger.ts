import type { Clock } from '../lib/clock.ts';
import type { EventId, TenantId } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import type { Attribution, Commit, CommitGuard, Follower } from '../store/changes.ts';
import type { Store } from '../store/sqlite.ts';
import type { RecordFact } from './events.ts';
import type { Ending, Fault } from './faults.ts';
import type { LedgerHealth } from './health.ts';
import type { LogSigner } from './keys/log-keys.ts';
import type { Erased, Erasure } from './privacy/erase.ts';
import type { ToldEvent } from './privacy/tell-entry.ts';
import type { EventFilter } from './search/event-filter.ts';
import type { FeedRow } from './search/index-rows.ts';
import type { FoundEvents, SearchOptions } from './search/search-events.ts';
import type { NoteSigner } from './note.ts';
import type { Pruning } from './retention/pruning.ts';
import type { Receipt } from './receipts.ts';
import type { EventQueries } from './stored-events.ts';
import type { Disclosures } from './verify/disclose.ts';
import type { Policy } from './verify/policy.ts';
import type { WitnessingState } from './witness/witnessing.ts';

export interface LedgerOptions {
  readonly store: Store;
  /** Where the checkpoint and the tiles are published. */
  readonly directory: string;
  /** The log's name in its checkpoints, and the name of its key: `lockstep.local/<tenant>`. */
  readonly origin: string;
  readonly signer: LogSigner;
  /** Who has to cosign a checkpoint before it is published; its logs are ours. Absent: nobody. */
  readonly witnesses?: Pick<Policy, 'witnesses' | 'groups' | 'quorum'> | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly productVersion: string;
  readonly tenantId: TenantId;
  /** From an event to the checkpoint that covers it, about; default 200. */
  readonly publishIntervalMilliseconds?: number;
  /** How long an event may wait for a slow disk before newer ones are refused; default 5,000. */
  readonly patienceMilliseconds?: number;
  /** How long the archive is kept: what is said of it in its statement; on hold nothing of it is removed. */
  readonly retention?: { readonly policy: string; readonly hold: boolean };
  /**
   * Whether a thread of its own publishes, searches, and brings pages out of the write-ahead log. Of a database in a file, and by the
   * time of the system, whatever `clock` says; `fault` is not called there. Default false.
   */
  readonly inThread?: boolean;
  /** For tests. */
  readonly fault?: Fault;
  /** For tests: where the thread, or the process by its hand, ends. */
  readonly threadEnding?: Ending;
}

/** What a search finds, as it may be told. */
export interface ToldEvents extends Omit<FoundEvents, 'events'> {
  /** Newest first. */
  readonly events: readonly (FeedRow & ToldEvent)[];
}

export interface Ledger extends EventQueries, Pruning {
  /**
   * A state change and its events in one transaction. Throws what `work` throws, `storage_full` or
   * `ledger_unavailable` when the database cannot write, `too_large` for a change that no entry can hold.
   */
  readonly commit: Commit;
  /** What happened where no state changes; what arrives together shares one transaction. Rejects like `commit`. */
  readonly record: RecordFact;
  /** Calls the follower after every commit, in the order of the feed; the answer ends it. */
  follow(follower: Follower): () => void;
  /** Asks the guard before every commit; what it throws undoes the transaction. The answer ends it. */
  guard(guard: CommitGuard): () => void;
  /** The key that the log is verified with, in C2SP's form; the newest of them. */
  readonly verifierKey: string;
  /**
   * Events that the filter lets pass, newest first; everything durable is looked through. With an id of any kind in
   * `ids`, what belongs to it. Throws `ledger_unavailable` while the index of a large database is being built.
   */
  search(filter: EventFilter, options: SearchOptions): Promise<ToldEvents>;
  /** All keys that sign: more than one while a key takes the place of another. */
  readonly verifierKeys: readonly string[];
  /** Keys that have signed once: for receipts from then. */
  readonly retiredKeys: readonly string[];
  /** The signed notes that lead from each key to the next, as `key-history` holds them; empty for one key only. */
  readonly keyHistory: string;
  /** What is published now, signed and cosigned; null before the first. */
  checkpoint(): string | null;
  /** What to verify the log by: its keys, its witnesses, their quorum. c2sp.org/tlog-policy. */
  readonly policy: string;
  /** How far the witnesses have cosigned; null for a log without. */
  witnessing(): WitnessingState | null;
  /** Which witnesses the quorum would lack if this key alone signed; empty when it would be met, or there is none. */
  witnessesWithout(signer: NoteSigner): Promise<readonly string[]>;
  /** Sequence of the newest event; 0 for an empty ledger. */
  lastSequence(): number;
  /** Resolves once all that is durable now is under a signed checkpoint; witnesses are not waited for. */
  integrate(): Promise<void>;
  /**
   * A self-contained c2sp.org/tlog-proof@v1 of one event. Waits for its checkpoint. Throws `not_found`, and
   * `not_witnessed` when too few witnesses have cosigned it within some seconds.
   */
  receipt(eventId: EventId): Promise<string>;
  /** The same of whatever the log holds at an index, and the entry itself. */
  receiptAt(index: number): Promise<Receipt>;
  /**
   * The personal values of an event, each with the salt that shows that the log binds it: for whoever has its receipt and
   * is to know them. What has been erased is not among them. Throws `not_found`.
   */
  disclosures(eventId: EventId): Promise<Disclosures>;
  /**
   * Destroys the keys of everything personal that is recorded of somebody, in rows and archive alike, and records that it
   * did, in one transaction; the log stays what it is. Nothing can be shown any more when it resolves. Sign-in names that
   * the rows still tell of them are erased with them. Throws as `search` does.
   */
  erase(by: Attribution, erasure: Erasure): Promise<Erased>;
  health(): LedgerHealth;
  /** Refuses new work, then makes everything durable and publishes it. */
  close(): Promise<void>;
}
