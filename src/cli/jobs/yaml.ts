import { CliError } from '../cli-error.ts';

/** What a job file can hold. Mappings have no prototype, so no key is special. */
export type YamlValue = string | number | boolean | null | YamlValue[] | { [key: string]: YamlValue };

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

/**
 * Reads the part of YAML 1.2 that job files are written in: block mappings and sequences, plain and quoted scalars,
 * literal (`|`) and folded (`>`) blocks, `[]` and `{}` written flat, comments. Anchors, tags, aliases, several
 * documents and keys given twice are refused with their line, never guessed at. Throws CliError `usage`.
 */
export function parseYaml(text: string, file: string): YamlValue {
  return new Reader(text, file).document();
}

class Reader {
  readonly #file: string;
  readonly #lines: readonly string[];
  #at = 0;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
    if (this.#lines[0]?.trimEnd() === '---') this.#at = 1;
  }

  document(): YamlValue {
    const first = this.#peek();
    if (first === null) return null;
    const value = this.#block(first.indent);
    const rest = this.#peek();
    if (rest !== null) throw this.#wrong(rest.number, 'the indentation does not fit what stands above');
    return value;
  }

  /** The next line that says something, without moving on. */
  #peek(): Line | null {
    for (; this.#at < this.#lines.length; this.#at++) {
      const raw = this.#lines[this.#at] ?? '';
      const indent = raw.length - raw.trimStart().length;
      const text = raw.slice(indent);
      if (text === '' || text.startsWith('#')) continue;
      const number = this.#at + 1;
      if (raw.slice(0, indent).includes('\t'))
        throw this.#wrong(number, 'it is indented with a tab; use spaces');
      if (/^(---|\.\.\.)(\s|$)/.test(raw)) throw this.#wrong(number, 'a file holds one document');
      return { number, indent, text };
    }
    return null;
  }

  #block(indent: number): YamlValue {
    const first = this.#peek();
    if (first === null) return null;
    return /^-(\s|$)/.test(first.text) ? this.#sequence(indent) : this.#mappingOrScalar(indent, first);
  }

  #sequence(indent: number): YamlValue[] {
    const items: YamlValue[] = [];
    for (
      let line = this.#peek();
      line?.indent === indent && /^-(\s|$)/.test(line.text);
      line = this.#peek()
    ) {
      const rest = line.text.slice(1).trimStart();
      const inner = indent + line.text.length - rest.length;
      if (keyOf(rest) !== null) {
        items.push(this.#mapping(inner, { ...line, indent: inner, text: rest }));
      } else {
        this.#at += 1;
        items.push(this.#value(rest, indent, line.number));
      }
    }
    return items;
  }

  #mappingOrScalar(indent: number, first: Line): YamlValue {
    if (keyOf(first.text) !== null) return this.#mapping(indent, first);
    this.#at += 1;
    return this.#flow(first.text, first.number);
  }

  #mapping(indent: number, first: Line): YamlValue {
    const out = Object.create(null) as { [key: string]: YamlValue };
    for (let line: Line | null = first; line?.indent === indent; line = this.#peek()) {
      const found = keyOf(line.text);
      if (found === null) throw this.#wrong(line.number, 'here stands neither `key: value` nor `- item`');
      if (Object.hasOwn(out, found.key)) throw this.#wrong(line.number, `\`${found.key}\` is given twice`);
      this.#at += 1;
      out[found.key] = this.#value(found.rest, indent, line.number);
    }
    const next = this.#peek();
    if (next !== null && next.indent > indent)
      throw this.#wrong(next.number, 'the indentation does not fit what stands above');
    return out;
  }

  /** What stands after `key:` or `-`, on the same line or beneath it. */
  #value(text: string, indent: number, number: number): YamlValue {
    const head = withoutComment(text);
    if (/^[|>]/.test(head)) return this.#blockScalar(head, indent, number);
    if (head !== '') return this.#flow(head, number);
    const next = this.#peek();
    if (next === null) return null;
    if (next.indent > indent) return this.#block(next.indent);
    // A sequence may stand as far to the left as the key that it belongs to.
    return next.indent === indent && /^-(\s|$)/.test(next.text) && !/^-(\s|$)/.test(this.#lineBefore(number))
      ? this.#sequence(indent)
      : null;
  }

  #lineBefore(number: number): string {
    return (this.#lines[number - 1] ?? '').trimStart();
  }

  #blockScalar(head: string, indent: number, number: number): string {
    const form = /^([|>])([+-]?)$/.exec(head);
    if (form === null)
      throw this.#wrong(number, `\`${head}\` is not supported; write \`|\`, \`|-\`, \`>\` or \`>-\``);
    const [, style, chomp] = form;
    const body: string[] = [];
    let inner: number | null = null;
    for (; this.#at < this.#lines.length; this.#at++) {
      const raw = this.#lines[this.#at] ?? '';
      const lead = raw.length - raw.trimStart().length;
      if (raw.trim() !== '') {
        if (lead <= indent) break;
        inner ??= lead;
        if (lead < inner) break;
      }
      body.push(raw);
    }
    const lines = body.map((line) => line.slice(inner ?? 0));
    if (chomp !== '+') {
      while (lines.at(-1)?.trim() === '') lines.pop();
    }
    const text = style === '|' ? lines.join('\n') : fold(lines);
    return lines.length === 0 || chomp === '-' ? text : text + '\n';
  }

  #flow(text: string, number: number): YamlValue {
    const head = withoutComment(text);
    if (/^[&*!%@`]/.test(head))
      throw this.#wrong(number, `\`${head.slice(0, 20)}\`: anchors, aliases and tags are not supported`);
    if (head.startsWith('[') || head.startsWith('{')) return this.#flat(head, number);
    return this.#scalar(head, number);
  }

  /** `[a, 'b', 1]` and `{a: 1, b: c}`, one level deep. */
  #flat(text: string, number: number): YamlValue {
    const [open, close] = text.startsWith('[') ? ['[', ']'] : ['{', '}'];
    const inner = text.slice(1, -1).trim();
    if (!text.endsWith(close)) throw this.#wrong(number, `\`${open}\` is not closed on the same line`);
    const parts = inner === '' ? [] : splitFlat(inner);
    if (parts === null || parts.some((part) => /^[[{]/.test(part))) {
      throw this.#wrong(
        number,
        'lists and mappings within brackets are not supported; write them on lines of their own',
      );
    }
    if (open === '[') return parts.map((part) => this.#scalar(part, number));
    const out = Object.create(null) as { [key: string]: YamlValue };
    for (const part of parts) {
      const found = keyOf(part);
      if (found === null) throw this.#wrong(number, `\`${part}\` is not \`key: value\``);
      if (Object.hasOwn(out, found.key)) throw this.#wrong(number, `\`${found.key}\` is given twice`);
      out[found.key] = this.#scalar(found.rest, number);
    }
    return out;
  }

  #scalar(text: string, number: number): YamlValue {
    if (text.startsWith('"')) {
      try {
        const parsed: unknown = JSON.parse(text);
        if (typeof parsed === 'string') return parsed;
      } catch {
        // Said below.
      }
      throw this.#wrong(number, `${text} is not a quoted text (of escapes, those of JSON are supported)`);
    }
    if (text.startsWith("'")) {
      if (!/^'(?:[^']|'')*'$/.test(text)) throw this.#wrong(number, `${text} is not a quoted text`);
      return text.slice(1, -1).replaceAll("''", "'");
    }
    if (text === '' || text === '~' || /^(null|Null|NULL)$/.test(text)) return null;
    if (/^(true|True|TRUE)$/.test(text)) return true;
    if (/^(false|False|FALSE)$/.test(text)) return false;
    if (/^[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/.test(text)) return Number(text);
    return text;
  }

  #wrong(number: number, what: string): CliError {
    return new CliError('usage', `${this.#file}, line ${number}: ${what}.`);
  }
}

