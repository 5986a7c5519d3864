import { mkdir } from 'node:fs/promises';
import { failure } from '../lib/errors.ts';
import { newEventId } from '../lib/ids.ts';
import { systemAttribution } from '../store/changes.ts';
import { Appender } from './appender.ts';
import { entryOf } from './catalogue/entry.ts';
import { EndsTogether } from './ends-together.ts';
import { noFault } from './faults.ts';
import { Health } from './health.ts';
import { recordClockSteps } from './clock-record.ts';
import { ClockWatch } from './clock-watch.ts';
import type { Ledger, LedgerOptions } from './ledger.ts';
import { LoggedEntries, type AlteredRow } from './logged-entries.ts';
import { closeSecrets } from './privacy/close-secrets.ts';
import { erase, scrub } from './privacy/erase.ts';
import { signInNames } from './privacy/sign-in-names.ts';
import { SubjectKeys } from './privacy/subject-keys.ts';
import { Teller } from './privacy/teller.ts';
import { EventSearch } from './search/event-search.ts';
import { LogFiles } from './sequence/log-files.ts';
import { archivedEvent } from './retention/archived-event.ts';
import { PrivateArchive } from './retention/private-archive.ts';
import { pruningOf } from './retention/pruning.ts';
import { Receipts } from './receipts.ts';
import { publishTimer } from './sequence/publish-timer.ts';
import { Sequencer, type Published } from './sequence/sequencer.ts';
import { directorySource } from './sources/directory-source.ts';
import { LedgerThread } from './thread/ledger-thread.ts';
import { eventQueries } from './stored-events.ts';
import { keptFrom } from './verify/retention.ts';
import { formatPolicy, trustOnly, type Policy } from './verify/policy.ts';
import { Witnessing } from './witness/witnessing.ts';

/** So long a receipt, and a stop, wait for the witnesses. */
const witnessMilliseconds = 3_000;

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
  const keys = new SubjectKeys(store);
  const teller = new Teller(store, keys);
  const search = thread?.search ?? new EventSearch(store, log, logged.of, teller.rows);
  search.schedule();
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
      return { ...entry, ...closeSecrets(keys, secrets) };
    },
  });
  const ends = new EndsTogether(appender.record, clock);
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

  const beside = new PrivateArchive(directory);
  const pruning = pruningOf({
    store,
    source,
    files,
    beside,
    signer,
    clock,
    fault,
    productVersion,
    retention: options.retention,
    queries,
    record: appender.record,
    policy,
    witnesses: () => witnessing?.state().witnesses ?? [],
    integrate: async () => sequencer.integrate(),
    publish: async (statement) => sequencer.replaceRetention(statement),
    forgetBefore: async (sequence) => search.forget(sequence),
  });

  return {
    ...queries,
    ...pruning,
    commit: appender.commit,
    record: ends.record,
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
    health: () => health.read(),
    close: async () => {
      clockSteps.stop();
      ends.flush();
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
