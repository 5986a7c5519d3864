import { mkdir } from 'node:fs/promises';
import type { Clock } from '../lib/clock.ts';
import { failure } from '../lib/errors.ts';
import { newEventId, type EventId, type TenantId } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import {
  systemAttribution,
  type Attribution,
  type Commit,
  type CommitGuard,
  type Follower,
} from '../store/changes.ts';
import type { Store } from '../store/sqlite.ts';
import { Appender } from './appender.ts';
import { entryOf } from './catalogue/entry.ts';
import type { RecordFact } from './events.ts';
import { noFault, type Ending, type Fault } from './faults.ts';
import { Health, type LedgerHealth } from './health.ts';
import { recordClockSteps } from './clock-record.ts';
import { ClockWatch } from './clock-watch.ts';
import type { LogSigner } from './keys/log-keys.ts';
import { LoggedEntries, type AlteredRow } from './logged-entries.ts';
import { closeSecrets } from './privacy/close-secrets.ts';
import { erase, scrub, type Erased, type Erasure } from './privacy/erase.ts';
import { signInNames } from './privacy/sign-in-names.ts';
import { SubjectKeys } from './privacy/subject-keys.ts';
import type { ToldEvent } from './privacy/tell-entry.ts';
import { Teller } from './privacy/teller.ts';
import type { EventFilter } from './search/event-filter.ts';
import { EventSearch } from './search/event-search.ts';
import type { FeedRow } from './search/index-rows.ts';
import type { FoundEvents, SearchOptions } from './search/search-events.ts';
import type { NoteSigner } from './note.ts';
import { LogFiles } from './sequence/log-files.ts';
import { archivedEvent } from './retention/archived-event.ts';
import { PrivateArchive } from './retention/private-archive.ts';
import { pruneArchive, renewStatement, type ArchivePruned } from './retention/prune-archive.ts';
import { pruneRows, type Pruned } from './retention/prune-rows.ts';
import { Receipts, type Receipt } from './receipts.ts';
import { publishTimer } from './sequence/publish-timer.ts';
import { Sequencer, type Published } from './sequence/sequencer.ts';
import { directorySource } from './sources/directory-source.ts';
import { LedgerThread } from './thread/ledger-thread.ts';
import { eventQueries, type EventQueries } from './stored-events.ts';
import type { Disclosures } from './verify/disclose.ts';
import { keptFrom } from './verify/retention.ts';
import { formatPolicy, trustOnly, type Policy } from './verify/policy.ts';
import { Witnessing, type WitnessingState } from './witness/witnessing.ts';

/** So long a receipt, and a stop, wait for the witnesses. */
const witnessMilliseconds = 3_000;

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

export interface Ledger extends EventQueries {
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
  /**
   * Removes the oldest rows of the database, up to what happened at `before` (milliseconds since the epoch): whole
   * bundles that the published archive holds, which stays as it is. Records that it did. Throws `conflict` when the
   * archive lacks something.
   */
  prune(by: Attribution, before: number, signal?: AbortSignal): Promise<Pruned>;
  /**
   * Lets the log itself forget its beginning, up to what happened at `before`: whole bundles whose rows are gone, after a
   * statement of that is signed and published. Records it. Throws `conflict` on hold, and when the archive is not whole.
   */
  pruneArchive(by: Attribution, before: number, signal?: AbortSignal): Promise<ArchivePruned>;
  /** Has the statement of what is kept signed by the keys that sign now; does nothing where there is none. */
  renewRetention(): Promise<void>;
  health(): LedgerHealth;
  /** Refuses new work, then makes everything durable and publishes it. */
  close(): Promise<void>;
}

