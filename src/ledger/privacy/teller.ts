import { setImmediate } from 'node:timers/promises';
import type { StatementSync } from 'node:sqlite';
import type { Turns } from '../../store/connection.ts';
import { decodeBoxes } from './box.ts';
import type { SubjectKeys } from './subject-keys.ts';
import { tellEntry, type ToldEvent } from './tell-entry.ts';

/** Events opened without leaving the event loop. */
const openedAtOnce = 64;

/** Rows of the feed, each with what may be told of it. */
export type TellRows = <Row extends { readonly sequence: number; readonly entry: Uint8Array }>(
  rows: readonly Row[],
) => Promise<(Row & ToldEvent)[]>;

/** Tells entries with what stands beside them, by the keys that there are at that moment. */
export class Teller {
  readonly #store: Turns;
  readonly #keys: SubjectKeys;
  readonly #sealed: StatementSync;

  constructor(store: Turns, keys: SubjectKeys) {
    this.#store = store;
    this.#keys = keys;
    this.#sealed = store.raw.prepare(`select sealed from ledger_events where sequence = ?`);
  }

  readonly rows: TellRows = async <Row extends { readonly sequence: number; readonly entry: Uint8Array }>(
    rows: readonly Row[],
  ) => {
    const told: (Row & ToldEvent)[] = [];
    for (let start = 0; start < rows.length; start += openedAtOnce) {
      if (start > 0) await setImmediate();
      const some = rows.slice(start, start + openedAtOnce);
      const secrets = new Map<string, Uint8Array | null>();
      const sealed = await this.#store.turn(() =>
        some.map(({ sequence }) => {
          const boxes = this.#sealed.get(sequence)?.['sealed'];
          if (!(boxes instanceof Uint8Array)) return null;
          this.#read(boxes, secrets);
          return boxes;
        }),
      );
      for (const [i, row] of some.entries()) {
        told.push({
          ...row,
          ...tellEntry(row.entry, sealed[i] ?? null, (name) => secrets.get(name) ?? null),
        });
      }
    }
    return told;
  };

  /** An entry whose row is gone, with what the archive has beside it. */
  async entry(entry: Uint8Array, boxes: Uint8Array | null): Promise<ToldEvent> {
    const secrets = new Map<string, Uint8Array | null>();
    if (boxes !== null) await this.#store.turn(() => this.#read(boxes, secrets));
    return tellEntry(entry, boxes, (name) => secrets.get(name) ?? null);
  }

  #read(boxes: Uint8Array, secrets: Map<string, Uint8Array | null>): void {
    for (const { keyName } of decodeBoxes(boxes) ?? []) {
      if (!secrets.has(keyName)) secrets.set(keyName, this.#keys.secret(keyName));
    }
  }
}
