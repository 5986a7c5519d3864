import { KeptActions } from './kept-actions.ts';

/** Actions seen on the way that are in no catalogue; beyond it their memory starts anew. */
const transientLimit = 4_096;

/**
 * Actions as numbers. Those that code has named keep their numbers; others, from requests, are numbered as they
 * come, and forgotten together when there are too many.
 */
export class Actions {
  readonly #keptNumbers = new KeptActions();
  /** Of those that are not kept, as they were spelled. */
  readonly #numbers: readonly [Map<string, number>, Map<string, number>] = [new Map(), new Map()];
  readonly #names: string[] = [];
  readonly #planes: boolean[] = [];
  /** Numbers below it are kept. */
  #kept = 0;
  readonly #onForgotten: (from: number) => void;
  readonly #onKept: (number: number) => void;

  /** Called when numbers from `from` on begin to mean other actions, and when one is kept. */
  constructor(onForgotten: (from: number) => void, onKept: (number: number) => void) {
    this.#onForgotten = onForgotten;
    this.#onKept = onKept;
  }

  /** Numbers below it are kept. */
  get kept(): number {
    return this.#kept;
  }

  /** The number of an action, in any case. */
  number(action: string, dataAction: boolean): number {
    this.read(action, dataAction);
    return this.found(action, dataAction);
  }

  /** Makes the action the one that `found` looks for; looks at nothing but the text. */
  read(action: string, dataAction: boolean): void {
    this.#keptNumbers.read(action, dataAction);
  }

  /** The number of the action that was read last. */
  found(action: string, dataAction: boolean): number {
    const kept = this.#keptNumbers.found(action, dataAction);
    return kept >= 0
      ? kept
      : (this.#numbers[dataAction ? 1 : 0].get(action) ?? this.#admit(action, dataAction));
  }

  /** A number that keeps its meaning for as long as the process lives. For names from code, never from requests. */
  keep(action: string, dataAction: boolean): number {
    const name = action.toLowerCase();
    const known = this.#keptNumbers.find(name, dataAction);
    if (known >= 0) return known;
    this.#forgetTransient();
    const number = this.#add(name, dataAction);
    this.#keptNumbers.add(name, dataAction, number);
    this.#kept = number + 1;
    this.#onKept(number);
    return number;
  }

  /** In lower case. */
  name(action: number): string {
    return this.#names[action] ?? '';
  }

  isDataAction(action: number): boolean {
    return this.#planes[action] ?? false;
  }

  #admit(action: string, dataAction: boolean): number {
    const numbers = this.#numbers[dataAction ? 1 : 0];
    if (numbers.size >= transientLimit) this.#forgetTransient();
    const name = action.toLowerCase();
    let number = numbers.get(name);
    if (number === undefined) {
      number = this.#add(name, dataAction);
      numbers.set(name, number);
    }
    // The spelling that a caller uses is remembered too, so that it costs one look-up.
    if (name !== action) numbers.set(action, number);
    return number;
  }

  #add(name: string, dataAction: boolean): number {
    const number = this.#names.length;
    this.#names.push(name);
    this.#planes.push(dataAction);
    return number;
  }

  #forgetTransient(): void {
    for (const numbers of this.#numbers) numbers.clear();
    if (this.#names.length === this.#kept) return;
    this.#names.length = this.#kept;
    this.#planes.length = this.#kept;
    this.#onForgotten(this.#kept);
  }
}
