import type { Database } from '../../store/connection.ts';
import type { Ending } from '../faults.ts';
import type { LedgerPart } from '../health.ts';
import type { AlteredRow } from '../logged-entries.ts';
import type { EventFilter } from '../search/event-filter.ts';
import type { FoundEvents } from '../search/search-events.ts';
import type { CheckpointPath } from '../sequence/log-files.ts';
import type { Published } from '../sequence/sequencer.ts';

/** What the thread is given at its start. */
export interface ThreadData {
  readonly database: Database;
  readonly directory: string;
  readonly origin: string;
  readonly checkpointPath: CheckpointPath;
  /** For tests. */
  readonly ending?: Ending;
}

/** What the thread does for the ledger: what a Sequencer and an EventSearch do. */
export interface ThreadCalls {
  open(argument: null): Promise<void>;
  integrate(argument: null): Promise<void>;
  replaceCheckpoint(note: string): Promise<void>;
  replaceRetention(note: string): Promise<void>;
  find(search: SearchCall): Promise<FoundEvents>;
  /** Nobody waits for it any more. */
  stopFinding(call: number): void;
  forget(before: number): Promise<void>;
  /** The disk has not kept something: nothing is to be believed any more. */
  lost(message: string): void;
  /** Gives back the lease and lets go of the database. */
  leave(argument: null): Promise<void>;
}

export interface SearchCall {
  /** Told by nobody else's. */
  readonly call: number;
  readonly filter: EventFilter;
  readonly before: number | undefined;
  readonly limit: number;
}

/** The keys that sign, without what they sign with: that stays where it is. */
export interface PublicKeys {
  readonly verifierKeys: readonly string[];
  readonly retiredKeys: readonly string[];
  readonly keyHistory: string;
  /** Null for keys that stay what they are. */
  readonly revision: string | null;
}

/** What the ledger does for the thread. */
export interface LedgerCalls {
  /** Reads again which keys sign. */
  keys(argument: null): Promise<PublicKeys>;
  /** A signed note; null when the keys are not of this revision any more. */
  sign(what: { readonly text: string; readonly revision: string | null }): string | null;
  found(published: Published): void;
  published(published: Published): void;
  worked(part: LedgerPart): void;
  failed(what: { readonly part: LedgerPart; readonly message: string }): void;
  logged(what: { readonly reason: string; readonly message: string }): void;
  altered(row: AlteredRow): void;
  /** The other way round. */
  lost(message: string): void;
  /** Resolves once nobody of the process uses the database; nobody does until `goOn`, or for long. */
  pause(argument: null): Promise<void>;
  goOn(argument: null): void;
}
