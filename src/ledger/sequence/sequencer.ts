import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import { LockstepError } from '../../lib/errors.ts';
import { JoinedRuns } from '../../lib/joined-runs.ts';
import type { Turns } from '../../store/connection.ts';
import type { Fault } from '../faults.ts';
import type { Health } from '../health.ts';
import type { LogSigner } from '../keys/log-keys.ts';
import { isMissing } from '../sources/directory-source.ts';
import { formatCheckpoint } from '../tlog/checkpoint.ts';
import { HeadRows } from './head-rows.ts';
import type { Held } from './lease.ts';
import { LogFiles, type CheckpointPath } from './log-files.ts';
import { readPublished, resume, type Resumed } from './resume.ts';

/** Rows placed in one transaction: bounds how long the event loop is held. */
const chunkRows = 512;
/** Entries hashed without leaving the event loop. */
const hashedAtOnce = 64;
/** Chunks under one checkpoint: bounds what waits in memory to be written. */
const chunksPerCheckpoint = 16;
/** How often it is looked whether another process has published, and for how long. */
const waitMilliseconds = 20;
const patienceMilliseconds = 10_000;

/** Signs checkpoints, in this thread or in another. */
export interface CheckpointSigner extends Pick<
  LogSigner,
  'verifierKeys' | 'retiredKeys' | 'keyHistory' | 'refresh' | 'isCurrent'
> {
  /** Throws KeysExchanged when other keys sign by now than were last read. */
  sign(text: string): string | Promise<string>;
}

export interface SequencerOptions {
  readonly store: Turns;
  readonly directory: string;
  readonly origin: string;
  readonly signer: CheckpointSigner;
  readonly clock: Clock;
  readonly health: Pick<Health, 'worked' | 'failed'>;
  readonly fault: Fault;
  /** Where a signed checkpoint goes; what has not been witnessed is not shown as the log's. Default `checkpoint`. */
  readonly checkpointPath?: CheckpointPath;
  /** Called with every checkpoint that is signed and durable. */
  readonly onPublished?: (published: Published) => void;
  /** Called with every checkpoint that is found published, whoever has. */
  readonly onFound?: (published: Published) => void;
}

export interface Published {
  /** The signed checkpoint. */
  readonly note: string;
  readonly size: number;
}

/**
 * Turns the feed into the log: (a) rows get their leaf index and the new head is durable, in one transaction;
 * (b) tiles and bundles are on the disk; (c) only then a checkpoint is signed and takes the place of the last one.
 * One run at a time. After any failure the next run begins from what is stored, not from what was in memory.
 * Of several processes on one database the one that holds the lease does so; the others wait for it, and take over when
 * it is gone or its lease has run out.
 */
