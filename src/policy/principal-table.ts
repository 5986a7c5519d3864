/**
 * Where each principal occurs in a list, and with which role: an open-addressed hash table in one array of numbers,
 * so that a look-up touches little memory. First `size` slots of four (principal index, or 0, which no principal
 * has, for an empty slot; first and one past the last of its occurrences, as offsets into the array), then the
 * occurrences in pairs (position in the list, role index), each principal's in order of position.
 */
export interface PrincipalTable {
  readonly data: Int32Array;
  readonly shift: number;
}

/** The list is given as two columns. */
export function buildPrincipalTable(principals: Int32Array, roles: Int32Array): PrincipalTable {
  const order = Int32Array.from(principals, (_, position) => position).sort(
    (a, b) => (principals[a] ?? 0) - (principals[b] ?? 0) || a - b,
  );
  const bits = Math.max(2, Math.ceil(Math.log2(principals.length * 2)));
  const size = 2 ** bits;
  const shift = 32 - bits;
  const data = new Int32Array(size * 4 + order.length * 2);
  let offset = size * 4;
  for (let i = 0; i < order.length;) {
    const principal = principals[order[i] ?? 0] ?? 0;
    let slot = hash(principal, shift);
    while (data[slot * 4] !== 0) slot = (slot + 1) & (size - 1);
    data[slot * 4] = principal;
    data[slot * 4 + 1] = offset;
    for (; i < order.length && principals[order[i] ?? 0] === principal; i++) {
      data[offset++] = order[i] ?? 0;
      data[offset++] = roles[order[i] ?? 0] ?? 0;
    }
    data[slot * 4 + 2] = offset;
  }
  return { data, shift };
}

/** The offset of a principal's slot, or -1. */
export function slotOf(data: Int32Array, shift: number, principal: number): number {
  const mask = (1 << (32 - shift)) - 1;
  let slot = hash(principal, shift);
  for (;;) {
    const key = data[slot * 4];
    if (key === principal) return slot * 4;
    if (key === 0) return -1;
    slot = (slot + 1) & mask;
  }
}

function hash(principal: number, shift: number): number {
  return Math.imul(principal, 0x9e37_79b1) >>> shift;
}
