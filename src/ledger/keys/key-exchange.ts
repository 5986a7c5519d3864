import type { Clock } from '../../lib/clock.ts';
import { failure } from '../../lib/errors.ts';
import type { Attribution, Change, Commit, Tx } from '../../store/changes.ts';
import type { Sealer } from '../../store/sealer.ts';
import type { Store } from '../../store/sqlite.ts';
import { noFault, type Fault, type StorageStep } from '../faults.ts';
import { createSigner, generateNoteKey, openNote, signTogether, type NoteSigner } from '../note.ts';
import { formatKeyExchange, type ExchangeReason } from '../verify/key-history.ts';
import { sealContext, type LogKey, type LogKeys } from './log-keys.ts';

export interface KeyExchangeOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly keys: LogKeys;
  readonly commit: Commit;
  readonly clock: Clock;
  /** Has everything that is durable put under a signed checkpoint. */
  readonly integrate: () => Promise<void>;
  /** The checkpoint that stands published; null before the first. */
  readonly checkpoint: () => string | null;
  /** Which witnesses the quorum would lack if this key alone signed; empty when it would be met. */
  readonly witnessesWithout: (signer: NoteSigner) => Promise<readonly string[]>;
  /** How long a key signs before another takes its place by itself; null: never. */
  readonly everyMilliseconds: number | null;
  /** How long both sign, unless it is said otherwise. */
  readonly overlapMilliseconds: number;
  /** For tests. */
  readonly fault?: Fault;
}

/** How a key is exchanged: with an overlap in which both sign, or, when it may be in other hands, at once. */
export type Exchange =
  { readonly kind: 'planned'; readonly overlapMilliseconds?: number } | { readonly kind: 'compromised' };

/**
 * Exchanges the key that signs the log. It is announced under the old key alone; then both sign, with both listed; when
 * the overlap is over, a checkpoint that the new key has signed is published and enough witnesses know it, the old one is
 * destroyed. Each step is one
 * transaction, with the event that says so, and can be taken by whichever process comes to it: killed at any moment,
 * the next start goes on from there. There is always a key that signs.
 */
export class KeyExchange {
  readonly #options: KeyExchangeOptions;
  readonly #fault: Fault;
  /** Steps follow one another. */
  #turn: Promise<unknown> = Promise.resolve();
  #lacking: readonly string[] = [];

  constructor(options: KeyExchangeOptions) {
    this.#options = options;
    this.#fault = options.fault ?? noFault;
  }

