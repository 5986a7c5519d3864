import { compileCondition, type CompiledCondition } from '../conditions/compile.ts';
import { grown } from './columns.ts';

/** A condition that decides whether something applies; null where its text could not be understood. */
export interface Gate {
  readonly text: string;
  readonly condition: CompiledCondition | null;
}

const remembered = 1_024;
const gates = new Map<string, Gate>();

/** The same text is compiled once. Null for no condition. */
export function gateOf(text: string | null | undefined): Gate | null {
  if (text === null || text === undefined || text.trim() === '') return null;
  let gate = gates.get(text);
  if (!gate) {
    const compiled = compileCondition(text);
    gate = { text, condition: compiled.kind === 'ok' ? compiled.condition : null };
    if (gates.size >= remembered) gates.clear();
    gates.set(text, gate);
  }
  return gate;
}

/** The gates of those slots that have one: a column of numbers, since most share a few. */
export class SlotGates {
  /** By slot: a place in `#gates`, plus one; 0 for none. */
  #column = new Int32Array(0);
  readonly #gates: (Gate | null)[] = [];
  readonly #places = new Map<Gate, number>();
  /** By place: how many slots have it. */
  readonly #uses: number[] = [];
  readonly #free: number[] = [];

  get(slot: number): Gate | null {
    return this.#gates[(this.#column[slot] ?? 0) - 1] ?? null;
  }

  /** The slot must have none. */
  set(slot: number, gate: Gate): void {
    let place = this.#places.get(gate);
    if (place === undefined) {
      place = this.#free.pop() ?? this.#gates.length;
      this.#gates[place] = gate;
      this.#uses[place] = 0;
      this.#places.set(gate, place);
    }
    this.#uses[place] = (this.#uses[place] ?? 0) + 1;
    this.#column = grown(this.#column, slot + 1);
    this.#column[slot] = place + 1;
  }

  delete(slot: number): void {
    const place = (this.#column[slot] ?? 0) - 1;
    if (place < 0) return;
    this.#column[slot] = 0;
    const uses = (this.#uses[place] ?? 0) - 1;
    this.#uses[place] = uses;
    const gate = this.#gates[place];
    if (uses > 0 || !gate) return;
    this.#places.delete(gate);
    this.#gates[place] = null;
    this.#free.push(place);
  }
}
