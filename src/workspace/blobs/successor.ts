const lastCodePoint = 0x10ffff;

/**
 * The smallest text that comes after every text starting with `prefix`, in the order of code points (UTF-8's and
 * SQLite's order); null when there is none.
 */
export function successor(prefix: string): string | null {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === lastCodePoint) continue;
    const next = last + 1 === 0xd800 ? 0xe000 : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return null;
}

/** The smallest text greater than `text`. */
export function justAfter(text: string): string {
  return `${text}\0`;
}

/** The later of the two, in the order of code points. */
export function later(a: string, b: string): string {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0 ? b : a;
}
