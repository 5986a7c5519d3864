/**
 * Azure's action patterns: `*` stands for any run of characters, `/` and the empty run included; every other
 * character stands for itself, without case. Matching takes time linear in the action's length whatever the
 * pattern (each literal part is found by Knuth-Morris-Pratt, leftmost first, and never looked for again), and no
 * regular expression is ever made from text that a person wrote.
 */
export interface ActionPattern {
  readonly text: string;
  /** `action` must be in lower case. */
  matches(action: string): boolean;
}

export function compileActionPattern(text: string): ActionPattern {
  let pattern = patterns.get(text);
  if (!pattern) {
    pattern = compile(text);
    if (patterns.size >= remembered) patterns.clear();
    patterns.set(text, pattern);
  }
  return pattern;
}

/** The same few thousand patterns come again in role after role. */
const remembered = 8_192;
const patterns = new Map<string, ActionPattern>();

function compile(text: string): ActionPattern {
  const [first = '', ...rest] = text.toLowerCase().split('*');
  const last = rest.pop();
  if (last === undefined) return { text, matches: (action) => action === first };
  const middle = rest.filter((part) => part !== '').map(searchFor);
  if (middle.length === 0) {
    const shortest = first.length + last.length;
    return {
      text,
      matches: (action) => action.length >= shortest && action.startsWith(first) && action.endsWith(last),
    };
  }
  return {
    text,
    matches(action) {
      const end = action.length - last.length;
      if (end < first.length || !action.startsWith(first) || !action.endsWith(last)) return false;
      let from = first.length;
      for (const search of middle) {
        const found = search(action, from, end);
        if (found < 0) return false;
        from = found;
      }
      return true;
    },
  };
}

/** Finds the leftmost `part` within [from, end); answers the index after it, or -1. */
function searchFor(part: string): (text: string, from: number, end: number) => number {
  const fallback = new Uint16Array(part.length);
  for (let i = 1, length = 0; i < part.length; i++) {
    while (length > 0 && part.charCodeAt(i) !== part.charCodeAt(length)) length = fallback[length - 1] ?? 0;
    if (part.charCodeAt(i) === part.charCodeAt(length)) length++;
    fallback[i] = length;
  }
  return (text, from, end) => {
    let matched = 0;
    for (let i = from; i < end; i++) {
      while (matched > 0 && text.charCodeAt(i) !== part.charCodeAt(matched))
        matched = fallback[matched - 1] ?? 0;
      if (text.charCodeAt(i) === part.charCodeAt(matched)) matched++;
      if (matched === part.length) return i + 1;
    }
    return -1;
  };
}
