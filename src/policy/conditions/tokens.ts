import type { SyntaxProblem } from './syntax.ts';

export interface Token {
  readonly kind: 'word' | 'string' | 'attribute' | 'punctuation' | 'end';
  /** A word or mark as written; a string without its quotes; of an attribute the name in its brackets. */
  readonly text: string;
  /** Of an attribute: `request`, `resource`, … in lower case. */
  readonly source: string;
  readonly start: number;
  readonly end: number;
}

/** One token, beginning where the last one ended; each alternative starts with a different character. */
const token =
  /\s*(?:(?<attribute>@(?<source>[A-Za-z]+)\[(?<name>[^\]]*)\])|'(?<string>(?:[^'\\]|\\.)*)'|(?<word>[A-Za-z0-9_.:+-]+)|(?<mark>&&|\|\||[(){}!,])|(?<end>$))/dsy;

/** Splits a condition's text; time is linear in its length. */
export function tokensOf(text: string): readonly Token[] | SyntaxProblem {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  for (;;) {
    const from = token.lastIndex;
    const found = token.exec(text);
    if (!found?.groups || !found.indices?.groups) return problemAt(text, from);
    const { attribute, source, name, string, word, mark } = found.groups;
    const [kind, content] =
      attribute !== undefined
        ? (['attribute', name ?? ''] as const)
        : string !== undefined
          ? (['string', string.replaceAll("\\'", "'")] as const)
          : word !== undefined
            ? (['word', word] as const)
            : (['punctuation', mark ?? ''] as const);
    const end = found.index + found[0].length;
    const start = end - found[0].trimStart().length;
    if (found.groups['end'] !== undefined) {
      tokens.push({ kind: 'end', text: '', source: '', start: text.length, end: text.length });
      return tokens;
    }
    tokens.push({ kind, text: content, source: (source ?? '').toLowerCase(), start, end });
    if (token.lastIndex === from) return problemAt(text, from);
  }
}

function problemAt(text: string, from: number): SyntaxProblem {
  const skipped = /\s*/y;
  skipped.lastIndex = from;
  const position = from + (skipped.exec(text)?.[0].length ?? 0);
  const char = text.charAt(position);
  const why =
    char === "'"
      ? 'this text is not closed: write a single quote at its end'
      : char === '@'
        ? 'an attribute is written @Source[name], for instance @Resource[Microsoft.Storage/storageAccounts:name]'
        : /["“”‘’`]/.test(char)
          ? `texts are written in single straight quotes, as in 'red', not in ${char}`
          : `'${char}' has no meaning here; texts are written in single quotes, as in 'red'`;
  return { kind: 'error', position, message: why };
}
