import { z } from 'zod';
import { failure } from '../../../lib/errors.ts';
import { characters } from '../../bodies/json-characters.ts';
import { parseJson } from '../../bodies/parse-body.ts';

/** A value in a JSON text: where it stands, and what it holds. */
export type JsonNode = { readonly start: number; readonly end: number } & (
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonNode> }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'null' }
  | { readonly kind: 'other' }
);

/**
 * The text with its structure, so that what is decided on can be read from it and what must not be shown cut out of it,
 * and all the rest stay as it was written, numbers beyond 2^53 included. Throws `invalid_json`, and `invalid_request`
 * for an object that names a member twice: which of the two counts is for each reader to choose (RFC 8259 §4). So it
 * does for more values than `mostValues`: whoever is not let in yet must not keep everybody waiting with brackets.
 */
export function readJson(
  bytes: Buffer,
  mostValues = Infinity,
): { readonly text: string; readonly root: JsonNode } {
  parseJson(bytes, z.unknown());
  const text = bytes.toString('utf8');
  const reader = new Reader(text, mostValues);
  return { text, root: reader.value() };
}

/** By codes, a character at a time: whoever is not let in yet may send four MiB, which are read while all others wait. */
class Reader {
  readonly #text: string;
  #at = 0;
  #left: number;

  constructor(text: string, mostValues: number) {
    this.#text = text;
    this.#left = mostValues;
    if (text.startsWith('\ufeff')) this.#at = 1;
  }

  value(): JsonNode {
    this.#left -= 1;
    if (this.#left < 0) throw failure('invalid_request', 'The request body holds too many values.');
    this.#skipSpace();
    const start = this.#at;
    switch (this.#text.charCodeAt(start)) {
      case characters.openBrace:
        return this.#object(start);
      case characters.openBracket:
        return this.#array(start);
      case characters.quote: {
        const value = this.#string();
        return { kind: 'string', value, start, end: this.#at };
      }
      default: {
        while (this.#at < this.#text.length && !endsLiteral(this.#text.charCodeAt(this.#at))) this.#at += 1;
        const kind = this.#text[start] === 'n' ? 'null' : 'other';
        return { kind, start, end: this.#at };
      }
    }
  }

  #object(start: number): JsonNode {
    const members = new Map<string, JsonNode>();
    this.#at += 1;
    while (this.#more(characters.closeBrace)) {
      const name = this.#string();
      if (members.has(name)) {
        throw failure('invalid_request', `The member \`${name.slice(0, 100)}\` stands twice in an object.`);
      }
      this.#skipSpace();
      this.#at += 1;
      members.set(name, this.value());
    }
    return { kind: 'object', members, start, end: this.#at };
  }

  #array(start: number): JsonNode {
    const items: JsonNode[] = [];
    this.#at += 1;
    while (this.#more(characters.closeBracket)) items.push(this.value());
    return { kind: 'array', items, start, end: this.#at };
  }

  /** Steps over a comma; false, and past the bracket, at the end. */
  #more(closing: number): boolean {
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#at) === characters.comma) {
      this.#at += 1;
      this.#skipSpace();
    }
    if (this.#text.charCodeAt(this.#at) !== closing) return true;
    this.#at += 1;
    return false;
  }

  #string(): string {
    const start = this.#at;
    let escaped = false;
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === characters.quote) break;
      if (code !== characters.backslash) continue;
      escaped = true;
      this.#at += 1;
    }
    this.#at += 1;
    const quoted = this.#text.slice(start, this.#at);
    return escaped ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
  }

  #skipSpace(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at += 1;
  }
}

/** RFC 8259 §2. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function endsLiteral(code: number): boolean {
  const { comma, closeBracket, closeBrace } = characters;
  return code === comma || code === closeBracket || code === closeBrace || isSpace(code);
}

/** The member of an object; null where it is absent or null, or where this is no object. */
export function member(node: JsonNode | null, name: string): JsonNode | null {
  if (node?.kind !== 'object') return null;
  const found = node.members.get(name) ?? null;
  return found?.kind === 'null' ? null : found;
}

export function stringIn(node: JsonNode | null): string | null {
  return node?.kind === 'string' ? node.value : null;
}
