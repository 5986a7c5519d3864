/** From this length on a column grows in smaller steps: what it does not use is lost. */
const large = 2 ** 20;

/** A copy with room for at least `size` entries, or the column itself when it has the room. */
export function grown<T extends Int32Array | Uint8Array | Float64Array>(column: T, size: number): T {
  if (size <= column.length) return column;
  const step = column.length < large ? 1.5 : 1.125;
  const length = Math.max(size, Math.ceil(column.length * step), 64);
  const Column = column.constructor as new (length: number) => T;
  const larger = new Column(length);
  larger.set(column);
  return larger;
}
