import type { AttributeValue } from '../../store/changes.ts';

/**
 * The specification of conditions, in the plainest way: reads the text anew each time, and shares no code with the
 * engine. learn.microsoft.com/azure/role-based-access-control/conditions-format
 */
export type ReferenceTruth = 'true' | 'false' | 'error';

export interface ReferenceContext {
  readonly action: string;
  readonly subOperation: string | null;
  /** The name as it stands in the text. */
  attribute(source: string, name: string): AttributeValue | undefined;
  /** Whether it is unknown what attributes of this source there are. */
  isUnknown?(source: string): boolean;
}

type Scalar = string | number | boolean;
interface Operand {
  readonly values: readonly Scalar[];
  readonly isList: boolean;
  readonly isLiteral: boolean;
  readonly isUnknown: boolean;
}

/** What cannot be read is an error. */
export function referenceCondition(text: string, context: ReferenceContext): ReferenceTruth {
  try {
    const tokens = tokensOf(text);
    const truth = expression(tokens, context);
    return tokens.length === 0 ? truth : 'error';
  } catch {
    return 'error';
  }
}

function tokensOf(text: string): string[] {
  const token = /\s*(&&|\|\||[!(){},]|'(?:[^'\\]|\\.)*'|@[a-z]+\[[^\]]*\]|[\w:.+-]+)\s*/iy;
  const tokens: string[] = [];
  while (token.lastIndex < text.length) {
    const found = token.exec(text)?.[1];
    if (found === undefined) throw new SyntaxError(text);
    tokens.push(found);
  }
  return tokens;
}

function is(token: string | undefined, ...words: string[]): boolean {
  return token !== undefined && words.some((word) => word.toLowerCase() === token.toLowerCase());
}

function expect(tokens: string[], word: string): void {
  if (!is(tokens.shift(), word)) throw new SyntaxError(word);
}

/** All joined by AND, or all by OR: a mixture needs parentheses. False outweighs an error in AND, true in OR. */
function expression(tokens: string[], context: ReferenceContext): ReferenceTruth {
  const joined = [term(tokens, context)];
  const words = is(tokens[0], 'AND', '&&') ? ['AND', '&&'] : ['OR', '||'];
  while (is(tokens[0], ...words)) {
    tokens.shift();
    joined.push(term(tokens, context));
  }
  if (is(tokens[0], 'AND', '&&', 'OR', '||')) throw new SyntaxError('AND and OR');
  const deciding = words[0] === 'AND' ? 'false' : 'true';
  if (joined.includes(deciding)) return deciding;
  return joined.includes('error') ? 'error' : (joined[0] ?? 'error');
}

function term(tokens: string[], context: ReferenceContext): ReferenceTruth {
  const token = tokens.shift() ?? '';
  if (is(token, '!', 'NOT')) {
    const truth = term(tokens, context);
    return truth === 'error' ? 'error' : asTruth(truth === 'false');
  }
  if (token === '(') {
    const truth = expression(tokens, context);
    expect(tokens, ')');
    return truth;
  }
  if (is(token, 'ActionMatches')) {
    return asTruth(like(fold(context.action), fold(braced(tokens)), /[^]/g));
  }
  if (is(token, 'SubOperationMatches')) {
    const pattern = fold(braced(tokens));
    return asTruth(context.subOperation !== null && like(fold(context.subOperation), pattern, /[^]/g));
  }
  if (is(token, 'Exists')) {
    const { values, isUnknown } = attribute(tokens.shift() ?? '', context);
    return isUnknown ? 'error' : asTruth(values.length > 0);
  }
  tokens.unshift(token);
  return comparison(tokens, context);
}

function comparison(tokens: string[], context: ReferenceContext): ReferenceTruth {
  const left = operand(tokens, context);
  const [operator = '', crossing] = fold(tokens.shift() ?? '')
    .split(':')
    .reverse();
  const right = operand(tokens, context);
  const known = operators.get(operator);
  if (!known) throw new SyntaxError(operator);
  const [kind, test] = known;
  const sides = [left, right];
  for (const { isLiteral, isList, values } of sides) {
    if (isLiteral && isList && crossing === undefined) throw new SyntaxError('a list without a quantifier');
    if (isLiteral && values.some((it) => typeof it !== literalType[kind] || read(kind, it) === null)) {
      throw new SyntaxError(`not of the type that ${operator} compares`);
    }
  }
  const [l = [], r = []] = sides.map(({ values }) => values.map((it) => read(kind, it)));
  if (sides.some(({ values }) => values.length === 0) || [...l, ...r].includes(null)) return 'error';
  if (crossing === undefined && sides.some(({ isList }) => isList)) return 'error';
  const holds = (a: Scalar | null, b: Scalar | null): boolean => test(a as never, b as never);
  switch (crossing) {
    case undefined:
    case 'foranyofanyvalues':
      return asTruth(l.some((a) => r.some((b) => holds(a, b))));
    case 'forallofanyvalues':
      return asTruth(l.every((a) => r.some((b) => holds(a, b))));
    case 'foranyofallvalues':
      return asTruth(l.some((a) => r.every((b) => holds(a, b))));
    case 'forallofallvalues':
      return asTruth(l.every((a) => r.every((b) => holds(a, b))));
    default:
      throw new SyntaxError(crossing);
  }
}

