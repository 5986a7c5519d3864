interface Level {
  /** Keys so far; null in a list. */
  readonly seen: Set<string> | null;
  /** Where in it: the key, or the place in the list. */
  at: string;
  /** Whether the next string is a key. */
  keyNext: boolean;
}

/**
 * Dotted paths of the keys that stand twice in one object of a valid JSON text. `JSON.parse` takes the last and says
 * nothing: of two connections of one name, the first would be gone.
 */
export function duplicateKeys(json: string): string[] {
  const duplicates: string[] = [];
  const levels: Level[] = [];
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    const level = levels.at(-1);
    if (token === '{') levels.push({ seen: new Set(), at: '', keyNext: true });
    else if (token === '[') levels.push({ seen: null, at: '0', keyNext: false });
    else if (token === '}' || token === ']') levels.pop();
    else if (level === undefined) continue;
    else if (token === ':') level.keyNext = false;
    else if (token === ',') {
      if (level.seen === null) level.at = String(Number(level.at) + 1);
      else level.keyNext = true;
    } else if (level.keyNext && level.seen !== null) {
      level.at = String(JSON.parse(token));
      if (level.seen.has(level.at)) duplicates.push(levels.map(({ at }) => at).join('.'));
      level.seen.add(level.at);
    }
  }
  return duplicates;
}
