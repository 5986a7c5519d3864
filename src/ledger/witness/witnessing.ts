import type { Clock } from '../../lib/clock.ts';
import { JoinedRuns } from '../../lib/joined-runs.ts';
import type { Log } from '../../lib/log.ts';
import type { NoteSigner } from '../note.ts';
import type { Published } from '../sequence/sequencer.ts';
import { consistencyProof } from '../tlog/proof.ts';
import { openSigned } from '../verify/open-checkpoint.ts';
import { quorumMet, type Policy } from '../verify/policy.ts';
import { subtreesOf } from '../verify/read-tile.ts';
import type { TileSource } from '../verify/tile-source.ts';
import { askWitness, type WitnessAnswer } from './ask-witness.ts';

/** One request at most takes so long. */
const answerMilliseconds = 1_500;
/** Once there is a quorum, so long is waited for the others before the checkpoint is published. */
const graceMilliseconds = 50;
/** A witness that fails is left alone so long, twice as long each time. */
const firstPauseMilliseconds = 250;
const longestPauseMilliseconds = 10_000;
/** A cosigned checkpoint that could not be written is tried again so soon. */
const writeAgainMilliseconds = 1_000;
/** Whoever waits looks so often whether another process has published. */
const lookMilliseconds = 50;
/** Sizes that a witness may name in answer to one checkpoint before it is left alone. */
const mostConflicts = 3;

export interface WitnessState {
  readonly name: string;
  /** Entries under the newest checkpoint that it has cosigned for us. */
  readonly size: number;
  /** Unix seconds of that cosignature; null before the first. */
  readonly time: number | null;
  /** Why it does not cosign at the moment; null when it does. */
  readonly problem: string | null;
}

export interface WitnessingState {
  /** Entries under the newest checkpoint that meets the policy; 0 before the first. */
  readonly size: number;
  /** Entries that are signed by the log, but by too few witnesses so far. */
  readonly behind: number;
  /** Since when the quorum has not been met, in milliseconds; null while it is. */
  readonly unmetSince: number | null;
  readonly witnesses: readonly WitnessState[];
}

export interface WitnessingOptions {
  /** Its logs are the keys of this log, as they are now. */
  readonly policy: () => Policy;
  readonly source: TileSource;
  /** The checkpoint that is published now, whoever has cosigned it: by this process or another. */
  readonly standing: () => Promise<string | null>;
  /** Puts a checkpoint that meets the policy in the place of the last one; durable when it resolves. */
  readonly publish: (note: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Asked {
  readonly name: string;
  readonly verifierKey: string;
  readonly url: string;
  size: number;
  time: number | null;
  problem: string | null;
  failures: number;
  /** On the monotonic clock. */
  pausedUntil: number;
  turn: Promise<void>;
}

interface Round {
  readonly head: Published;
  readonly lines: Map<string, string>;
  published: boolean;
}

/**
 * Has the newest checkpoint cosigned and publishes it once the quorum of the policy is met. It runs beside the
 * sequencer and never holds it up: what is signed meanwhile is the next to be cosigned. When too few witnesses answer,
 * the checkpoint that met the quorum last stays published, and asking goes on.
 */
export class Witnessing {
  readonly #options: WitnessingOptions;
  readonly #asked: readonly Asked[];
  readonly #closing = new AbortController();
  readonly #reached = new Set<() => void>();
  #newest: Published | null = null;
  #published: Published | null = null;
  #unmetSince: number | null = null;
  readonly #rounds = new JoinedRuns(() => this.#round());
  #writing: Promise<void> = Promise.resolve();
  #again: NodeJS.Timeout | null = null;

  private constructor(options: WitnessingOptions) {
    this.#options = options;
    this.#asked = options.policy().witnesses.flatMap(({ name, verifierKey, url }) => {
      if (url === null) return [];
      return [
        {
          name,
          verifierKey,
          url,
          size: 0,
          time: null,
          problem: null,
          failures: 0,
          pausedUntil: 0,
          turn: Promise.resolve(),
        },
      ];
    });
  }

  /** Begins with the checkpoint that stands. */
  static async open(options: WitnessingOptions): Promise<Witnessing> {
    const witnessing = new Witnessing(options);
    await witnessing.#readStanding();
    return witnessing;
  }

