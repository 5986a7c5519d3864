import type { AttributeValue } from '../../store/changes.ts';
import { compileActionPattern } from '../action-pattern.ts';
import { actionMatcher, type AskedAction } from './action-matches.ts';
import { operators, type Operator, type ValueType } from './operators.ts';
import type { AttributeSource, ConditionNode, Operand, Scalar } from './syntax.ts';
import { valueOf } from './values.ts';

/**
 * `error` where it cannot be told: an attribute is missing, empty, of another type, or has several values where one is
 * compared. It is what the rest does not outweigh: false AND error is false, true OR error is true.
 */
export type Truth = 'true' | 'false' | 'error';

/**
 * An attribute of which it is not known whether there is one, nor which: `Exists` cannot be told of it, and no operator can
 * compare it, since it is of no type.
 */
export const unknowable: AttributeValue = Object.freeze([Number.NaN]);

/** What a condition may ask. */
export interface ConditionContext extends AskedAction {
  readonly subOperation: string | null;
  /** The name as in AttributeOperand. */
  attribute(source: AttributeSource, name: string): AttributeValue | undefined;
}

export type Evaluate = (context: ConditionContext) => Truth;

/**
 * What a condition may take, in characters of one side that are looked at for each of the other: about a millisecond.
 * Who writes conditions and tells attributes must not have the decisions of everybody else wait for theirs.
 */
const mostWork = 2 ** 20;

interface Work {
  left: number;
}

type Comparison = Extract<ConditionNode, { readonly kind: 'compare' }>;

/**
 * One node as a function. Total: it never throws, whatever the context holds, and in bounded time: where comparing takes
 * too much work it cannot be told what the node is.
 */
export function evaluatorOf(node: ConditionNode): Evaluate {
  const work = { left: mostWork };
  const evaluate = within(node, work);
  return (context) => {
    work.left = mostWork;
    const truth = evaluate(context);
    return work.left < 0 ? 'error' : truth;
  };
}

function within(node: ConditionNode, work: Work): Evaluate {
  switch (node.kind) {
    case 'and':
      return every(partsWithin(node.parts, work), 'true', 'false');
    case 'or':
      return every(partsWithin(node.parts, work), 'false', 'true');
    case 'not': {
      const part = within(node.part, work);
      return (context) => opposite(part(context));
    }
    case 'action-matches': {
      const matches = actionMatcher(node.pattern);
      return (context) => (matches(context) ? 'true' : 'false');
    }
    case 'sub-operation-matches': {
      const pattern = compileActionPattern(node.name);
      return ({ subOperation }) =>
        subOperation !== null && pattern.matches(subOperation.toLowerCase()) ? 'true' : 'false';
    }
    case 'exists': {
      const { source, name } = node.attribute;
      return (context) => {
        const value = context.attribute(source, name);
        return value === unknowable ? 'error' : isPresent(value) ? 'true' : 'false';
      };
    }
    case 'compare': {
      const operator = operators.get(node.operator.toLowerCase());
      return operator ? comparison(operator, node, work) : () => 'error';
    }
  }
}

function partsWithin(parts: readonly ConditionNode[], work: Work): Evaluate[] {
  return parts.map((part) => within(part, work));
}

function opposite(truth: Truth): Truth {
  return truth === 'true' ? 'false' : truth === 'false' ? 'true' : truth;
}

/** AND is true while every part is true, OR false while every part is false; an error stays if nothing decides. */
function every(parts: readonly Evaluate[], neutral: Truth, decisive: Truth): Evaluate {
  const [first, second] = parts;
  if (first && second && parts.length === 2) {
    return (context) => {
      const a = first(context);
      if (a === decisive) return decisive;
      const b = second(context);
      return b === decisive ? decisive : a === 'error' ? a : b;
    };
  }
  return (context) => {
    let result = neutral;
    for (let i = 0; i < parts.length; i++) {
      const truth = parts[i]?.(context) ?? 'error';
      if (truth === decisive) return decisive;
      if (truth === 'error') result = 'error';
    }
    return result;
  };
}

function isPresent(value: AttributeValue | undefined): boolean {
  return value !== undefined && !(isList(value) && value.length === 0);
}

export function isList(value: AttributeValue): value is readonly string[] | readonly number[] {
  return Array.isArray(value);
}