/**
 * Opens the ledger over a store: resumes an interrupted publication and publishes what is outstanding.
 * Throws `ledger_unavailable` when what has been published contradicts the database, rather than sign a fork.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const { store, clock, log, directory, origin, productVersion, signer } = options;
  if (signer.name !== origin) throw new TypeError(`the signing key is of ${signer.name}, not of ${origin}`);
  // Before anything that may fail: what an erasure has left to do waits for nothing.
  await scrub(store);
  await mkdir(directory, { recursive: true });
  const fault = options.fault ?? noFault;
  const health = new Health(clock);
  const { witnesses } = options;
  const believing = (keys: readonly string[]): Policy => ({
    ...trustOnly(keys),
    ...witnesses,
    logs: trustOnly(keys).logs,
  });
  const policy = (): Policy => believing([...signer.verifierKeys, ...(signer.retiredKeys ?? [])]);
  const source = directorySource(directory);
  const files = new LogFiles(directory, fault);
  const witnessing: Witnessing | null = witnesses?.witnesses.length
    ? await Witnessing.open({
        policy,
        source,
        standing: () => files.readNote('checkpoint'),
        clock,
        log,
        publish: (note) => sequencer.replaceCheckpoint(note),
      })
    : null;
  const onAltered = (row: AlteredRow): void => {
    if (!health.rowAltered(row)) return;
    log.error(
      row,
      'a row of the database is not what the log holds; `lockstep ledger verify` checks the log',
    );
  };
  const publishing = {
    store,
    directory,
    origin,
    signer,
    health,
    checkpointPath: witnessing === null ? 'checkpoint' : 'checkpoint.signed',
    onPublished: (head: Published) => witnessing?.offer(head),
  } as const;
  const thread =
    options.inThread === true
      ? new LedgerThread({
          ...publishing,
          log,
          onAltered,
          onEnded: () => timer.schedule(),
          ...(options.threadEnding !== undefined && { ending: options.threadEnding }),
        })
      : null;
  const sequencer: Sequencer | LedgerThread = thread ?? new Sequencer({ ...publishing, clock, fault });
  await sequencer.open();
  if (witnessing === null) await publishUnwitnessed(sequencer, files);
  const published = () => (witnessing ?? sequencer).published();
  const timer = publishTimer(sequencer, options.publishIntervalMilliseconds ?? 200, log);
  const logged = new LoggedEntries({
    store,
    source,
    published: () => sequencer.published()?.size ?? 0,
    onAltered,
  });
  const search = thread?.search ?? new EventSearch(store, log, logged.of);
  search.schedule();
  const keys = new SubjectKeys(store);
  const teller = new Teller(store, keys);
  const beside = new PrivateArchive(directory);
  const appender = new Appender({
    store,
    health,
    fault,
    keys,
    ...(options.patienceMilliseconds !== undefined && { patienceMilliseconds: options.patienceMilliseconds }),
    onAppended: () => {
      timer.schedule();
      search.schedule();
    },
    entryOf: (fact, position) => {
      clockSteps.look();
      const time = clock.now();
      const { secrets, ...entry } = entryOf(fact, {
        id: newEventId(time),
        time,
        origin,
        productVersion,
        position,
      });
      return { ...entry, ...closeSecrets(keys, entry.id, secrets) };
    },
  });
  store.journal.whenLost((error) => appender.stop(error));
  const clockSteps = recordClockSteps({
    watch: new ClockWatch(clock),
    health,
    log,
    record: (detail) =>
      appender.record({
        kind: 'lifecycle',
        attribution: systemAttribution(options.tenantId, 'ledger'),
        activity: 'clock-set',
        version: productVersion,
        detail,
      }),
  });
  clockSteps.start(appender.lastTime, clock.now());
  const queries = eventQueries(store, logged.of, teller, async () => appender.durable());
  const toldSearch: Ledger['search'] = async (filter, searchOptions) => {
    const { events, next } = await search.find(filter, searchOptions);
    const told = await teller.rows(events);
    await appender.durable();
    return { events: told, next };
  };

  const receipts = new Receipts({
    queries,
    source,
    sequencer,
    witnessing,
    policy,
    witnessMilliseconds,
  });

  const publish = async (statement: string): Promise<void> => sequencer.replaceRetention(statement);
  let pruning: Promise<unknown> = Promise.resolve();
  const afterPruning = async <T>(act: () => Promise<T>): Promise<T> => {
    const mine = pruning.catch(() => undefined).then(act);
    pruning = mine;
    return mine;
  };
  /** Nothing that has a row goes, and nothing that a witness which lags behind is still to be led from. */
  const pruningLimit = async (): Promise<number> => {
    const [oldest] = await queries.eventsAfter(0, 1);
    const witnessed = (witnessing?.state().witnesses ?? [])
      .map(({ size }) => size)
      .filter((size) => size > 0);
    return Math.min(oldest?.leafIndex ?? 0, ...witnessed);
  };

  return {
    ...queries,
    commit: appender.commit,
    record: appender.record,
    follow: (follower) => appender.follow(follower),
    guard: (guard) => appender.guard(guard),
    search: toldSearch,
    get verifierKey() {
      return signer.verifierKey;
    },
    get verifierKeys() {
      return signer.verifierKeys;
    },
    get retiredKeys() {
      return signer.retiredKeys ?? [];
    },
    get keyHistory() {
      return signer.keyHistory ?? '';
    },
    get policy() {
      return formatPolicy(believing(signer.verifierKeys));
    },
    checkpoint: () => published()?.note ?? null,
    witnessing: () => witnessing?.state() ?? null,
    witnessesWithout: async (newer) => witnessing?.wouldLack(newer) ?? [],
    lastSequence: () => appender.lastSequence,
    integrate: () => sequencer.integrate(),
    receipt: async (id) => receipts.of(id),
    receiptAt: async (index) => receipts.at(index),
    disclosures: async (id) => {
      const event = await queries.eventById(id);
      if (event !== null) return { event: id, disclosures: event.disclosures };
      const [oldest] = await queries.eventsAfter(0, 1);
      const archived = await archivedEvent(
        source,
        id,
        oldest?.leafIndex ?? 0,
        await keptFrom(source, policy()),
      );
      if (archived === null) throw failure('not_found', `There is no event ${id}.`);
      const { disclosures } = await teller.entry(archived.entry, await beside.of(archived.leafIndex));
      return { event: id, disclosures };
    },
    erase: async (by, { id, addresses }) =>
      erase({ store, keys, commit: appender.commit, clock, fault, log }, by, {
        id,
        addresses: [...addresses, ...(await signInNames(toldSearch, id))],
      }),
    prune: async (by, before, signal) => {
      const pruned = await pruneRows({ store, source, beside, trust: policy(), before, fault, signal });
      await search.forget(pruned.firstSequence);
      await appender.record({
        kind: 'lifecycle',
        attribution: by,
        activity: 'prune',
        version: productVersion,
        detail: {
          before: new Date(before).toISOString(),
          firstIndex: String(pruned.firstIndex),
          rows: String(pruned.rows),
        },
      });
      return pruned;
    },
    pruneArchive: async (by, before, signal) => {
      if (options.retention?.hold === true) {
        throw failure('conflict', 'Nothing of the archive is removed: `ledger.retention.hold` is set.');
      }
      return afterPruning(async () => {
        await sequencer.integrate();
        return pruneArchive({
          source,
          files,
          beside,
          trust: policy(),
          signer,
          before,
          limit: await pruningLimit(),
          policy: options.retention?.policy ?? 'asked for by an operator',
          now: Math.floor(clock.now() / 1_000),
          publish,
          signal,
          announce: (kept) =>
            appender.record({
              kind: 'lifecycle',
              attribution: by,
              activity: 'prune-archive',
              version: productVersion,
              detail: { before: new Date(before).toISOString(), firstIndex: String(kept) },
            }),
        });
      });
    },
    renewRetention: () =>
      afterPruning(() =>
        renewStatement({ source, trust: policy(), signer, keys: signer.verifierKeys, publish }),
      ),
    health: () => health.read(),
    close: async () => {
      clockSteps.stop();
      await appender.close();
      await search.close();
      timer.stop();
      await sequencer.integrate().catch((error: unknown) => {
        log.error({ err: error }, 'the last events could not be published; they will be at the next start');
      });
      await witnessing?.close(witnessMilliseconds);
      await sequencer.leave().catch((error: unknown) => {
        log.warn({ err: error }, 'the lease on the ledger could not be given back; it runs out by itself');
      });
    },
  };
}

/** A log that has had witnesses and has none now: what is signed is published as it is. */
async function publishUnwitnessed(sequencer: Sequencer | LedgerThread, files: LogFiles): Promise<void> {
  const published = sequencer.published();
  if (published === null || (await files.readNote('checkpoint.signed')) === null) return;
  await sequencer.replaceCheckpoint(published.note);
  await files.remove(['checkpoint.signed']);
}
