import { grown } from './columns.ts';
import type { PrincipalNode, Principals } from './principals.ts';
import { rightsKey, type Reach } from './reach.ts';

/** A table of numbers for a set of rights, and what its readers need to know beside its place. */
export interface Compiled {
  /** Good until the next one is compiled. */
  readonly table: Int32Array;
  readonly size: number;
  /** Of masks: the one group of roles that it is about, or -1 (see MaskCompiler). */
  readonly group: number;
}

interface Table extends Omit<Compiled, 'table'> {
  readonly key: string;
  readonly offset: number;
  readonly length: number;
  /** Indexes of the principals that use it. */
  readonly holders: number[];
}

const placeSize = 4;

/**
 * Where the table of each principal is, by four times its index: the offset (0: it has none), the table's size and
 * group; then how often it was asked for in vain. Side by side, since a decision reads them all.
 */
export class TablePlaces {
  columns = new Int32Array(64 * placeSize);

  /** Makes room for so many principals. */
  grow(size: number): void {
    this.columns = grown(this.columns, size * placeSize);
  }

  at(principal: number): number {
    return this.columns[principal * placeSize] ?? 0;
  }

  set(principal: number, { offset, size, group }: Omit<Table, 'key' | 'length' | 'holders'>): void {
    const at = principal * placeSize;
    this.columns[at] = offset;
    this.columns[at + 1] = size;
    this.columns[at + 2] = group;
  }

  forget(principal: number): void {
    this.columns[principal * placeSize] = 0;
    this.columns[principal * placeSize + 3] = 0;
  }

  forgetAll(): void {
    for (let at = 0; at < this.columns.length; at += placeSize) this.columns[at] = 0;
  }

  /** How often it was asked for in vain before; counts this time. -1 for a principal that no longer counts. */
  use(principal: number): number {
    const at = principal * placeSize + 3;
    const uses = this.columns[at] ?? 0;
    if (uses >= 0) this.columns[at] = Math.min(uses + 1, 0xffff);
    return uses;
  }

  giveUp(principal: number): void {
    this.columns[principal * placeSize + 3] = -1;
  }
}

export interface TableMemoryOptions {
  /** Reserved at once; the operating system lends it as it is written to. */
  readonly bytes: number;
  /** How often a principal must ask before a table is made for it. */
  readonly compileAfter: number;
}

/** Tables begin a line of the processor's cache each, in numbers. */
const line = 16;
/** Uses before a table is made once tables drive each other out. */
const crowdedUses = 200;

/**
 * Compiled tables, one for all principals whose rights are the same, in one array of numbers of fixed size; when it is
 * full, the oldest make room.
 */
export class TableMemory {
  readonly memory: Int32Array;
  readonly #principals: Principals;
  readonly #places: TablePlaces;
  readonly #compile: (reach: Reach) => Compiled | null;
  readonly #compileAfter: number;
  readonly #byKey = new Map<string, Table>();
  /** In the order in which they were written; those before `#first` are gone. */
  #written: Table[] = [];
  #first = 0;
  #end = line;
  #crowded = false;

  /** `places` are those of the principals, for tables of this kind. */
  constructor(
    principals: Principals,
    places: TablePlaces,
    compile: (reach: Reach) => Compiled | null,
    options: TableMemoryOptions,
  ) {
    this.memory = new Int32Array(Math.max(1_024, Math.floor(options.bytes / 4)));
    this.#principals = principals;
    this.#places = places;
    this.#compile = compile;
    this.#compileAfter = options.compileAfter;
  }

  /** Bytes in use at most. */
  get bytes(): number {
    return (this.#crowded ? this.memory.length : this.#end) * 4;
  }

  /**
   * The offset of the principal's table: of one that its equals have, or of a new one once it has asked often enough
   * (more often, once tables drive each other out). 0 as long as there is none.
   */
  ask(node: PrincipalNode, reach: Reach): number {
    const uses = this.#places.use(node.index);
    const enough = this.#crowded ? Math.max(crowdedUses, this.#compileAfter) : this.#compileAfter;
    if (uses < 0 || uses + 1 < enough) return 0;
    const key = rightsKey(reach, this.#principals);
    const table = this.#byKey.get(key) ?? this.#write(key, reach);
    if (!table) {
      this.#places.giveUp(node.index);
      return 0;
    }
    table.holders.push(node.index);
    this.#places.set(node.index, table);
    return table.offset;
  }

  forgetAll(): void {
    this.#byKey.clear();
    this.#written = [];
    this.#first = 0;
    this.#end = line;
    this.#places.forgetAll();
  }

  #write(key: string, reach: Reach): Table | null {
    const compiled = this.#compile(reach);
    if (!compiled) return null;
    const { table: content, size, group } = compiled;
    const length = Math.ceil(content.length / line) * line;
    // One table may not take the place of all others.
    if (line + length > this.memory.length) return null;
    if (this.#end + length > this.memory.length) {
      this.#drop(this.#end, this.memory.length);
      this.#crowded = true;
      this.#end = line;
    }
    const table: Table = { key, offset: this.#end, length, size, group, holders: [] };
    this.#end += length;
    this.#drop(table.offset, this.#end);
    this.memory.set(content, table.offset);
    this.#written.push(table);
    this.#byKey.set(key, table);
    return table;
  }

  /** Gives up the oldest tables as long as they lie in the way. */
  #drop(from: number, to: number): void {
    for (let oldest = this.#written[this.#first]; oldest; oldest = this.#written[this.#first]) {
      if (!this.#crowded || oldest.offset >= to || oldest.offset + oldest.length <= from) break;
      for (const holder of oldest.holders) {
        if (this.#places.at(holder) === oldest.offset) this.#places.forget(holder);
      }
      if (this.#byKey.get(oldest.key) === oldest) this.#byKey.delete(oldest.key);
      this.#first++;
    }
    if (this.#first > 1_024 && this.#first * 2 > this.#written.length) {
      this.#written = this.#written.slice(this.#first);
      this.#first = 0;
    }
  }
}
