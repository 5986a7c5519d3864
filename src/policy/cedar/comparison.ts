import type { ValueType } from '../conditions/operators.ts';
import type { Operand, Quantifier, Scalar } from '../conditions/syntax.ts';
import { cedarTime } from './attribute.ts';
import { placesOf } from './attribute-places.ts';
import { allOf, anyOf, cedarPattern, cedarString, not } from './text.ts';

/** One way to come by the value or values of an operand, under its guard. */
interface Side {
  readonly guard: string;
  /** The single value, or the set of values where a quantifier compares. */
  readonly path: string;
  /** What is written in the condition; null for an attribute. */
  readonly written: readonly Scalar[] | null;
}

interface Verb {
  readonly negated: boolean;
  readonly name: string;
  readonly form: keyof typeof formOf;
}

const formOf = {
  string: { one: 'text', several: 'texts' },
  folded: { one: 'lower', several: 'lowers' },
  number: { one: 'number', several: 'numbers' },
  boolean: { one: 'flag', several: null },
  guid: { one: 'guid', several: 'guids' },
  time: { one: 'time', several: null },
} as const;

/** Whether a comparison is true, and whether it is false; or why Cedar cannot say it. */
export function comparison(
  operator: string,
  type: ValueType,
  quantifier: Quantifier | null,
  left: Operand,
  right: Operand,
): { readonly holds: string; readonly fails: string } | { readonly why: string } {
  const verb = verbOf(operator, type);
  const holds: string[] = [];
  const fails: string[] = [];
  for (const a of sidesOf(left, verb.form, quantifier)) {
    for (const b of sidesOf(right, verb.form, quantifier)) {
      const test = quantifier === null ? one(verb, a, b) : crossed(verb, quantifier, a, b);
      if (typeof test !== 'string') return test;
      const guard = allOf([a.guard, b.guard]);
      holds.push(allOf([guard, test]));
      fails.push(allOf([guard, not(test)]));
    }
  }
  return { holds: anyOf(holds), fails: anyOf(fails) };
}

function verbOf(operator: string, type: ValueType): Verb {
  const [, not, name = ''] =
    /^(?:String|Numeric|DateTime|Guid|Bool)(Not)?(.+?)(?:IgnoreCase)?$/.exec(operator) ?? [];
  const form = operator.endsWith('IgnoreCase') ? 'folded' : type;
  return { negated: not !== undefined, name, form };
}

function sidesOf(operand: Operand, form: keyof typeof formOf, quantifier: Quantifier | null): Side[] {
  if (operand.kind === 'literal') {
    const values = operand.values.map((value) => (form === 'folded' ? String(value).toLowerCase() : value));
    const written = Array.from(new Set(values));
    return [
      {
        guard: 'true',
        path: quantifier === null ? valueText(written[0] ?? '', form) : setText(written, form),
        written,
      },
    ];
  }
  const { one, several } = formOf[form];
  const field = quantifier === null ? one : several;
  if (field === null) return [];
  return placesOf(operand).map(({ guard, path }) => ({
    guard: allOf([guard, `${path} has ${field}`]),
    path: `${path}.${field}`,
    written: null,
  }));
}

/** Single values on both sides. */
function one(verb: Verb, left: Side, right: Side): string | { readonly why: string } {
  const test = positive(verb, left.path, right);
  return typeof test === 'string' && verb.negated ? not(test) : test;
}

function positive({ name, form }: Verb, left: string, right: Side): string | { readonly why: string } {
  switch (name) {
    case 'Equals':
      return form === 'time' ? timeEquals(left, right.path) : `${left} == ${right.path}`;
    case 'StartsWith': {
      const prefix = right.written?.[0];
      if (prefix === undefined)
        return { why: 'Cedar’s patterns are written in the policy, not found in attributes' };
      return `${left} like ${cedarPattern([String(prefix), null])}`;
    }
    case 'Like': {
      const pattern = right.written?.[0];
      if (pattern === undefined)
        return { why: 'Cedar’s patterns are written in the policy, not found in attributes' };
      const parts = patternParts(String(pattern));
      return parts
        ? `${left} like ${cedarPattern(parts)}`
        : { why: 'Cedar’s patterns have no ? for one character' };
    }
    default:
      return ordered(name, form, left, right.path);
  }
}

