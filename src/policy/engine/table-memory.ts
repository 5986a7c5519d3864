import type { PrincipalNode } from './principals.ts';
import { rightsKey, type Reach } from './reach.ts';

/** A table of numbers for a set of rights, and a number that its readers need beside its place. */
export interface Compiled {
  /** Good until the next one is compiled. */
  readonly table: Int32Array;
  readonly size: number;
}

interface Table extends Omit<Compiled, 'table'> {
  readonly key: string;
  readonly offset: number;
  readonly length: number;
  /** Indexes of the principals that use it. */
  readonly holders: number[];
}

/** Where each principal's table begins (0: it has none), its size, and how often it was asked for in vain. */
export interface TableColumns {
  offsets: Int32Array;
  sizes: Int32Array;
  uses: Uint8Array;
}

export interface TableMemoryOptions {
  /** Reserved at once; the operating system lends it as it is written to. */
  readonly bytes: number;
  /** How often a principal must ask before a table is made for it. */
  readonly compileAfter: number;
}

/** A principal that gave up asking. */
const never = 255;

/**
 * Compiled tables, one for all principals whose rights are the same, in one array of numbers of fixed size; when it is
 * full, the oldest make room.
 */
export class TableMemory {
  readonly memory: Int32Array;
  readonly #columns: TableColumns;
  readonly #compile: (reach: Reach) => Compiled | null;
  readonly #compileAfter: number;
  readonly #byKey = new Map<string, Table>();
  /** In the order in which they were written; those before `#first` are gone. */
  #written: Table[] = [];
  #first = 0;
  #end = 1;
  #crowded = false;

  constructor(
    columns: TableColumns,
    compile: (reach: Reach) => Compiled | null,
    options: TableMemoryOptions,
  ) {
    this.memory = new Int32Array(Math.max(1_024, Math.floor(options.bytes / 4)));
    this.#columns = columns;
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
    const uses = this.#columns.uses[node.index] ?? never;
    if (uses === never) return 0;
    this.#columns.uses[node.index] = uses + 1;
    if (uses + 1 < (this.#crowded ? Math.max(200, this.#compileAfter) : this.#compileAfter)) return 0;
    const key = rightsKey(node);
    const table = this.#byKey.get(key) ?? this.#write(key, reach);
    if (!table) {
      this.#columns.uses[node.index] = never;
      return 0;
    }
    table.holders.push(node.index);
    this.#columns.offsets[node.index] = table.offset;
    this.#columns.sizes[node.index] = table.size;
    return table.offset;
  }

  forgetAll(): void {
    this.#byKey.clear();
    this.#written = [];
    this.#first = 0;
    this.#end = 1;
    this.#columns.offsets.fill(0);
  }

  #write(key: string, reach: Reach): Table | null {
    const compiled = this.#compile(reach);
    if (!compiled) return null;
    const { table: content, size } = compiled;
    // One table may not take the place of all others.
    if (content.length * 4 > this.memory.length) return null;
    if (this.#end + content.length > this.memory.length) {
      this.#drop(this.#end, this.memory.length);
      this.#crowded = true;
      this.#end = 1;
    }
    const table: Table = { key, offset: this.#end, length: content.length, size, holders: [] };
    this.#end += content.length;
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
        if (this.#columns.offsets[holder] !== oldest.offset) continue;
        this.#columns.offsets[holder] = 0;
        this.#columns.uses[holder] = 0;
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
