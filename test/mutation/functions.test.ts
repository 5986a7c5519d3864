import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { linesOf } from './functions.ts';
import { denyPrecedence } from './subject.ts';

const source = `export class A {
  b(): void {
    if (c()) {
      d();
    }
  }

  #b<T>(x: T): void {}

  b2(
    x: number,
  ): void {
    this.b();
  }
}

export function* c(): Generator<number> {
  yield 1;
}
`;

describe('the lines of a function', () => {
  test('go from its head to the brace that closes it', () => {
    expect(linesOf(source, 'b')).toEqual({ from: 2, to: 7 });
    expect(linesOf(source, 'b2')).toEqual({ from: 10, to: 15 });
    expect(linesOf(source, 'c')).toEqual({ from: 17, to: 20 });
  });

  test('are not guessed', () => {
    expect(() => linesOf(source, 'd')).toThrow('0 functions are named d');
    expect(() => linesOf(source + source, 'b')).toThrow('2 functions are named b');
  });

  test.each(Object.entries(denyPrecedence))(
    'of %s in which deny precedence lies are found',
    (file, names) => {
      const text = readFileSync(join(import.meta.dirname, '..', '..', file), 'utf8');
      for (const name of names) {
        const { from, to } = linesOf(text, name);
        expect(to - from).toBeGreaterThan(2);
      }
    },
  );
});
