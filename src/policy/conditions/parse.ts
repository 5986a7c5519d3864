import { operators, type Operator } from './operators.ts';
import type {
  AttributeOperand,
  AttributeSource,
  ConditionNode,
  LiteralOperand,
  Operand,
  Quantifier,
  Scalar,
  SyntaxProblem,
} from './syntax.ts';
import { tokensOf, type Token } from './tokens.ts';
import { valueOf } from './values.ts';

const longest = 8_192;
const deepest = 64;

const sources: ReadonlySet<string> = new Set<AttributeSource>([
  'request',
  'resource',
  'principal',
  'environment',
]);
const quantifiers: ReadonlyMap<string, Quantifier> = new Map(
  (['ForAnyOfAnyValues', 'ForAllOfAnyValues', 'ForAnyOfAllValues', 'ForAllOfAllValues'] as const).map(
    (name) => [name.toLowerCase(), name],
  ),
);

class ProblemFound extends Error {
  readonly problem: SyntaxProblem;

  constructor(position: number, message: string) {
    super(message);
    this.problem = { kind: 'error', position, message };
  }
}

/**
 * Azure's condition format, version 2.0: at most 8 KB, the nesting bounded, and no expression in which the order of
 * AND and OR would have to be guessed.
 * learn.microsoft.com/azure/role-based-access-control/conditions-format
 */
export function parseCondition(
  text: string,
): { readonly kind: 'ok'; readonly condition: ConditionNode } | SyntaxProblem {
  if (Buffer.byteLength(text) > longest) {
    return { kind: 'error', position: longest, message: `a condition may have at most ${longest} bytes` };
  }
  const tokens = tokensOf(text);
  if ('kind' in tokens) return tokens;
  try {
    return { kind: 'ok', condition: new Parser(tokens).whole() };
  } catch (error) {
    if (error instanceof ProblemFound) return error.problem;
    throw error;
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): ConditionNode {
    if (this.#peek().kind === 'end') throw this.#unexpected('a condition');
    const node = this.#expression();
    if (this.#peek().kind !== 'end') throw this.#unexpected('AND, OR or the end');
    return node;
  }

  #expression(): ConditionNode {
    const first = this.#unary();
    const parts = [first];
    let joiner: 'and' | 'or' | null = null;
    for (let next = joinerOf(this.#peek()); next !== null; next = joinerOf(this.#peek())) {
      if (joiner !== null && next !== joiner) {
        throw new ProblemFound(
          this.#peek().start,
          'AND and OR side by side leave their order open: put one of them into parentheses, as in (a AND b) OR c',
        );
      }
      joiner = next;
      this.#take();
      parts.push(this.#unary());
    }
    if (joiner === null) return first;
    return { kind: joiner, parts, start: first.start, end: parts.at(-1)?.end ?? first.end };
  }

  #unary(): ConditionNode {
    const token = this.#peek();
    if (isMark(token, '!') || isWord(token, 'not')) {
      this.#take();
      const part = this.#deeper(() => this.#unary());
      return { kind: 'not', part, start: token.start, end: part.end };
    }
    if (isMark(token, '(')) {
      this.#take();
      const node = this.#deeper(() => this.#expression());
      const { end } = this.#expect(')');
      return { ...node, start: token.start, end };
    }
    return this.#primary();
  }

  #deeper<T>(parse: () => T): T {
    if (++this.#depth > deepest) {
      throw new ProblemFound(this.#peek().start, `expressions may be nested at most ${deepest} deep`);
    }
    const result = parse();
    this.#depth--;
    return result;
  }

  #primary(): ConditionNode {
    const token = this.#peek();
    if (isWord(token, 'actionmatches')) {
      this.#take();
      const { text, end } = this.#bracedString();
      return { kind: 'action-matches', pattern: text, start: token.start, end };
    }
    if (isWord(token, 'suboperationmatches')) {
      this.#take();
      const { text, end } = this.#bracedString();
      return { kind: 'sub-operation-matches', name: text, start: token.start, end };
    }
    if (isWord(token, 'exists')) {
      this.#take();
      const attribute = this.#attribute();
      return { kind: 'exists', attribute, start: token.start, end: this.#last().end };
    }
    return this.#comparison();
  }

  #comparison(): ConditionNode {
    const { start } = this.#peek();
    const leftAt = this.#at;
    if (this.#peek().kind === 'attribute') this.#attribute();
    else this.#literal(null);
    const { quantifier, operator } = this.#operator();
    const operatorAt = this.#at;
    // Only now is it known of which type the left side has to be.
    this.#at = leftAt;
    const left = this.#operand(operator);
    this.#at = operatorAt;
    const right = this.#operand(operator);
    for (const side of [left, right]) {
      if (side.kind === 'literal' && side.set && quantifier === null) {
        throw new ProblemFound(
          start,
          `a set of values needs a quantifier, as in ForAnyOfAnyValues:${operator.name} {…}`,
        );
      }
    }
    return {
      kind: 'compare',
      quantifier,
      operator: operator.name,
      left,
      right,
      start,
      end: this.#last().end,
    };
  }

  #operator(): { quantifier: Quantifier | null; operator: Operator } {
    const token = this.#peek();
    if (token.kind !== 'word') throw this.#unexpected('an operator such as StringEquals');
    this.#take();
    const colon = token.text.indexOf(':');
    const quantifier = colon < 0 ? null : quantifiers.get(token.text.slice(0, colon).toLowerCase());
    const operator = operators.get(token.text.slice(colon + 1).toLowerCase());
    if (quantifier === undefined || operator === undefined) {
      const name = token.text.slice(colon + 1).toLowerCase();
      const near =
        operators.get(`string${name}`) ?? operators.get(`numeric${name}`) ?? operators.get(`${name}s`);
      const meant = near === undefined ? '' : `; did you mean ${near.name}?`;
      throw new ProblemFound(token.start, `${token.text} is no operator of conditions${meant}`);
    }
    if (quantifier !== null && !operator.quantified) {
      throw new ProblemFound(
        token.start,
        `${operator.name} compares single values and takes no ${quantifier}`,
      );
    }
    return { quantifier, operator };
  }

  #operand(operator: Operator): Operand {
    return this.#peek().kind === 'attribute' ? this.#attribute() : this.#literal(operator);
  }

  #attribute(): AttributeOperand {
    const token = this.#take();
    if (token.kind !== 'attribute') throw this.#unexpected('an attribute such as @Resource[…]', token);
    if (!isSource(token.source)) {
      throw new ProblemFound(
        token.start,
        'attributes come from @Request, @Resource, @Principal or @Environment',
      );
    }
    if (token.text.trim() === '') throw new ProblemFound(token.start, 'the attribute has no name');
    return { kind: 'attribute', source: token.source, name: attributeName(token.text.trim()) };
  }

  /** With an operator, of its type. */
  #literal(operator: Operator | null): LiteralOperand {
    if (!isMark(this.#peek(), '{')) return { kind: 'literal', values: [this.#value(operator)], set: false };
    this.#take();
    const values = [this.#value(operator)];
    while (isMark(this.#peek(), ',')) {
      this.#take();
      values.push(this.#value(operator));
    }
    this.#expect('}');
    return { kind: 'literal', values, set: true };
  }

  #value(operator: Operator | null): Scalar {
    const token = this.#take();
    if (token.kind !== 'string' && token.kind !== 'word') throw this.#unexpected('a value', token);
    if (operator === null) return token.text;
    const quoted = token.kind === 'string';
    const value =
      quoted === wantsQuotes[operator.type] || operator.type === 'guid'
        ? valueOf(token.text, operator.type)
        : null;
    if (value === null)
      throw new ProblemFound(token.start, `${operator.name} compares ${described[operator.type]}`);
    return value;
  }

  #bracedString(): { text: string; end: number } {
    this.#expect('{');
    const token = this.#take();
    if (token.kind !== 'string' || token.text === '')
      throw this.#unexpected('a name in single quotes', token);
    return { text: token.text, end: this.#expect('}').end };
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? this.#end();
  }

  #take(): Token {
    return this.#tokens[this.#at++] ?? this.#end();
  }

  #last(): Token {
    return this.#tokens[this.#at - 1] ?? this.#end();
  }

  #end(): Token {
    const end = this.#tokens.at(-1);
    if (!end) throw new RangeError('a list of tokens always ends');
    return end;
  }

  #expect(mark: string): Token {
    const token = this.#take();
    if (!isMark(token, mark)) throw this.#unexpected(`'${mark}'`, token);
    return token;
  }

  #unexpected(wanted: string, token: Token = this.#peek()): ProblemFound {
    const found = token.kind === 'end' ? 'the text ends' : `'${token.text}' stands`;
    return new ProblemFound(token.start, `${found} where ${wanted} should be`);
  }
}