  /** Takes up what another process, or an earlier one, has had cosigned and published. */
  async #readStanding(): Promise<void> {
    const policy = this.#options.policy();
    const note = await this.#options.standing();
    const opened = note === null ? null : openSigned(note, policy);
    if (note === null || opened?.ok !== true) return;
    const { size } = opened.checkpoint;
    if (size <= (this.#published?.size ?? -1)) return;
    for (const witness of this.#asked) {
      const own = opened.cosignatures.find(({ witness: name }) => name === witness.name);
      if (own !== undefined && size > witness.size) Object.assign(witness, { size, time: own.time });
    }
    if (!quorumMet(policy, new Set(opened.cosignatures.map(({ witness }) => witness)))) return;
    this.#published = { note, size };
    if (size >= (this.#newest?.size ?? 0)) this.#unmetSince = null;
    for (const done of this.#reached) done();
  }

  /** A checkpoint that the log has signed and whose tiles are there. */
  offer(head: Published): void {
    if (this.#newest?.size === head.size) return;
    this.#newest = head;
    this.#start();
  }

  /** The newest checkpoint that meets the policy; null before the first. */
  published(): Published | null {
    return this.#published;
  }

  state(): WitnessingState {
    const size = this.#published?.size ?? 0;
    return {
      size,
      behind: Math.max(0, (this.#newest?.size ?? 0) - size),
      unmetSince: this.#unmetSince,
      witnesses: this.#asked.map(({ name, size: own, time, problem }) => ({
        name,
        size: own,
        time,
        problem,
      })),
    };
  }

  /**
   * Resolves once a checkpoint of at least `size` entries meets the policy, or after `milliseconds`. Another process may
   * be the one that publishes it.
   */
  async reach(size: number, milliseconds: number): Promise<void> {
    const deadline = performance.now() + milliseconds;
    const reached = () => (this.#published?.size ?? -1) >= size;
    while (!reached() && performance.now() < deadline) {
      await this.#readStanding();
      if (reached()) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.max(0, Math.min(lookMilliseconds, deadline - performance.now())));
        const waiting = this.#reached;
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
  }

  /**
   * Whom the quorum lacks if from now on only what `signer` signs is shown to them; empty when nobody. Each is shown once
   * more what is published, so signed: whoever knows the key cosigns it again, or says that it holds a newer one.
   */
  async wouldLack(signer: NoteSigner): Promise<readonly string[]> {
    const published = this.#published;
    if (published === null) return [];
    const note = signer.sign(published.note.slice(0, published.note.indexOf('\n\n') + 1));
    const accepting = new Set<string>();
    await Promise.all(
      this.#asked.map(async (witness) => {
        const asking = witness.turn.then(() => this.#answerOf(witness, { ...published, note }));
        witness.turn = asking.then(() => undefined);
        const { kind } = await asking;
        if (kind === 'cosigned' || kind === 'conflict') accepting.add(witness.name);
      }),
    );
    if (quorumMet(this.#options.policy(), accepting)) return [];
    return this.#asked.map(({ name }) => name).filter((name) => !accepting.has(name));
  }

  /** Gives the last checkpoint a moment to be cosigned, then asks no more. */
  async close(milliseconds: number): Promise<void> {
    if (this.#newest !== null) await this.reach(this.#newest.size, milliseconds);
    this.#closing.abort();
    if (this.#again !== null) clearTimeout(this.#again);
    await this.#rounds.idle();
    await this.#writing;
  }

  #start(): void {
    if (this.#closing.signal.aborted) return;
    if (this.#again !== null) clearTimeout(this.#again);
    this.#again = null;
    this.#rounds.request().then(
      () => this.#scheduleAgain(),
      (error: unknown) => {
        this.#options.log.error({ err: error }, 'witnesses cannot be asked; it is tried again');
        this.#scheduleAgain();
      },
    );
  }

  /** The newest checkpoint; what is signed meanwhile has the next round. */
  async #round(): Promise<void> {
    await this.#readStanding();
    if (this.#newest === null || this.#closing.signal.aborted) return;
    await this.#askAll({ head: this.#newest, lines: new Map(), published: false });
  }

  /** Asks every witness that has not just failed; ends when the checkpoint is published or nobody is left to wait for. */
  async #askAll(round: Round): Promise<void> {
    const now = performance.now();
    const left = new Set<Promise<void>>();
    for (const witness of this.#asked.filter(({ pausedUntil }) => pausedUntil <= now)) {
      const asking = this.#askInTurn(witness, round).finally(() => left.delete(asking));
      left.add(asking);
    }
    const isMet = () => quorumMet(this.#options.policy(), new Set(round.lines.keys()));
    while (!isMet() && left.size > 0) await Promise.race(left);
    if (isMet()) {
      if (left.size > 0) await Promise.race([Promise.all(left), pause(graceMilliseconds)]);
      round.published = true;
      await this.#publish(round);
      return;
    }
    this.#unmetSince ??= this.#options.clock.now();
  }

  /** A slow witness may still be at work on the last checkpoint; it is never asked twice at once. */
  #askInTurn(witness: Asked, round: Round): Promise<void> {
    witness.turn = witness.turn.then(() => this.#ask(witness, round));
    return witness.turn;
  }

  async #ask(witness: Asked, round: Round): Promise<void> {
    const superseded = round.published && this.#newest?.size !== round.head.size;
    if (superseded || this.#closing.signal.aborted) return;
    const answer = await this.#answerOf(witness, round.head);
    if (answer.kind !== 'cosigned') {
      this.#failed(witness, answer);
      return;
    }
    if (witness.problem !== null)
      this.#options.log.info({ witness: witness.name }, 'the witness cosigns again');
    Object.assign(witness, { size: round.head.size, time: answer.time, problem: null, failures: 0 });
    round.lines.set(witness.name, answer.line);
    // Too late for the round: it still counts for the checkpoint, as long as that is the newest.
    if (round.published && this.#published?.size === round.head.size) await this.#publish(round);
  }

  /** Sends what the witness lacks; when it names another size than we thought it held, from there. */
  async #answerOf(witness: Asked, { note, size }: Published): Promise<WitnessAnswer> {
    const signal = AbortSignal.any([AbortSignal.timeout(answerMilliseconds), this.#closing.signal]);
    let oldSize = Math.min(witness.size, size);
    for (let attempt = 0; attempt < mostConflicts; attempt++) {
      let proof;
      try {
        proof = await consistencyProof(oldSize, size, subtreesOf(this.#options.source, size));
      } catch (error) {
        return { kind: 'failed', reason: `the log cannot be read: ${String(error)}` };
      }
      const answer = await askWitness(witness, { oldSize, proof, checkpoint: note }, signal);
      if (answer.kind !== 'conflict') return answer;
      witness.size = answer.size;
      if (answer.size > size) return answer;
      oldSize = answer.size;
    }
    return { kind: 'failed', reason: 'it names another size each time' };
  }

  #failed(witness: Asked, answer: Exclude<WitnessAnswer, { kind: 'cosigned' }>): void {
    if (this.#closing.signal.aborted) return;
    const newest = this.#newest?.size ?? 0;
    if (answer.kind === 'conflict' && answer.size <= newest) return;
    const problem =
      answer.kind === 'conflict'
        ? `it has cosigned ${answer.size} entries of this log, which holds ${newest}: the log was set back, or runs twice`
        : answer.reason;
    if (witness.problem !== problem) {
      this.#options.log.warn(
        { witness: witness.name, problem },
        'a witness does not cosign; it is asked again',
      );
    }
    const wait = Math.min(firstPauseMilliseconds * 2 ** witness.failures, longestPauseMilliseconds);
    witness.problem = problem;
    witness.failures += 1;
    witness.pausedUntil = performance.now() + wait;
  }

  /** One write after the other, so that no older checkpoint takes the place of a newer one. */
  async #publish({ head, lines }: Round): Promise<void> {
    const inOrder = this.#options.policy().witnesses.flatMap(({ name }) => lines.get(name) ?? []);
    const note = head.note + inOrder.map((line) => `${line}\n`).join('');
    this.#writing = this.#writing.then(async () => {
      if ((this.#published?.size ?? -1) > head.size) return;
      try {
        await this.#options.publish(note);
      } catch (error) {
        this.#unmetSince ??= this.#options.clock.now();
        this.#options.log.error({ err: error }, 'a cosigned checkpoint cannot be written; it is tried again');
        return;
      }
      this.#published = { note, size: head.size };
      this.#unmetSince = null;
      for (const done of this.#reached) done();
    });
    await this.#writing;
  }

  /** As long as a checkpoint is not published, or a witness is behind, somebody is to be asked again. */
  #scheduleAgain(): void {
    if (this.#closing.signal.aborted || this.#newest === null) return;
    const { size } = this.#newest;
    const behind = this.#asked.filter((witness) => witness.size !== size || witness.problem !== null);
    if (this.#published?.size === size && behind.length === 0) return;
    const now = performance.now();
    const soonest = Math.min(...behind.map(({ pausedUntil }) => pausedUntil), now + writeAgainMilliseconds);
    const wait = Math.max(firstPauseMilliseconds / 2, soonest - now);
    if (this.#again !== null) clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#start(), wait).unref();
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
