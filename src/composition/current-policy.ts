import { setTimeout as pause } from 'node:timers/promises';
import type { ChangeFeed, FeedPage } from '../ledger/change-feed.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { EngineOptions } from '../policy/engine/engine.ts';
import { PolicySnapshot, type PolicyRows } from '../policy/snapshot.ts';
import type { PolicyStep } from '../store/changes.ts';

/** Changes read at once: bounds how long the event loop is held. */
const pageSteps = 512;
/** Between two looks at the feed while somebody waits for what it does not show yet. */
const lookAgainMilliseconds = 25;
/** Looks in a row that may find more missing; beyond it the next poll goes on. */
const mostLooks = 1_000;
/** Times in a row that policy is loaded anew; the same. */
const mostLoads = 3;

export interface CurrentPolicyOptions {
  readonly feed: ChangeFeed;
  /** The whole policy as it stands in the store. */
  loadRows(): Promise<PolicyRows>;
  readonly clock: Clock;
  readonly log: Log;
  /** Without word from the feed for longer than this, nothing is decided. */
  readonly staleMilliseconds: number;
  /** How long a request may wait for a revision, or for a policy that is current. */
  readonly waitMilliseconds: number;
  /** How much memory the engine may take; its own default when left out. */
  readonly engine?: Partial<EngineOptions>;
  /** For tests. */
  readonly sleep?: (milliseconds: number) => Promise<unknown>;
}

/** Whoever enforces policy on what is running. */
export interface PolicyWatcher {
  /** Policy has moved on otherwise than by one `take`: whatever rests on it is to be looked at again. */
  caughtUp(): void;
  /** It is not known any more what policy says: `staleMilliseconds` are over. Called once each time. */
  stale(): void;
}

/**
 * The policy that one process decides by, kept in step with the ledger's feed: `take` is told of what this process
 * commits, `check` reads what the feed holds beyond it. A change that is missing is read from the feed, one that
 * cannot be taken in has the policy loaded anew; until then, and when the feed has been silent for too long, every
 * decision is a deny. Any number of processes may follow one store in this way.
 */
export class CurrentPolicy {
  readonly snapshot: PolicySnapshot;
  readonly #options: CurrentPolicyOptions;
  readonly #sleep: (milliseconds: number) => Promise<unknown>;
  /** Up to here in the feed there is no change that the snapshot lacks. */
  #through: number;
  /** When that was last known to be all there is. */
  #currentAt: number;
  #stale = false;
  #watcher: PolicyWatcher | null = null;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #failing = false;

  private constructor(options: CurrentPolicyOptions, rows: PolicyRows, readAt: number) {
    this.#options = options;
    this.#sleep = options.sleep ?? ((milliseconds) => pause(milliseconds, undefined, { ref: false }));
    this.snapshot = PolicySnapshot.from(rows, options.engine);
    this.#through = rows.version;
    this.#currentAt = readAt;
  }

  static async load(options: CurrentPolicyOptions): Promise<CurrentPolicy> {
    const readAt = options.clock.now();
    return new CurrentPolicy(options, await options.loadRows(), readAt);
  }

  watch(watcher: PolicyWatcher): void {
    this.#watcher = watcher;
  }

  /** Whether it may be decided on. */
  get isCurrent(): boolean {
    return this.snapshot.fault === null && !this.#isSilent();
  }

  /** The revision that it contains: no less than the snapshot's version, more where later events changed nothing. */
  get through(): number {
    return Math.max(this.#through, this.snapshot.version);
  }

  /** What this process has just committed, within the turn of the commit. Never throws. */
  take(committed: readonly PolicyStep[]): void {
    const { snapshot } = this;
    const wasBehind = this.#isBehind();
    for (const change of committed) snapshot.apply(change);
    if (snapshot.fault === null) {
      this.#currentAt = this.#options.clock.now();
      if (wasBehind) this.#watcher?.caughtUp();
    } else if (!this.#stale) this.#recover();
  }

  /** Reads the feed to its end as it is at some time after the call. Rejects when it or the rows cannot be read. */
  async check(): Promise<void> {
    this.#next ??= (this.#running ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        this.#running = this.#catchUp();
        return this.#running;
      });
    return this.#next;
  }

