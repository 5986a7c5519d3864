import module from 'node:module';
import { dirname, extname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { LockstepError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Store } from '../../store/sqlite.ts';
import type { Ending } from '../faults.ts';
import type { Health } from '../health.ts';
import type { AlteredRow } from '../logged-entries.ts';
import type { LogSigner } from '../keys/log-keys.ts';
import { ledgerFailure } from '../storage-failure.ts';
import type { EventFilter } from '../search/event-filter.ts';
import type { EventSearch } from '../search/event-search.ts';
import type { FoundEvents, SearchOptions } from '../search/search-events.ts';
import type { CheckpointPath } from '../sequence/log-files.ts';
import type { Published } from '../sequence/sequencer.ts';
import { Calls } from './calls.ts';
import type { LedgerCalls, ThreadCalls, ThreadData } from './protocol.ts';

/** A thread that has ended is not started again sooner than so long after its start. */
const restartMilliseconds = 1_000;
/** The thread has this long to bring the last pages while nobody writes. */
const longestPauseMilliseconds = 250;
/** Should the thread not come to it: a COMMIT does it itself once the write-ahead log has grown to so many pages. */
const pagesWithoutThread = 20_000;
/** SQLite's own default. */
const pagesAlone = 1_000;

const program = new URL(`./program${extname(import.meta.filename)}`, import.meta.url);

export interface LedgerThreadOptions {
  readonly store: Store;
  readonly directory: string;
  readonly origin: string;
  readonly signer: LogSigner;
  readonly health: Health;
  readonly log: Log;
  readonly checkpointPath: CheckpointPath;
  readonly onPublished: (published: Published) => void;
  readonly onAltered: (row: AlteredRow) => void;
  /** The thread has ended and not been asked to, after `open`: it is started again with the next call. */
  readonly onEnded: () => void;
  /** For tests. */
  readonly ending?: Ending;
}

interface Running {
  readonly worker: Worker;
  readonly calls: Calls<ThreadCalls>;
}

/**
 * A Sequencer and an EventSearch in a thread of their own, with a connection of their own, so that hashing, indexing,
 * searching, waiting for the disk and moving pages out of the write-ahead log hold up nobody who appends, decides or
 * answers. The keys stay here: it asks for each signature. When the thread ends by itself, what was asked of it is refused
 * and the log is not published; the next call starts another, which takes the lease over and resumes as any process does.
 */
export class LedgerThread {
  readonly #options: LedgerThreadOptions;
  #running: Running | null = null;
  #startedAt = -Infinity;
  #published: Published | null = null;
  /** Calls that wait: while there are any the thread keeps the process alive. */
  #asked = 0;
  #searches = 0;
  #goOn: () => void = () => undefined;
  #opened = false;
  /** Why nothing is called any more. */
  #stopped: Error | null = null;
  #ending: Ending | undefined;

  /** News are indexed with every call of `integrate`; it is closed with the thread. */
  readonly search: Pick<EventSearch, 'find' | 'forget' | 'schedule' | 'close'> = {
    find: async (filter, options) => this.#find(filter, options),
    forget: async (before) => this.#call('forget', before),
    schedule: () => undefined,
    close: () => Promise.resolve(),
  };

  constructor(options: LedgerThreadOptions) {
    this.#options = options;
    this.#ending = options.ending;
    const { raw, journal, database } = options.store;
    if (database.path === ':memory:') throw new TypeError('a thread cannot share a database in memory');
    raw.exec(`pragma wal_autocheckpoint = ${pagesWithoutThread}`);
    journal.whenLost((error) => {
      this.#stopped ??= error;
      this.#running?.calls.tell('lost', error.message);
    });
  }

  /** As of a Sequencer; ends the thread when it throws. */
  async open(): Promise<void> {
    try {
      await this.#call('open', null);
      this.#opened = true;
    } catch (error) {
      await this.leave().catch(() => undefined);
      throw error;
    }
  }

  async integrate(): Promise<void> {
    await this.#call('integrate', null);
  }

  async replaceCheckpoint(note: string): Promise<void> {
    await this.#call('replaceCheckpoint', note);
  }

  async replaceRetention(note: string): Promise<void> {
    await this.#call('replaceRetention', note);
  }

  async #find(filter: EventFilter, { before, limit, signal }: SearchOptions): Promise<FoundEvents> {
    signal?.throwIfAborted();
    const call = ++this.#searches;
    const stop = (): void => this.#running?.calls.tell('stopFinding', call);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const found = await this.#call('find', { call, filter, before, limit });
      signal?.throwIfAborted();
      return found;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  published(): Published | null {
    return this.#published;
  }

  /** Gives the lease back and ends the thread. */
  async leave(): Promise<void> {
    this.#stopped ??= new Error('it is closed');
    const running = this.#running;
    this.#running = null;
    this.#options.store.raw.exec(`pragma wal_autocheckpoint = ${pagesAlone}`);
    if (running === null) return;
    running.worker.ref();
    try {
      await running.calls.call('leave', null);
    } finally {
      await running.worker.terminate();
    }
  }

  async #call<Name extends keyof ThreadCalls>(
    name: Name,
    argument: Parameters<ThreadCalls[Name]>[0],
  ): Promise<Awaited<ReturnType<ThreadCalls[Name]>>> {
    const { worker, calls } = await this.#thread();
    this.#asked += 1;
    worker.ref();
    try {
      return await calls.call(name, argument);
    } finally {
      this.#asked -= 1;
      if (this.#asked === 0) worker.unref();
    }
  }

  async #thread(): Promise<Running> {
    if (this.#stopped !== null) throw ledgerFailure(this.#stopped);
    const wait = this.#startedAt + restartMilliseconds - performance.now();
    if (this.#running === null && wait > 0) await sleep(wait);
    return (this.#running ??= this.#start());
  }

  #start(): Running {
    const { store, directory, origin, checkpointPath } = this.#options;
    const ending = this.#ending;
    this.#ending = undefined;
    this.#startedAt = performance.now();
    const data: ThreadData = {
      database: store.database,
      directory,
      origin,
      checkpointPath,
      ...(ending !== undefined && { ending }),
    };
    // It prints nothing. What is not asked for is piped to this process's own output, which then no longer waits for a reader.
    const worker = new Worker(program, {
      workerData: data,
      env: cacheOfCode(),
      stdout: true,
      stderr: true,
    });
    const calls = new Calls<ThreadCalls>(worker, { ...this.#served() });
    let cause: unknown;
    worker.on('error', (error: unknown) => {
      cause = error;
    });
    worker.once('exit', (code) => {
      this.#goOn();
      const why = cause instanceof Error ? cause.message : `exit code ${code}`;
      const ended = new LockstepError({
        code: 'ledger_unavailable',
        internalMessage: `the thread that publishes the ledger has ended: ${why}`,
        cause,
      });
      calls.end(ended);
      if (this.#running?.worker === worker) this.#ended(ended);
    });
    return { worker, calls };
  }

  #ended(error: LockstepError): void {
    this.#running = null;
    this.#options.health.failed('publish', error);
    this.#options.log.error(
      { err: error },
      'the thread that publishes the ledger has ended; it is started again',
    );
    if (this.#opened) this.#options.onEnded();
  }

  #served(): LedgerCalls {
    const { store, signer, health, log, onPublished, onAltered } = this.#options;
    const revision = (): string | null => signer.revision ?? null;
    return {
      keys: async () => {
        await signer.refresh?.();
        const { verifierKeys, retiredKeys = [], keyHistory = '' } = signer;
        return {
          verifierKeys: [...verifierKeys],
          retiredKeys: [...retiredKeys],
          keyHistory,
          revision: revision(),
        };
      },
      sign: (what) => (what.revision === revision() ? signer.sign(what.text) : null),
      found: (published) => {
        this.#published = published;
      },
      published: onPublished,
      worked: (part) => health.worked(part),
      failed: ({ part, message }) => health.failed(part, new Error(message)),
      logged: ({ reason, message }) => log.error({ err: new Error(reason) }, message),
      altered: onAltered,
      lost: (message) => store.journal.lose(new Error(message)),
      pause: async () => this.#pause(),
      goOn: () => this.#goOn(),
    };
  }

  /** Keeps the database's turn until it is told to go on. */
  async #pause(): Promise<void> {
    const { db } = this.#options.store;
    await new Promise<void>((paused, reject) => {
      const turn = async (): Promise<void> => {
        paused();
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, longestPauseMilliseconds);
          this.#goOn = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      };
      db.connection().execute(turn).catch(reject);
    });
  }
}

/** Where this process keeps compiled code, if it does: a thread that is not told compiles all of its own again. */
function cacheOfCode(): NodeJS.ProcessEnv {
  // The answer ends with a directory for this version of Node.js, within the one that was asked for.
  const directory = module.getCompileCacheDir();
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) };
}
