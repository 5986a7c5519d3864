import { grown } from './columns.ts';
import type { PrincipalNode, Principals } from './principals.ts';

/** A principal and its groups, transitively, and what they are assigned themselves. All by index, the principal first. */
export interface Reach {
  /** Itself and its groups, by way of disabled ones too: whatever it depends on. */
  readonly identities: readonly number[];
  /** By way of enabled groups only: what grants count, and exclusions. The same list when there is no other way. */
  readonly active: readonly number[];
  /** What the active ones are assigned, as tables of OwnTables. */
  readonly grants: readonly number[];
  /** What it and its groups, disabled ones too, are denied. */
  readonly denials: readonly number[];
}

/** Finds the reach of a principal from those of its groups that are remembered, and goes through the others. */
export class ReachFinder {
  readonly #principals: Principals;
  /** By index, the last search that has come by. */
  #seen = new Float64Array(64);
  #search = 0;

  constructor(principals: Principals) {
    this.#principals = principals;
  }

  /** The closure over groups; cycles end where they began. */
  find(start: PrincipalNode): Reach {
    const { tables } = this.#principals;
    const identities = this.#climb(start, false);
    const active = this.#onlyEnabled(identities) ? identities : this.#climb(start, true);
    const grants: number[] = [];
    const denials: number[] = [];
    for (const index of active) {
      const table = tables[index * 2] ?? 0;
      if (table !== 0) grants.push(table);
    }
    for (const index of identities) {
      const table = tables[index * 2 + 1] ?? 0;
      if (table !== 0) denials.push(table);
    }
    return { identities, active, grants, denials };
  }

  #onlyEnabled(identities: readonly number[]): boolean {
    for (let i = 1; i < identities.length; i++)
      if (!this.#principals.conveys(identities[i] ?? 0)) return false;
    return true;
  }

  #climb(start: PrincipalNode, onlyEnabled: boolean): number[] {
    const found: number[] = [];
    this.#begin();
    this.#note(start.index, found);
    const open = [start];
    for (const node of open) {
      for (const group of node.groups) {
        if (onlyEnabled && !this.#principals.conveys(group.index)) continue;
        const { reach } = group;
        if (reach === null) {
          if (this.#note(group.index, found)) open.push(group);
        } else for (const index of onlyEnabled ? reach.active : reach.identities) this.#note(index, found);
      }
    }
    return found;
  }

  #begin(): void {
    this.#seen = grown(this.#seen, this.#principals.capacity);
    this.#search++;
  }

  /** Whether this search has not come by before. */
  #note(index: number, found: number[]): boolean {
    if (this.#seen[index] === this.#search) return false;
    this.#seen[index] = this.#search;
    found.push(index);
    return true;
  }
}

/** Equal for principals whose rights are the same, whoever they are: by it they share one compiled table. */
export function rightsKey({ active, identities }: Reach, principals: Principals): string {
  const { tables } = principals;
  const granted = active.filter(
    (index) => tables[index * 2] !== 0 || (principals.at(index)?.exclusions ?? 0) > 0,
  );
  const denied = identities.filter((index) => tables[index * 2 + 1] !== 0);
  const listOf = (indexes: number[]): string =>
    indexes
      .sort((a, b) => a - b)
      .map((index) => `${index}.${principals.at(index)?.version ?? 0}`)
      .join();
  return `${listOf(granted)};${listOf(denied)}`;
}