/** Whether literals of the type are written in quotes. */
const wantsQuotes = { string: true, time: true, number: false, boolean: false, guid: false } as const;

const described = {
  string: "texts: write them in single quotes, as in 'red'",
  number: 'integers: write them without quotes, as in 8',
  boolean: 'truth values: write true or false, without quotes',
  time: "times: write them as in '2026-01-31T00:00:00.0Z'",
  guid: 'GUIDs: write them as in 00000000-0000-0000-0000-000000000000',
} as const;

const caseCounts = '<$key_case_sensitive$>';

/** Attribute names are compared without case, but for a tag key that is marked. */
export function attributeName(text: string): string {
  const name = text.toLowerCase();
  const start = name.startsWith('tags:') ? 0 : name.indexOf('/tags:') + 1;
  const end = name.length - caseCounts.length;
  if (!name.endsWith(caseCounts) || !name.startsWith('tags:', start) || name.length !== text.length)
    return name;
  const from = start + 'tags:'.length;
  return name.slice(0, from) + text.slice(from, end) + caseCounts;
}

function joinerOf(token: Token): 'and' | 'or' | null {
  if (isMark(token, '&&') || isWord(token, 'and')) return 'and';
  return isMark(token, '||') || isWord(token, 'or') ? 'or' : null;
}

function isMark(token: Token, mark: string): boolean {
  return token.kind === 'punctuation' && token.text === mark;
}

function isWord(token: Token, word: string): boolean {
  return token.kind === 'word' && token.text.toLowerCase() === word;
}

function isSource(name: string): name is AttributeSource {
  return sources.has(name);
}
