import type { Clock } from '../../lib/clock.ts';
import { failure } from '../../lib/errors.ts';
import type { Attribution } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import type { RecordFact } from '../events.ts';
import type { Fault } from '../faults.ts';
import type { LogSigner } from '../keys/log-keys.ts';
import type { LogFiles } from '../sequence/log-files.ts';
import type { EventQueries } from '../stored-events.ts';
import type { Policy } from '../verify/policy.ts';
import type { TileSource } from '../verify/tile-source.ts';
import type { WitnessingState } from '../witness/witnessing.ts';
import type { PrivateArchive } from './private-archive.ts';
import { pruneArchive, renewStatement, type ArchivePruned } from './prune-archive.ts';
import { pruneRows, type Pruned } from './prune-rows.ts';

/** How a ledger forgets, from the front only. */
export interface Pruning {
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
}

export interface PruningParts {
  readonly store: Store;
  readonly source: TileSource;
  readonly files: LogFiles;
  readonly beside: PrivateArchive;
  readonly signer: LogSigner;
  readonly clock: Clock;
  readonly fault: Fault;
  readonly productVersion: string;
  readonly retention?: { readonly policy: string; readonly hold: boolean } | undefined;
  readonly queries: Pick<EventQueries, 'eventsAfter'>;
  readonly record: RecordFact;
  /** What the log is believed by. */
  readonly policy: () => Policy;
  readonly witnesses: () => WitnessingState['witnesses'];
  readonly integrate: () => Promise<void>;
  /** Puts a statement in its place, durably. */
  readonly publish: (statement: string) => Promise<void>;
  /** The index of searches lets go of what is before this sequence. */
  readonly forgetBefore: (sequence: number) => Promise<void>;
}

export function pruningOf(parts: PruningParts): Pruning {
  const { store, source, files, beside, signer, clock, fault, retention, policy, publish } = parts;
  const lifecycle = async (
    by: Attribution,
    activity: 'prune' | 'prune-archive',
    before: number,
    more: object,
  ) =>
    parts.record({
      kind: 'lifecycle',
      attribution: by,
      activity,
      version: parts.productVersion,
      detail: { before: new Date(before).toISOString(), ...more },
    });

  /** One after the other: each reads the statement that the one before has left. */
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = async <T>(act: () => Promise<T>): Promise<T> => {
    const mine = last.catch(() => undefined).then(act);
    last = mine;
    return mine;
  };
  /** Nothing that has a row goes, and nothing that a witness which lags behind is still to be led from. */
  const archiveLimit = async (): Promise<number> => {
    const [oldest] = await parts.queries.eventsAfter(0, 1);
    const witnessed = parts
      .witnesses()
      .map(({ size }) => size)
      .filter((size) => size > 0);
    return Math.min(oldest?.leafIndex ?? 0, ...witnessed);
  };

  return {
    prune: async (by, before, signal) => {
      const pruned = await pruneRows({ store, source, beside, trust: policy(), before, fault, signal });
      await parts.forgetBefore(pruned.firstSequence);
      await lifecycle(by, 'prune', before, {
        firstIndex: String(pruned.firstIndex),
        rows: String(pruned.rows),
      });
      return pruned;
    },
    pruneArchive: async (by, before, signal) => {
      if (retention?.hold === true) {
        throw failure('conflict', 'Nothing of the archive is removed: `ledger.retention.hold` is set.');
      }
      return inTurn(async () => {
        await parts.integrate();
        return pruneArchive({
          source,
          files,
          beside,
          trust: policy(),
          signer,
          before,
          limit: await archiveLimit(),
          policy: retention?.policy ?? 'asked for by an operator',
          now: Math.floor(clock.now() / 1_000),
          publish,
          signal,
          announce: async (kept) => lifecycle(by, 'prune-archive', before, { firstIndex: String(kept) }),
        });
      });
    },
    renewRetention: async () =>
      inTurn(async () =>
        renewStatement({ source, trust: policy(), signer, keys: signer.verifierKeys, publish }),
      ),
  };
}
