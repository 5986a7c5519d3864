// What follows the append: a Sequencer, an EventSearch, and what brings the write-ahead log to where it belongs, over a
// connection of their own.
import { flushCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../lib/clock.ts';
import { Backfill } from '../../store/backfill.ts';
import { openConnection, type Turns } from '../../store/connection.ts';
import { journalIn } from '../../store/journal.ts';
import { endingAt, noFault } from '../faults.ts';
import { revisionOf } from '../keys/keys-revision.ts';
import { LoggedEntries } from '../logged-entries.ts';
import { SubjectKeys } from '../privacy/subject-keys.ts';
import { Teller } from '../privacy/teller.ts';
import { EventSearch } from '../search/event-search.ts';
import { KeysExchanged, Sequencer, type CheckpointSigner } from '../sequence/sequencer.ts';
import { directorySource } from '../sources/directory-source.ts';
import { Calls } from './calls.ts';
import type { LedgerCalls, PublicKeys, ThreadCalls, ThreadData } from './protocol.ts';

/** Entries published at once from which on much has been written. */
const manyEntries = 32;

if (parentPort === null) throw new Error('this runs beside a ledger, in a thread');
const port = parentPort;
const { database, directory, origin, checkpointPath, ending } = workerData as ThreadData;

const raw = openConnection(database);
raw.exec('pragma wal_autocheckpoint = 0');
const journal = journalIn(raw, database);
const store: Turns = { raw, journal, turn: async (act) => Promise.resolve().then(act) };
const revisionNow = revisionOf(raw);

let keys: PublicKeys = { verifierKeys: [], retiredKeys: [], keyHistory: '', revision: null };
const signer: CheckpointSigner = {
  get verifierKeys() {
    return keys.verifierKeys;
  },
  get retiredKeys() {
    return keys.retiredKeys;
  },
  get keyHistory() {
    return keys.keyHistory;
  },
  refresh: async () => {
    keys = await ledger.call('keys', null);
  },
  isCurrent: () => keys.revision === null || keys.revision === revisionNow(),
  sign: async (text) => {
    const note = await ledger.call('sign', { text, revision: keys.revision });
    if (note === null) throw new KeysExchanged();
    return note;
  },
};

const sequencer = new Sequencer({
  store,
  directory,
  origin,
  checkpointPath,
  signer,
  clock: systemClock,
  fault: ending === undefined ? noFault : endingAt(ending),
  health: {
    worked: (part) => ledger.tell('worked', part),
    failed: (part, error) => ledger.tell('failed', { part, message: messageOf(error) }),
  },
  onFound: (published) => ledger.tell('found', published),
  onPublished: (published) => ledger.tell('published', published),
});

const logged = new LoggedEntries({
  store,
  source: directorySource(directory),
  published: () => sequencer.published()?.size ?? 0,
  onAltered: (row) => ledger.tell('altered', row),
});
const search = new EventSearch(
  store,
  { error: ({ err }, message) => ledger.tell('logged', { reason: messageOf(err), message }) },
  logged.of,
  new Teller(store, new SubjectKeys(store)).rows,
);
/** Searches that run, by their calls. */
const finding = new Map<number, AbortController>();

const backfill = new Backfill({
  raw,
  whilePaused: async (act) => {
    await ledger.call('pause', null);
    try {
      act();
    } finally {
      ledger.tell('goOn', null);
    }
  },
  worked: () => ledger.tell('worked', 'journal'),
  failed: (error) => {
    if (isNotKept(error)) journal.lose(error);
    ledger.tell('failed', { part: 'journal', message: messageOf(error) });
  },
});

const served: ThreadCalls = {
  open: async () => {
    await sequencer.open();
    search.schedule();
    // Otherwise compiled code is kept at the exit, which a kill leaves out.
    flushCompileCache();
  },
  integrate: async () => {
    search.schedule();
    const before = sequencer.published()?.size ?? 0;
    await sequencer.integrate();
    if ((sequencer.published()?.size ?? 0) - before >= manyEntries) backfill.hurry();
  },
  replaceCheckpoint: async (note) => sequencer.replaceCheckpoint(note),
  replaceRetention: async (note) => sequencer.replaceRetention(note),
  find: async ({ call, filter, before, limit }) => {
    const stop = new AbortController();
    finding.set(call, stop);
    try {
      return await search.find(filter, { before, limit, signal: stop.signal });
    } finally {
      finding.delete(call);
    }
  },
  stopFinding: (call) => finding.get(call)?.abort(),
  forget: async (before) => search.forget(before),
  lost: (message) => journal.lose(new Error(message)),
  leave: async () => {
    try {
      await search.close();
      await sequencer.leave();
    } finally {
      await backfill.stop();
      await journal.close();
      raw.close();
    }
  },
};
const ledger = new Calls<LedgerCalls>(port, { ...served });
journal.whenLost((error) => ledger.tell('lost', error.message));

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC: what was written may be gone, and the next attempt succeed all the same. */
function isNotKept(error: unknown): error is Error {
  const { errcode } = error as { readonly errcode?: unknown };
  return error instanceof Error && (errcode === 1034 || errcode === 1290);
}
