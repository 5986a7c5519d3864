/** Longest pattern and longest text that are compared; the cost of a match is at most their product. */
const longestPattern = 512;
const longestText = 4096;

export function isPattern(pattern: string): boolean {
  return pattern.length > 0 && pattern.length <= longestPattern;
}

/**
 * Whether the whole text fits: `*` stands for any characters, also none, `?` for exactly one; case matters.
 * It goes back to the last `*` only, so no pattern can make it take longer than text times pattern.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  if (!isPattern(pattern) || text.length > longestText) return false;
  let inPattern = 0;
  let inText = 0;
  let lastStar = -1;
  let starText = 0;
  while (inText < text.length) {
    const expected = pattern[inPattern];
    if (expected === '*') {
      lastStar = inPattern++;
      starText = inText;
    } else if (expected === '?' || (expected !== undefined && expected === text[inText])) {
      inPattern++;
      inText++;
    } else if (lastStar >= 0) {
      inPattern = lastStar + 1;
      inText = ++starText;
    } else {
      return false;
    }
  }
  while (pattern[inPattern] === '*') inPattern++;
  return inPattern === pattern.length;
}

/** What stands before the first wildcard. */
export function literalPrefix(pattern: string): string {
  return /^[^*?]*/.exec(pattern)?.[0] ?? '';
}
