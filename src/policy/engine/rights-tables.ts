import type { PrincipalNode, Principals } from './principals.ts';
import { rightsKey, type Reach } from './reach.ts';
import { RightsCompiler, type Within } from './rights-compile.ts';

interface Table {
  readonly key: string;
  readonly offset: number;
  readonly length: number;
  /** Of its directory, the size less one. */
  readonly mask: number;
  /** Indexes of the principals that use it. */
  readonly holders: number[];
}

/**
 * Compiled rights (see rights-compile.ts), one table for all principals whose rights are the same, in one array of
 * numbers of fixed size; when it is full, the oldest make room.
 */
export class RightsTables {
  readonly memory: Int32Array;
  readonly #compiler: RightsCompiler;
  readonly #principals: Principals;
  readonly #byKey = new Map<string, Table>();
  /** In the order in which they were written; those before `#first` are gone. */
  #written: Table[] = [];
  #first = 0;
  #end = 1;
  #crowded = false;

  readonly #compileAfter: number;

  /** The bytes are reserved at once; the operating system lends them as they are written to. */
  constructor(within: Within, options: { readonly rightsBytes: number; readonly compileAfter: number }) {
    this.#compiler = new RightsCompiler(within);
    this.#principals = within.principals;
    this.memory = new Int32Array(Math.max(1_024, Math.floor(options.rightsBytes / 4)));
    this.#compileAfter = options.compileAfter;
  }

  /** How often a principal must ask before a table is made for it: often, once tables drive each other out. */
  get worthwhileAfter(): number {
    return this.#crowded ? Math.max(200, this.#compileAfter) : this.#compileAfter;
  }

  /** Bytes in use at most. */
  get size(): number {
    return (this.#crowded ? this.memory.length : this.#end) * 4;
  }

  /** Makes the principal's table, or finds the one of its equals. Answers its offset; 0 when there is no room for it. */
  admit(node: PrincipalNode, reach: Reach): number {
    const key = rightsKey(node);
    const table = this.#byKey.get(key) ?? this.#write(key, reach);
    if (!table) return 0;
    table.holders.push(node.index);
    this.#principals.tables[node.index] = table.offset;
    this.#principals.masks[node.index] = table.mask;
    return table.offset;
  }

  forgetAll(): void {
    this.#byKey.clear();
    this.#written = [];
    this.#first = 0;
    this.#end = 1;
    this.#principals.tables.fill(0);
  }

  #write(key: string, reach: Reach): Table | null {
    const { table: content, mask } = this.#compiler.compile(reach);
    // One table may not take the place of all others.
    if (content.length * 4 > this.memory.length) return null;
    if (this.#end + content.length > this.memory.length) {
      this.#drop(this.#end, this.memory.length);
      this.#crowded = true;
      this.#end = 1;
    }
    const table: Table = { key, offset: this.#end, length: content.length, mask, holders: [] };
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
        if (this.#principals.tables[holder] !== oldest.offset) continue;
        this.#principals.tables[holder] = 0;
        this.#principals.uses[holder] = 0;
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