/** `key: rest`, with a plain or quoted key; null when the text is no such pair. */
function keyOf(text: string): { key: string; rest: string } | null {
  const quoted = /^(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)')\s*:(?:\s+(.*))?$/.exec(text);
  if (quoted) return { key: quoted[1] ?? (quoted[2] ?? '').replaceAll("''", "'"), rest: quoted[3] ?? '' };
  const plain = /^([^\s#&*!|>'"%@`[\]{},-][^#]*?|-[^\s#][^#]*?)\s*:(?:\s+(.*))?$/.exec(text);
  if (!plain?.[1] || /:\s/.test(plain[1])) return null;
  return { key: plain[1], rest: plain[2] ?? '' };
}

/** Without a comment at the end, and trimmed; a `#` inside quotes or within a word is none. */
function withoutComment(text: string): string {
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (quote !== '') {
      if (char === '\\' && quote === '"') i++;
      else if (char === quote) quote = '';
    } else if ((char === '"' || char === "'") && (i === 0 || /[\s,[{:]/.test(text.charAt(i - 1))))
      quote = char;
    else if (char === '#' && (i === 0 || /\s/.test(text.charAt(i - 1)))) return text.slice(0, i).trim();
  }
  return text.trim();
}

/** The parts between commas that stand outside quotes and brackets; null when a quote or bracket stays open. */
function splitFlat(text: string): string[] | null {
  const parts: string[] = [];
  let quote = '';
  let depth = 0;
  let part = '';
  for (const char of text) {
    if (quote !== '') quote = char === quote ? '' : quote;
    else if (char === '"' || char === "'") quote = char;
    else if (char === '[' || char === '{') depth += 1;
    else if (char === ']' || char === '}') depth -= 1;
    else if (char === ',' && depth === 0) {
      parts.push(part.trim());
      part = '';
      continue;
    }
    part += char;
  }
  if (quote !== '' || depth !== 0) return null;
  return part.trim() === '' ? parts : [...parts, part.trim()];
}

/** Folding: a line break between two lines of text is a space, an empty line is a line break. YAML 1.2 §6.5 */
function fold(lines: readonly string[]): string {
  let out = '';
  let breaks = 0;
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') {
      breaks += 1;
      continue;
    }
    if (i > 0 && out !== '') out += breaks === 0 ? ' ' : '\n'.repeat(breaks);
    else out += '\n'.repeat(breaks);
    breaks = 0;
    out += line;
  }
  return out;
}