function comparison(operator: Operator, { quantifier, left, right }: Comparison, work: Work): Evaluate {
  const [literal] = right.kind === 'literal' ? right.values : [];
  if (quantifier === null && literal !== undefined) {
    return operator.type === 'string'
      ? textWithLiteral(operator, left, literal, work)
      : valueWithLiteral(operator, left, literal);
  }
  const test = measured(testOf(operator, right), operator, work);
  if (quantifier === null) {
    const ours = readerOf(left, operator.type);
    const theirs = readerOf(right, operator.type);
    return (context) => {
      const a = ours(context);
      const b = theirs(context);
      if (a === null || b === null) return 'error';
      return test(a, b) ? 'true' : 'false';
    };
  }
  const allLeft = quantifier.startsWith('ForAll');
  const allRight = quantifier.endsWith('OfAllValues');
  return (context) => {
    const ours = several(left, context, operator.type);
    const theirs = several(right, context, operator.type);
    if (ours === null || theirs === null) return 'error';
    for (const a of ours) {
      if (holdsFor(a, theirs, allRight, test) !== allLeft) return allLeft ? 'false' : 'true';
    }
    return allLeft ? 'true' : 'false';
  };
}

/** The commonest comparisons, in as few steps as they need. */
function textWithLiteral(operator: Operator, left: Operand, literal: Scalar, work: Work): Evaluate {
  const ours = readerOf(left, 'string');
  const { compile, test } = operator;
  const holds = compile ? compile(literal) : (text: Scalar) => test(text, literal);
  const size = sizeOf(literal);
  return (context) => {
    const text = ours(context);
    if (typeof text !== 'string') return 'error';
    work.left -= (text.length + 1) * size;
    return work.left >= 0 && holds(text) ? 'true' : 'false';
  };
}

function valueWithLiteral({ type, test }: Operator, left: Operand, literal: Scalar): Evaluate {
  const ours = readerOf(left, type);
  return (context) => {
    const value = ours(context);
    return value === null ? 'error' : test(value, literal) ? 'true' : 'false';
  };
}

function holdsFor(
  left: Scalar,
  rights: readonly Scalar[],
  all: boolean,
  test: (left: Scalar, right: Scalar) => boolean,
): boolean {
  for (const right of rights) if (test(left, right) !== all) return !all;
  return all;
}

/** The same test, as long as there is work left to spend on it: a pattern may meet each of its characters with each. */
function measured(
  test: (left: Scalar, right: Scalar) => boolean,
  { compile }: Operator,
  work: Work,
): (left: Scalar, right: Scalar) => boolean {
  return (a, b) => {
    const [ours, theirs] = [sizeOf(a), sizeOf(b)];
    work.left -= compile ? ours * theirs : ours + theirs;
    return work.left >= 0 && test(a, b);
  };
}

function sizeOf(value: Scalar): number {
  return typeof value === 'string' ? value.length + 1 : 1;
}

/** Patterns that stand in the text are compiled once. */
function testOf(operator: Operator, right: Operand): (left: Scalar, right: Scalar) => boolean {
  if (!operator.compile || right.kind !== 'literal') return operator.test;
  const { compile } = operator;
  const [only, ...others] = right.values;
  if (only !== undefined && others.length === 0) return compile(only);
  const compiled = new Map(right.values.map((value) => [value, compile(value)]));
  return (a, b) => compiled.get(b)?.(a) ?? false;
}

/** How the one value of an operand is read: null when there is none, several, or one of another type. */
function readerOf(operand: Operand, type: ValueType): (context: ConditionContext) => Scalar | null {
  if (operand.kind === 'literal') {
    const value = operand.values[0] ?? null;
    return () => value;
  }
  const { source } = operand;
  const name = asPropertyName(operand.name);
  if (type === 'string') {
    return (context) => {
      const value = context.attribute(source, name);
      return typeof value === 'string' ? value : null;
    };
  }
  return (context) => {
    const value = context.attribute(source, name);
    if (type === 'number' && typeof value === 'number') return Number.isSafeInteger(value) ? value : null;
    return value === undefined || isList(value) ? null : valueOf(value, type);
  };
}

/** The same text as engines keep it that name a property: so it is found without being compared. */
function asPropertyName(name: string): string {
  return Object.keys({ [name]: true })[0] ?? name;
}

/** Null when there is no value, or one of another type. */
function several(operand: Operand, context: ConditionContext, type: ValueType): readonly Scalar[] | null {
  if (operand.kind === 'literal') return operand.values;
  const value = context.attribute(operand.source, operand.name);
  if (value === undefined) return null;
  const values: Scalar[] = [];
  for (const each of isList(value) ? value : [value]) {
    const normal = valueOf(each, type);
    if (normal === null) return null;
    values.push(normal);
  }
  return values.length === 0 ? null : values;
}
