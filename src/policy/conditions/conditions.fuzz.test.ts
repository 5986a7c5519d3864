import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conditions, wellFormedConditions } from '../testing/condition-texts.ts';
import { growth } from '../testing/growth.ts';
import { referenceCondition } from '../testing/reference-conditions.ts';
import { runs } from '../testing/runs.ts';
import { compileCondition } from './compile.ts';
import { compileLike } from './like.ts';
import { parseCondition } from './parse.ts';
import { printCondition } from './print.ts';
import type { ConditionNode } from './syntax.ts';

const context = { action: 'n/t/read', subOperation: null, attribute: () => undefined };
const bytes = fc.string({ unit: 'binary', maxLength: 300 });
/** A condition with some of its text cut out, doubled, or replaced by anything. */
const damaged = fc
  .tuple(
    wellFormedConditions,
    fc.nat(),
    fc.nat({ max: 40 }),
    fc.oneof(bytes, fc.constantFrom('', '(', "'", '\\', '{', '@', ']', '\0', ' OR ')),
  )
  .map(([text, at, length, put]) => {
    const start = at % (text.length + 1);
    return text.slice(0, start) + put + text.slice(start + length);
  });
const seed = 20_261_125;

describe('whatever the text', () => {
  test('it is a condition that is true, false or an error, or is refused at a place in it with a reason', () => {
    fc.assert(
      fc.property(fc.oneof(bytes, damaged, conditions), (text) => {
        const compiled = compileCondition(text);
        if (compiled.kind === 'ok') {
          expect(['true', 'false', 'error']).toContain(compiled.condition.evaluate(context));
          compiled.condition.explain(context);
          return;
        }
        expect(compiled.message).not.toBe('');
        expect(compiled.position).toBeGreaterThanOrEqual(0);
        expect(compiled.position).toBeLessThanOrEqual(text.length);
      }),
      { seed, numRuns: runs(3_000) },
    );
  });

  test('the engine and the reference read the same of a damaged one', () => {
    fc.assert(
      fc.property(damaged, (text) => {
        const compiled = compileCondition(text);
        const ours = compiled.kind === 'ok' ? compiled.condition.evaluate(context) : 'error';
        expect(referenceCondition(text, context)).toBe(ours);
      }),
      { seed, numRuns: runs(2_000) },
    );
  });
});

test('what is printed is read as the same tree', () => {
  fc.assert(
    fc.property(wellFormedConditions, (text) => {
      const parsed = parseCondition(text);
      if (parsed.kind === 'error') throw new Error(`${parsed.position}: ${parsed.message}`);
      const again = parseCondition(printCondition(parsed.condition));
      expect(again.kind === 'ok' && withoutSpans(again.condition)).toEqual(withoutSpans(parsed.condition));
    }),
    { seed, numRuns: runs(1_000) },
  );
});

describe('time grows with the text, not faster', () => {
  test.each<[string, (size: number) => string]>([
    ['tokens', (size) => '(! '.repeat(size)],
    ['an unclosed text', (size) => `@Resource[a] StringEquals '${"\\'".repeat(size)}`],
    ['an unclosed attribute', (size) => `@Resource[${'@Resource['.repeat(size / 4)}`],
    ['spaces', (size) => `Exists${' '.repeat(size * 4)}`],
    ['tags in a name', (size) => `Exists @Resource[${'/tags:'.repeat(size)}<$key_case_sensitive$]`],
    ['a long set', (size) => `{${'1,'.repeat(size)}1} ForAnyOfAnyValues:NumericEquals {1}`],
    ['many parts', (size) => `Exists @Resource[a]${' OR Exists @Resource[a]'.repeat(size / 20)}`],
  ])('%s', (_of, text) => {
    expect(growth((size) => parseCondition(text(size)), 160)).toBeLessThan(40);
  });

  test('of a value that meets a pattern of many stars, by no more than the product', () => {
    const like = compileLike(`${'*a'.repeat(20)}b`);
    expect(growth((size) => like('a'.repeat(size)), 2_000)).toBeLessThan(40);
  });
});

function withoutSpans(node: ConditionNode): unknown {
  return JSON.parse(
    JSON.stringify(node, (key, value: unknown) => (key === 'start' || key === 'end' ? undefined : value)),
  );
}