const orders = new Map([
  ['LessThan', '<'],
  ['LessThanEquals', '<='],
  ['GreaterThan', '>'],
  ['GreaterThanEquals', '>='],
]);

function ordered(
  name: string,
  form: Verb['form'],
  left: string,
  right: string,
): string | { readonly why: string } {
  const order = orders.get(name);
  if (order === undefined) return { why: `${name} is not known` };
  if (form !== 'time') return `${left} ${order} ${right}`;
  const strict = order.charAt(0);
  return `${left}.second ${strict} ${right}.second || (${left}.second == ${right}.second && ${left}.nano ${order} ${right}.nano)`;
}

function timeEquals(left: string, right: string): string {
  return `${left}.second == ${right}.second && ${left}.nano == ${right}.nano`;
}

const opposite = {
  ForAnyOfAnyValues: 'ForAllOfAllValues',
  ForAllOfAllValues: 'ForAnyOfAnyValues',
  ForAllOfAnyValues: 'ForAnyOfAllValues',
  ForAnyOfAllValues: 'ForAllOfAnyValues',
} as const;

/** Each of the values on one side with each on the other. Cedar has sets, but no way to go through their members. */
function crossed(
  verb: Verb,
  quantifier: Quantifier,
  left: Side,
  right: Side,
): string | { readonly why: string } {
  if (left.written && right.written) return expanded(verb, quantifier, left.written, right.written);
  if (verb.name !== 'Equals') return { why: 'Cedar goes through no set to compare its members one by one' };
  if (!verb.negated) return equals(quantifier, left, right, verb.form);
  const test = equals(opposite[quantifier], left, right, verb.form);
  return typeof test === 'string' ? not(test) : test;
}

function equals(
  quantifier: Quantifier,
  left: Side,
  right: Side,
  form: Verb['form'],
): string | { readonly why: string } {
  const only = (side: Side): string | null =>
    side.written?.length === 1 ? valueText(side.written[0] ?? '', form) : null;
  switch (quantifier) {
    case 'ForAnyOfAnyValues':
      return `${left.path}.containsAny(${right.path})`;
    case 'ForAllOfAnyValues':
      return `${right.path}.containsAll(${left.path})`;
    case 'ForAnyOfAllValues': {
      if (left.written)
        return anyOf(left.written.map((value) => `${right.path} == ${setText([value], form)}`));
      if (!right.written) return { why: 'Cedar cannot tell whether a set has one member only' };
      const value = only(right);
      return value === null ? 'false' : `${left.path}.contains(${value})`;
    }
    case 'ForAllOfAllValues': {
      const written = left.written ? left : right;
      if (!written.written) return { why: 'Cedar cannot tell whether a set has one member only' };
      const value = only(written);
      return value === null ? 'false' : `${left.path} == ${right.path}`;
    }
  }
}

function expanded(
  verb: Verb,
  quantifier: Quantifier,
  lefts: readonly Scalar[],
  rights: readonly Scalar[],
): string | { readonly why: string } {
  const side = (value: Scalar): Side => ({
    guard: 'true',
    path: valueText(value, verb.form),
    written: [value],
  });
  const rows: string[] = [];
  for (const a of lefts) {
    const row: string[] = [];
    for (const b of rights) {
      const test = one(verb, side(a), side(b));
      if (typeof test !== 'string') return test;
      row.push(test);
    }
    rows.push(quantifier.endsWith('OfAllValues') ? allOf(row) : anyOf(row));
  }
  return quantifier.startsWith('ForAll') ? allOf(rows) : anyOf(rows);
}

function setText(values: readonly Scalar[], form: Verb['form']): string {
  return `[${values.map((value) => valueText(value, form)).join(', ')}]`;
}

function valueText(value: Scalar, form: Verb['form']): string {
  if (form === 'number' || form === 'boolean') return String(value);
  if (form !== 'time') return cedarString(String(value));
  const { second, nano } = cedarTime(String(value));
  return `{second: ${second}, nano: ${nano}}`;
}

/** Texts, and null for each run of any characters; null if there is a `?`. */
function patternParts(pattern: string): (string | null)[] | null {
  const parts: (string | null)[] = [];
  let text = '';
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern.charAt(i);
    if (char === '?') return null;
    if (char === '*') {
      parts.push(text, null);
      text = '';
    } else text += char === '\\' && i + 1 < pattern.length ? pattern.charAt(++i) : char;
  }
  return [...parts, text];
}
