import { failure, LockstepError } from '../lib/errors.ts';
import type { EventId } from '../lib/ids.ts';
import { archivedEvent } from './retention/archived-event.ts';
import type { Published, Sequencer } from './sequence/sequencer.ts';
import type { EventQueries } from './stored-events.ts';
import { inclusionProof } from './tlog/proof.ts';
import { formatReceipt } from './tlog/receipt.ts';
import { tileAt, tileWidth } from './tlog/tile.ts';
import type { Policy } from './verify/policy.ts';
import { readTile, subtreesOf } from './verify/read-tile.ts';
import { keptFrom } from './verify/retention.ts';
import type { TileSource } from './verify/tile-source.ts';
import { verifyReceipt } from './verify/verify-receipt.ts';
import type { Witnessing, WitnessingState } from './witness/witnessing.ts';

export interface ReceiptsOptions {
  readonly queries: EventQueries;
  /** Where the log is published. */
  readonly source: TileSource;
  readonly sequencer: Pick<Sequencer, 'integrate' | 'published'>;
  readonly witnessing: Witnessing | null;
  /** What the receipts have to verify by. */
  readonly policy: () => Policy;
  /** So long a receipt waits for the witnesses. */
  readonly witnessMilliseconds: number;
}

export interface Receipt {
  /** c2sp.org/tlog-proof@v1, with the entry. */
  readonly text: string;
  readonly entry: Uint8Array;
}

interface Placed {
  readonly entry: Uint8Array;
  readonly leafIndex: number;
}

/** Makes receipts: waits until an entry is under a checkpoint that is published, and proves that it is. */
export class Receipts {
  readonly #options: ReceiptsOptions;

  constructor(options: ReceiptsOptions) {
    this.#options = options;
  }

  /** Throws `not_found`, and `not_witnessed` when too few witnesses have cosigned a checkpoint that holds it. */
  async of(id: EventId): Promise<string> {
    return this.#prove(await this.#placed(id), `event ${id}`);
  }

  /** Of the entry at an index, whether it has a row still or not. Throws like `of`. */
  async at(index: number): Promise<Receipt> {
    const { sequencer, source } = this.#options;
    if (index >= (sequencer.published()?.size ?? 0)) await sequencer.integrate();
    if (index >= (sequencer.published()?.size ?? 0)) {
      throw failure('not_found', `The log holds no entry ${index} yet.`);
    }
    const kept = await keptFrom(source, this.#options.policy());
    if (index < kept) throw failure('not_found', `The log keeps its entries from ${kept} on.`);
    await this.#awaitWitnesses(index, `entry ${index}`);
    const size = this.#published()?.size ?? 0;
    const bundle = tileAt(0, index, size);
    const entries = await readTile(source, { ...bundle, level: 'entries' });
    const entry = entries[index % tileWidth];
    if (entry === undefined) throw new Error(`the bundle of entry ${index} does not hold it`);
    return { text: await this.#prove({ entry, leafIndex: index }, `entry ${index}`), entry };
  }

  async #placed(id: EventId): Promise<Placed> {
    const { queries, source, sequencer } = this.#options;
    for (const attempt of ['as it stands', 'integrated']) {
      if (attempt === 'integrated') await sequencer.integrate();
      const event = await queries.eventById(id);
      if (event === null) {
        const kept = await keptFrom(source, this.#options.policy());
        const archived = await archivedEvent(source, id, await this.#firstIndex(), kept);
        if (archived !== null) return archived;
        throw failure('not_found', `There is no event ${id}.`);
      }
      const { leafIndex } = event;
      if (leafIndex === null || leafIndex >= (sequencer.published()?.size ?? 0)) continue;
      await this.#awaitWitnesses(leafIndex, `event ${id}`);
      return { ...event, leafIndex };
    }
    throw new LockstepError({
      code: 'ledger_unavailable',
      internalMessage: `event ${id} cannot be published`,
    });
  }

  /** Of the oldest entry that has a row. */
  async #firstIndex(): Promise<number> {
    const [oldest] = await this.#options.queries.eventsAfter(0, 1);
    return oldest?.leafIndex ?? 0;
  }

  #published(): Published | null {
    const { witnessing, sequencer } = this.#options;
    return (witnessing ?? sequencer).published();
  }

  async #awaitWitnesses(leafIndex: number, what: string): Promise<void> {
    const { witnessing, witnessMilliseconds } = this.#options;
    await witnessing?.reach(leafIndex + 1, witnessMilliseconds);
    if (leafIndex >= (this.#published()?.size ?? 0)) throw notWitnessed(what, witnessing?.state() ?? null);
  }

  async #prove({ entry, leafIndex: index }: Placed, what: string): Promise<string> {
    const checkpoint = this.#published();
    if (checkpoint === null) throw new LockstepError({ code: 'ledger_unavailable' });
    const { size, note } = checkpoint;
    const proof = await inclusionProof(index, size, subtreesOf(this.#options.source, size));
    const text = formatReceipt({ extra: entry, index, proof, checkpoint: note });
    const verdict = verifyReceipt(text, entry, this.#options.policy());
    if (!verdict.ok) {
      throw new LockstepError({
        code: 'internal',
        internalMessage: `the log contradicts ${what}: ${verdict.reason}`,
      });
    }
    return text;
  }
}

function notWitnessed(what: string, state: WitnessingState | null): LockstepError {
  const problems = state?.witnesses.flatMap(({ name, problem }) =>
    problem === null ? [] : `${name}: ${problem}`,
  );
  return new LockstepError({
    code: 'not_witnessed',
    publicMessage:
      `${what.charAt(0).toUpperCase()}${what.slice(1)} is recorded, but too few witnesses have cosigned a checkpoint ` +
      'that holds it yet. Ask for the receipt again later.',
    internalMessage: `${what} is not witnessed: ${problems?.join('; ') ?? 'no witness has answered'}`,
  });
}
