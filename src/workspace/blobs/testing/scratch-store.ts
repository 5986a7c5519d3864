import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../../lib/clock.ts';
import { createLog } from '../../../lib/log.ts';
import type { Change, Commit } from '../../../store/changes.ts';
import { openSqliteStore, type Store } from '../../../store/sqlite.ts';
import { openBlobStore, type BlobStore } from '../blob-store.ts';

export interface Scratch {
  readonly directory: string;
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Every change that was committed, in order. */
  readonly changes: Change[];
  readonly commit: Commit;
  /** Runs once, when the next commit is asked for and before its transaction begins. */
  beforeNextCommit(work: () => Promise<void>): void;
  /** The same database and directory, opened anew, as after a restart. */
  reopen(clock?: Clock): Promise<BlobStore>;
  close(): Promise<void>;
}

/** A blob store on a real database and directory of its own. The ledger's part of a commit is a list. */
export async function scratchStore(clock: Clock = systemClock): Promise<Scratch> {
  const root = await mkdtemp(join(tmpdir(), 'lockstep-blobs-'));
  const directory = join(root, 'content');
  const store = await openSqliteStore({ path: join(root, 'lockstep.db'), dangerouslyNotDurable: true });
  const changes: Change[] = [];
  let before: (() => Promise<void>) | null = null;
  const commit: Commit = async (_by, work) => {
    const interposed = before;
    before = null;
    await interposed?.();
    const recorded: Change[] = [];
    const result = await store.db.transaction().execute(async (tx) =>
      work(tx, (change) => {
        recorded.push(change);
      }),
    );
    changes.push(...recorded);
    return result;
  };
  const open = async (clock: Clock) =>
    openBlobStore({ store, commit, directory, clock, log: createLog('silent') });
  return {
    directory,
    store,
    changes,
    commit,
    beforeNextCommit: (work) => {
      before = work;
    },
    blobs: await open(clock),
    reopen: async (later = clock) => open(later),
    close: async () => {
      await store.close();
      await rm(root, { recursive: true });
    },
  };
}