  /** To be called now and then: `check`, and what follows from its failing for too long. Never rejects. */
  async poll(): Promise<void> {
    try {
      // A process that was asleep is not out of date before it has had the time to look.
      await Promise.race([this.check(), this.#sleep(this.#options.waitMilliseconds)]);
      if (this.#failing) this.#options.log.info('policy: the feed can be followed again');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#options.log.error({ err: error }, 'policy: the feed cannot be followed');
      this.#failing = true;
    }
    this.#noteSilence();
  }

  /** Suspends the snapshot once the feed has been silent for too long. */
  #noteSilence(): void {
    if (this.#stale || !this.#isSilent()) return;
    this.#stale = true;
    this.snapshot.suspend();
    this.#options.log.error(
      { version: this.snapshot.version },
      'policy may be out of date: everything is denied until the feed can be followed again',
    );
    this.#watcher?.stale();
  }

  /**
   * Null when policy is current and contains this revision. Else a promise that resolves when it does, or when the
   * time for waiting is over: whoever waited has to ask again.
   */
  reach(revision: number): Promise<void> | null {
    return this.#contains(revision) ? null : this.#reached(revision);
  }

  async #reached(revision: number): Promise<void> {
    const over = new AbortController();
    const patience = this.#sleep(this.#options.waitMilliseconds).then(() => over.abort());
    await Promise.race([patience, this.#look(revision, over.signal)]);
    over.abort();
  }

  async #look(revision: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.check().catch(() => undefined);
      if (this.#contains(revision)) return;
      await this.#sleep(lookAgainMilliseconds);
    }
  }

  #contains(revision: number): boolean {
    return this.isCurrent && revision <= this.through;
  }

  #isSilent(): boolean {
    return this.#options.clock.now() - this.#currentAt > this.#options.staleMilliseconds;
  }

  #recover(): void {
    const { log } = this.#options;
    if (this.#next !== null) return;
    log.error(
      { fault: this.snapshot.fault },
      'policy is out of step with the feed; it is brought up to date',
    );
    void this.poll();
  }

  async #catchUp(): Promise<void> {
    const { feed, clock } = this.#options;
    const { snapshot } = this;
    let moved = false;
    let loads = 0;
    for (let looks = 0; looks < mostLooks; looks++) {
      const readAt = clock.now();
      const from = snapshot.version;
      const page = this.#isBroken() ? null : await feed.after(from, pageSteps);
      const taken = page === null ? 'not-to-be-had' : this.#takeRead(page);
      if (taken === 'not-to-be-had' || this.#isBroken() || this.#isStuckAt(from)) {
        if (++loads > mostLoads) break;
        await this.#reload();
        moved = true;
        continue;
      }
      moved ||= taken === 'some';
      if (page === null || page.steps.length === pageSteps || this.#isBehind()) continue;
      this.#through = Math.max(this.#through, page.through);
      this.#currentAt = Math.max(this.#currentAt, readAt);
      this.#isCurrentAgain(moved);
      return;
    }
    throw new Error(`the feed does not lead past ${snapshot.version}`, { cause: snapshot.fault });
  }

  /** What of a page was news; one step that is known in part only is not to be had from the feed. */
  #takeRead({ steps }: FeedPage): 'none' | 'some' | 'not-to-be-had' {
    const { snapshot } = this;
    let taken: 'none' | 'some' = 'none';
    for (const step of steps) {
      if (step.sequence <= snapshot.version) continue;
      if (!step.whole) return 'not-to-be-had';
      snapshot.apply(step);
      taken = 'some';
    }
    return taken;
  }

  #isBehind(): boolean {
    return this.snapshot.fault?.kind === 'behind';
  }

  #isBroken(): boolean {
    return this.snapshot.fault?.kind === 'broken';
  }

  /** The feed does not hold what is missing: its rows begin later. */
  #isStuckAt(version: number): boolean {
    return this.#isBehind() && this.snapshot.version === version;
  }

  async #reload(): Promise<void> {
    const { snapshot } = this;
    const rows = await this.#options.loadRows();
    // What has been applied meanwhile is newer than what was read.
    if (rows.version < snapshot.version && !this.#isBroken()) return;
    snapshot.load(rows);
    this.#options.log.info({ version: rows.version }, 'policy was loaded anew');
  }

  #isCurrentAgain(moved: boolean): void {
    const wasStale = this.#stale;
    this.#stale = false;
    this.snapshot.resume();
    if (moved || wasStale) this.#watcher?.caughtUp();
  }
}