export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #rows: HeadRows;
  readonly #files: LogFiles;
  /** Null after a failure: to be resumed. */
  #state: Resumed | null = null;
  #published: Published | null = null;
  /** What was last written of the keys. */
  #listed: string | null = null;
  readonly #runs = new JoinedRuns(() => this.#run());

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#rows = new HeadRows(options.store, options.fault);
    this.#files = new LogFiles(options.directory, options.fault);
  }

  /**
   * Resumes and publishes what was left unpublished, unless another process is at it. Throws `ledger_unavailable` when
   * the log cannot be continued.
   */
  async open(): Promise<void> {
    const lead = await this.#rows.lead(this.#options.clock.now());
    if (typeof lead === 'string') await this.integrate();
    else this.#found(await this.#readPublished());
  }

  /** Lets another process take over at once. */
  async leave(): Promise<void> {
    this.#state = null;
    await this.#rows.release();
    await this.#files.leave();
  }

  /** Puts a checkpoint that has been cosigned in the place of the last one, unless another process leads by now. */
  async replaceCheckpoint(note: string): Promise<void> {
    await this.#files.replaceCheckpoint(
      'checkpoint',
      note,
      async (takePlace) => this.#rows.whileLeading(takePlace),
      'cosigned',
    );
  }

  /** Publishes what the log says that it keeps, unless another process leads by now. */
  async replaceRetention(note: string): Promise<void> {
    await this.#files.replaceCheckpoint(
      'retention',
      note,
      async (takePlace) => this.#rows.whileLeading(takePlace),
      'retention',
    );
  }

  /** The newest checkpoint known to be published. */
  published(): Published | null {
    return this.#published;
  }

  /** Resolves once all that was durable when it was called is under a published checkpoint. */
  async integrate(): Promise<void> {
    return this.#runs.request();
  }

  /** `again`: what was being written had been cleared away once already. */
  async #run(again = false): Promise<void> {
    const { health } = this.#options;
    let led = false;
    try {
      await this.#options.signer.refresh?.();
      led = await this.#leads();
      if (!led) return;
      let state = this.#state ?? (await this.#resume());
      this.#state = null;
      for (let more = true; more;) {
        ({ state, more } = await this.#place(state));
        state = await this.#publish(state);
      }
      // Taken over before there was anything to do, it would know nothing of what the other has published.
      if (!(await this.#rows.leads())) return this.#run();
      this.#state = state;
      health.worked('publish');
    } catch (error) {
      // Whoever takes over clears away what was being written: then nothing of it was wrong.
      const wasTaken = led && !(await this.#rows.leads().catch(() => true));
      if (wasTaken || error instanceof KeysExchanged) return this.#run();
      // It may lead no longer by now, and we again: what it cleared away is missing all the same.
      if (led && !again && isMissing(error)) return this.#run(true);
      health.failed('publish', error);
      throw error;
    }
  }

  /** Waits until the lease is ours, or until its holder has published all that is there now: then there is nothing to do. */
  async #leads(): Promise<boolean> {
    const { clock } = this.#options;
    const wanted = await this.#rows.newest();
    const deadline = performance.now() + patienceMilliseconds;
    for (;;) {
      const lead = await this.#rows.lead(clock.now());
      if (lead === 'kept') return true;
      // Another may have sequenced since.
      this.#state = null;
      if (lead === 'taken') return true;
      if (await this.#isCovered(wanted)) return false;
      if (performance.now() > deadline) throw stalled(lead);
      await sleep(waitMilliseconds);
    }
  }

  /** Whether the process that holds the lease has published the row, and this one can see it. */
  async #isCovered(sequence: number): Promise<boolean> {
    const covered = await this.#rows.covered();
    if (covered.sequence < sequence) return false;
    if ((this.#published?.size ?? -1) < covered.size) this.#found(await this.#readPublished());
    this.#options.health.worked('publish');
    return (this.#published?.size ?? -1) >= covered.size;
  }

  #found(published: Published | null): void {
    this.#published = published;
    if (published !== null) this.#options.onFound?.(published);
  }

  async #readPublished(): Promise<Published | null> {
    const published = await readPublished(this.#files, this.#verifierKeys);
    return published === null ? null : { note: published.note, size: published.checkpoint.size };
  }

  get #verifierKeys(): readonly string[] {
    const { signer } = this.#options;
    const { retiredKeys = [] } = signer;
    return [...signer.verifierKeys, ...retiredKeys];
  }

  async #resume(): Promise<Resumed> {
    const { clock } = this.#options;
    this.#listed = null;
    await this.#files.prepare();
    return resume({
      rows: this.#rows,
      files: this.#files,
      verifierKeys: this.#verifierKeys,
      now: clock.now(),
    });
  }

  /** The keys that sign, and how they came to, beside what they sign: before anything is published that needs them. */
  async #listKeys(): Promise<void> {
    const { verifierKeys, keyHistory = '' } = this.#options.signer;
    const listed = verifierKeys.map((key) => `${key}\n`).join('');
    if (this.#listed === listed + keyHistory) return;
    await this.#files.writeKeyFiles([
      ...(keyHistory === '' ? [] : [{ path: 'key-history', bytes: Buffer.from(keyHistory) }]),
      { path: 'key', bytes: Buffer.from(listed) },
    ]);
    this.#listed = listed + keyHistory;
  }

  /** Step (a), in chunks. */
  async #place(from: Resumed): Promise<{ state: Resumed; more: boolean }> {
    let { head } = from;
    for (let chunk = 0; chunk < chunksPerCheckpoint; chunk++) {
      const rows = await this.#rows.unsequenced(chunkRows);
      if (rows.length === 0) return { state: { ...from, head }, more: false };
      for (const [i, row] of rows.entries()) {
        if (i % hashedAtOnce === hashedAtOnce - 1) await setImmediate();
        from.log.append(row.entry);
      }
      const root = from.log.root();
      await this.#rows.advance(head, rows, root, this.#options.clock.now());
      head = { ...head, size: from.log.size, root };
      if (rows.length < chunkRows) return { state: { ...from, head }, more: false };
    }
    return { state: { ...from, head }, more: true };
  }

  /** Steps (b) and (c). */
  async #publish(state: Resumed): Promise<Resumed> {
    const { head, published } = state;
    this.#found(published);
    if (published !== null) this.#options.onPublished?.(published);
    if (published?.size === head.size) {
      if (head.publishedSize < head.size) await this.#rows.published(head.size, () => undefined);
      return { ...state, head: { ...head, publishedSize: head.size } };
    }
    const { files, obsolete } = state.log.takeFiles();
    await this.#files.write(files);
    const { origin, signer, checkpointPath = 'checkpoint', onPublished } = this.#options;
    await this.#listKeys();
    const note = await signer.sign(formatCheckpoint({ origin, size: head.size, root: head.root }));
    await this.#files.replaceCheckpoint(checkpointPath, note, async (takePlace) =>
      this.#rows.published(head.size, () => {
        if (signer.isCurrent?.() === false) throw new KeysExchanged();
        takePlace();
      }),
    );
    const signed = { note, size: head.size };
    this.#found(signed);
    onPublished?.(signed);
    await this.#files.remove(obsolete);
    return { ...state, head: { ...head, publishedSize: head.size }, published: signed };
  }
}

/** Between the signing of a checkpoint and its publication, by another process. */
export class KeysExchanged extends Error {
  constructor() {
    super('the key of the log has been exchanged');
  }
}

function stalled({ holder, until }: Held): LockstepError {
  return new LockstepError({
    code: 'ledger_unavailable',
    internalMessage: `${holder} holds the lease on the ledger until ${new Date(until).toISOString()} and does not publish`,
  });
}
