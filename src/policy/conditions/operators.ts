import { compileLike } from './like.ts';
import type { Scalar } from './syntax.ts';

export type ValueType = 'string' | 'number' | 'boolean' | 'time' | 'guid';

/** Compares one value with one other, both normalised to the operator's type; null never reaches it. */
export type Test = (left: Scalar, right: Scalar) => boolean;

export interface Operator {
  readonly name: string;
  readonly type: ValueType;
  readonly test: Test;
  /** For a right side that is known beforehand: the same, compiled. */
  readonly compile?: (right: Scalar) => (left: Scalar) => boolean;
  readonly quantified: boolean;
}

/** learn.microsoft.com/azure/role-based-access-control/conditions-format#operators, by name in lower case. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  [
    ...strings(),
    ...ordered('Numeric', 'number', true),
    ...ordered('DateTime', 'time', false),
    ...guids(),
    ...booleans(),
  ].map((operator) => [operator.name.toLowerCase(), operator]),
);

function* strings(): Generator<Operator> {
  const tests = {
    Equals: (left: string, right: string) => left === right,
    StartsWith: (left: string, right: string) => left.startsWith(right),
  };
  for (const ignoreCase of [false, true]) {
    const fold = (value: Scalar): string => (ignoreCase ? String(value).toLowerCase() : String(value));
    const suffix = ignoreCase ? 'IgnoreCase' : '';
    for (const negated of [false, true]) {
      const not = negated ? 'Not' : '';
      for (const [verb, test] of Object.entries(tests)) {
        const compile = (right: Scalar): ((left: Scalar) => boolean) => {
          const wanted = fold(right);
          if (ignoreCase) return (left) => test(fold(left), wanted) !== negated;
          return (left) => typeof left === 'string' && test(left, wanted) !== negated;
        };
        yield {
          name: `String${not}${verb}${suffix}`,
          type: 'string',
          compile,
          // The documentation lists no quantified form of StringStartsWith.
          quantified: verb === 'Equals',
          test: (left, right) => compile(right)(left),
        };
      }
      const compile = (right: Scalar): ((left: Scalar) => boolean) => {
        const like = compileLike(fold(right));
        return (left) => like(fold(left)) !== negated;
      };
      yield {
        name: `String${not}Like${suffix}`,
        type: 'string',
        quantified: true,
        compile,
        test: (left, right) => compile(right)(left),
      };
    }
  }
}

function* ordered(prefix: string, type: 'number' | 'time', quantified: boolean): Generator<Operator> {
  const tests: Readonly<Record<string, Test>> = {
    Equals: (left, right) => left === right,
    NotEquals: (left, right) => left !== right,
    LessThan: (left, right) => left < right,
    LessThanEquals: (left, right) => left <= right,
    GreaterThan: (left, right) => left > right,
    GreaterThanEquals: (left, right) => left >= right,
  };
  for (const [verb, test] of Object.entries(tests)) yield { name: prefix + verb, type, test, quantified };
}

function* guids(): Generator<Operator> {
  yield { name: 'GuidEquals', type: 'guid', quantified: true, test: (left, right) => left === right };
  yield { name: 'GuidNotEquals', type: 'guid', quantified: true, test: (left, right) => left !== right };
}

function* booleans(): Generator<Operator> {
  yield { name: 'BoolEquals', type: 'boolean', quantified: false, test: (left, right) => left === right };
  yield { name: 'BoolNotEquals', type: 'boolean', quantified: false, test: (left, right) => left !== right };
}