  /**
   * Begins an exchange. Resolves once the new key signs. Throws `conflict` while another exchange is under way (a
   * compromised key is exchanged nevertheless), and what the ledger throws when it cannot write.
   */
  async begin(by: Attribution, exchange: Exchange): Promise<void> {
    return this.#inTurn(async () => {
      if (exchange.kind === 'compromised') await this.#replaceAtOnce(by);
      else await this.#announce(by, exchange.overlapMilliseconds ?? this.#options.overlapMilliseconds);
      await this.#advance(by);
    });
  }

  /** Takes the steps that are due: what an interrupted process has left, the end of an overlap, the next exchange. */
  async advance(by: Attribution): Promise<void> {
    return this.#inTurn(async () => {
      await this.#advance(by);
      if (!this.#isDue()) return;
      await this.#announce(by, this.#options.overlapMilliseconds);
      await this.#advance(by);
    });
  }

  async #advance(by: Attribution): Promise<void> {
    const { keys, integrate } = this.#options;
    await keys.refresh();
    if (keys.all.some(({ state }) => state === 'announced')) {
      // Whoever trusts the old key alone sees the announcement under a checkpoint of that key.
      await integrate();
      await this.#beginSigning(by);
      await integrate();
    }
    await this.#endOverlap(by);
    await this.#erase();
  }

  #isDue(): boolean {
    const { keys, clock, everyMilliseconds } = this.#options;
    const newest = keys.all.at(-1);
    if (everyMilliseconds === null || newest?.state !== 'signing' || isUnderWay(keys.all)) return false;
    return (newest.beganAt ?? Infinity) + everyMilliseconds <= clock.now();
  }

  async #announce(by: Attribution, overlapMilliseconds: number): Promise<void> {
    await this.#step('key.announce', by, async (tx, record) => {
      if (isUnderWay(this.#options.keys.all)) {
        throw failure(
          'conflict',
          'An exchange of the key of the log is under way: `lockstep ledger keys` shows it.',
        );
      }
      await this.#insert(tx, record, 'planned', {
        began_at: null,
        overlap_milliseconds: overlapMilliseconds,
      });
    });
  }

  async #beginSigning(by: Attribution): Promise<void> {
    const now = this.#options.clock.now();
    await this.#step('key.begin', by, async (tx, record) => {
      const [begun] = await tx
        .updateTable('ledger_keys')
        .set({ began_at: now })
        .where('began_at', 'is', null)
        .where('ended_at', 'is', null)
        .returning(['verifier_key', 'overlap_milliseconds'])
        .execute();
      // Another process was first.
      if (begun === undefined) return;
      const until = now + begun.overlap_milliseconds;
      await tx
        .updateTable('ledger_keys')
        .set({ ends_at: until })
        .where('ended_at', 'is', null)
        .where('verifier_key', '<>', begun.verifier_key)
        .execute();
      record({ kind: 'ledger-key.began', verifierKey: begun.verifier_key, until });
    });
  }

  /** Witnesses for which an overlap that is over is kept up: without them nothing could be published by the new key. */
  get lackingWitnesses(): readonly string[] {
    return this.#lacking;
  }

  /**
   * Only when the key that is to go on has signed what is published, so that whoever reads it now can verify it by that
   * alone, and when enough witnesses cosign what it alone has signed.
   */
  async #endOverlap(by: Attribution): Promise<void> {
    const { keys, clock, checkpoint } = this.#options;
    const now = clock.now();
    const newest = keys.all.at(-1);
    const over = keys.all.filter(
      ({ state, endsAt }) => state === 'signing' && endsAt !== null && endsAt <= now,
    );
    if (over.length === 0 || newest?.state !== 'signing') return;
    const note = checkpoint();
    if (note === null || !openNote(note, [newest.verifierKey]).ok) return;
    this.#lacking = await this.#options.witnessesWithout(keys.signerOf(newest.verifierKey));
    if (this.#lacking.length > 0) return;
    await this.#step('key.end', by, async (tx, record) => {
      for (const { verifierKey } of over) await this.#end(tx, record, verifierKey, 'planned', now);
    });
    await this.#options.integrate();
  }

  /** A key that may be in other hands signs nothing more, and its word is not asked for longer than for this. */
  async #replaceAtOnce(by: Attribution): Promise<void> {
    const now = this.#options.clock.now();
    await this.#step('key.begin', by, async (tx, record) => {
      const old = this.#options.keys.all.filter(({ state }) => state !== 'retired');
      const verifierKey = await this.#insert(tx, record, 'compromised', {
        began_at: now,
        overlap_milliseconds: 0,
      });
      record({ kind: 'ledger-key.began', verifierKey, until: null });
      for (const key of old) await this.#end(tx, record, key.verifierKey, 'compromised', now);
    });
    await this.#options.integrate();
  }

  async #insert(
    tx: Tx,
    record: (change: Change) => void,
    reason: ExchangeReason,
    life: { readonly began_at: number | null; readonly overlap_milliseconds: number },
  ): Promise<string> {
    const { keys, sealer, clock } = this.#options;
    const newest = keys.all.at(-1);
    if (newest === undefined) throw new Error('the log has no key to exchange');
    const now = clock.now();
    const { signingKey, verifierKey } = generateNoteKey(keys.name);
    const vouched = signTogether(createSigner(signingKey), [keys.signerOf(newest.verifierKey)]).sign(
      formatKeyExchange({
        origin: keys.name,
        from: newest.verifierKey,
        to: verifierKey,
        time: Math.floor(now / 1000),
        reason,
      }),
    );
    await tx
      .insertInto('ledger_keys')
      .values({
        verifier_key: verifierKey,
        position: newest.position + 1,
        announced_at: now,
        ends_at: null,
        ended_at: null,
        erased_at: null,
        vouched,
        ...life,
      })
      .execute();
    await tx
      .insertInto('ledger_key_secrets')
      .values({ verifier_key: verifierKey, sealed: sealer.seal(signingKey, sealContext(verifierKey)) })
      .execute();
    record({ kind: 'ledger-key.announced', verifierKey, follows: newest.verifierKey, note: vouched });
    return verifierKey;
  }

  async #end(
    tx: Tx,
    record: (change: Change) => void,
    verifierKey: string,
    reason: ExchangeReason,
    now: number,
  ): Promise<void> {
    const [ended] = await tx
      .updateTable('ledger_keys')
      .set({ ended_at: now })
      .where('verifier_key', '=', verifierKey)
      .where('ended_at', 'is', null)
      .returning('verifier_key')
      .execute();
    if (ended === undefined) return;
    await tx.deleteFrom('ledger_key_secrets').where('verifier_key', '=', verifierKey).execute();
    record({ kind: 'ledger-key.ended', verifierKey, reason });
  }

  /** Takes what the write-ahead log still holds of a destroyed key off the disk; tried again until it succeeds. */
  async #erase(): Promise<void> {
    const { store, clock } = this.#options;
    const waiting = await store.db
      .selectFrom('ledger_keys')
      .select('verifier_key')
      .where('ended_at', 'is not', null)
      .where('erased_at', 'is', null)
      .execute();
    if (waiting.length === 0) return;
    this.#fault('key.erase', 'before');
    const done = await store.db.connection().execute(async () => {
      const [row] = store.raw.prepare('pragma wal_checkpoint(truncate)').all();
      return row?.['busy'] === 0;
    });
    if (!done) return;
    await store.db
      .updateTable('ledger_keys')
      .set({ erased_at: clock.now() })
      .where(
        'verifier_key',
        'in',
        waiting.map((row) => row.verifier_key),
      )
      .execute();
    this.#fault('key.erase', 'after');
  }

  /** One transaction; the keys are read before it decides, within it, and after it. */
  async #step(
    step: StorageStep,
    by: Attribution,
    work: (tx: Tx, record: (change: Change) => void) => Promise<void>,
  ): Promise<void> {
    const { commit, keys } = this.#options;
    await keys.refresh();
    await commit(by, async (tx, record) => {
      if (!keys.isCurrent())
        throw failure('conflict', 'Another process has exchanged the key of the log just now.');
      await work(tx, record);
      this.#fault(step, 'before');
    });
    await keys.refresh();
    this.#fault(step, 'after');
  }

  async #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(act, act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

function isUnderWay(keys: readonly LogKey[]): boolean {
  return keys.some(({ state, endsAt }) => state === 'announced' || (state === 'signing' && endsAt !== null));
}