function operand(tokens: string[], context: ReferenceContext): Operand {
  const token = tokens.shift() ?? '';
  if (token.startsWith('@')) return attribute(token, context);
  if (token !== '{') return { values: [literal(token)], isList: false, isLiteral: true, isUnknown: false };
  const values = [literal(tokens.shift() ?? '')];
  while (is(tokens[0], ',')) values.push(literal(tokens.splice(0, 2)[1] ?? ''));
  expect(tokens, '}');
  return { values, isList: true, isLiteral: true, isUnknown: false };
}

function literal(token: string): Scalar {
  if (token.startsWith("'")) return token.slice(1, -1).replaceAll("\\'", "'");
  if (/^-?\d{1,15}$/.test(token)) return Number(token);
  if (token === 'true' || token === 'false') return token === 'true';
  if (guid.test(token)) return token;
  throw new SyntaxError(token);
}

function braced(tokens: string[]): string {
  expect(tokens, '{');
  const text = literal(tokens.shift() ?? '');
  expect(tokens, '}');
  if (typeof text !== 'string' || text === '') throw new SyntaxError('a name');
  return text;
}

/** Without a value when it is missing. */
function attribute(token: string, context: ReferenceContext): Operand {
  const [, source = '', name = ''] =
    /^@(request|resource|principal|environment)\[([^]+)\]$/i.exec(token) ?? [];
  if (name.trim() === '') throw new SyntaxError(token);
  const isUnknown = context.isUnknown?.(fold(source)) === true;
  const value = isUnknown ? undefined : context.attribute(fold(source), name.trim());
  const isList = Array.isArray(value);
  return { values: value === undefined ? [] : [value].flat(), isList, isLiteral: false, isUnknown };
}

type Kind = 'string' | 'number' | 'boolean' | 'date' | 'guid';
type Test = (a: never, b: never) => boolean;
const literalType = {
  string: 'string',
  number: 'number',
  boolean: 'boolean',
  date: 'string',
  guid: 'string',
};
const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const fold = (text: string): string => text.toLowerCase();
const folded = (test: (a: string, b: string) => boolean) => (a: string, b: string) => test(fold(a), fold(b));
const equals = (a: Scalar, b: Scalar): boolean => a === b;
const starts = (a: string, b: string): boolean => a.startsWith(b);
const liken = (a: string, b: string): boolean => like(a, b, /\\[^]|[^]/g);
const operators = new Map<string, readonly [Kind, Test]>();
function define(kind: Kind, prefix: string, name: string, test: (a: never, b: never) => boolean): void {
  operators.set(prefix + name, [kind, test]);
  operators.set(`${prefix}not${name}`, [kind, (a, b) => !test(a, b)]);
}
for (const [name, test] of Object.entries({ equals, startswith: starts, like: liken })) {
  define('string', 'string', name, test);
  define('string', 'string', `${name}ignorecase`, folded(test));
}
define('boolean', 'bool', 'equals', equals);
define('guid', 'guid', 'equals', folded(equals));
for (const [prefix, kind] of [['numeric', 'number'] as const, ['datetime', 'date'] as const]) {
  define(kind, prefix, 'equals', equals);
  operators.set(`${prefix}lessthan`, [kind, (a: Scalar, b: Scalar) => a < b]);
  operators.set(`${prefix}lessthanequals`, [kind, (a: Scalar, b: Scalar) => a <= b]);
  operators.set(`${prefix}greaterthan`, [kind, (a: Scalar, b: Scalar) => a > b]);
  operators.set(`${prefix}greaterthanequals`, [kind, (a: Scalar, b: Scalar) => a >= b]);
}

/** The value as the operator compares it; null when it is not of its type. Tags are texts, also of numbers. */
function read(kind: Kind, value: Scalar): Scalar | null {
  if (kind === 'number' && typeof value === 'string')
    return /^-?\d{1,15}$/.test(value) ? Number(value) : null;
  if (kind === 'boolean' && typeof value === 'string') return { true: true, false: false }[value] ?? null;
  if (kind === 'guid') return guid.test(String(value)) ? value : null;
  if (kind === 'number') return Number.isSafeInteger(value) ? value : null;
  if (kind !== 'date') return typeof value === kind ? value : null;
  const [, day = '', time = '', fraction = ''] =
    /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/i.exec(String(value)) ?? [];
  // A day that there is, or Date answers another one or none.
  const instant = new Date(`${day}T${time}Z`);
  if (Number.isNaN(instant.getTime()) || !instant.toISOString().startsWith(`${day}T${time}`)) return null;
  return `${day}T${time}.${fraction.padEnd(9, '0')}`;
}

/** `*` is any run of characters, `?` one where escapes are known: there a backslash takes the meaning away. */
function like(text: string, pattern: string, units: RegExp): boolean {
  const escapes = units.source.startsWith('\\\\');
  const source = pattern.replaceAll(units, (unit) => {
    if (unit === '*') return '.*';
    if (unit === '?' && escapes) return '.';
    return (unit.length > 1 ? unit.slice(1) : unit).replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 's').test(text);
}

const asTruth = (value: boolean): ReferenceTruth => (value ? 'true' : 'false');
