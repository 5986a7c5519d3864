/** Where each principal occurs in a list: an open-addressed hash table of plain numbers. */
export interface PrincipalTable {
  /** Principal index per slot; 0, which no principal has, is an empty slot. */
  readonly keys: Int32Array;
  /** Per slot, the range of `positions` that is this principal's. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Positions in the list, by principal, each principal's in order. */
  readonly positions: Int32Array;
  readonly shift: number;
}

export function buildPrincipalTable(principals: Int32Array): PrincipalTable {
  const positions = Int32Array.from(principals, (_, position) => position).sort(
    (a, b) => (principals[a] ?? 0) - (principals[b] ?? 0) || a - b,
  );
  const bits = Math.max(2, Math.ceil(Math.log2(principals.length * 2)));
  const size = 2 ** bits;
  const table: PrincipalTable = {
    keys: new Int32Array(size),
    starts: new Int32Array(size),
    ends: new Int32Array(size),
    positions,
    shift: 32 - bits,
  };
  for (let start = 0; start < positions.length;) {
    const principal = principals[positions[start] ?? 0] ?? 0;
    let end = start + 1;
    while (end < positions.length && principals[positions[end] ?? 0] === principal) end++;
    let slot = hash(principal, table.shift);
    while (table.keys[slot] !== 0) slot = (slot + 1) & (size - 1);
    table.keys[slot] = principal;
    table.starts[slot] = start;
    table.ends[slot] = end;
    start = end;
  }
  return table;
}

/** The slot of a principal, or -1. */
export function slotOf({ keys, shift }: PrincipalTable, principal: number): number {
  let slot = hash(principal, shift);
  for (;;) {
    const key = keys[slot];
    if (key === principal) return slot;
    if (key === 0) return -1;
    slot = (slot + 1) & (keys.length - 1);
  }
}

function hash(principal: number, shift: number): number {
  return Math.imul(principal, 0x9e37_79b1) >>> shift;
}
