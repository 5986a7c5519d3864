import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../../policy/testing/runs.ts';
import { readJson, type JsonNode } from './json-text.ts';

/** What a node says of its text, read with the reader that everybody has. */
function valueOf(node: JsonNode, text: string): unknown {
  switch (node.kind) {
    case 'object':
      return Object.fromEntries([...node.members].map(([name, one]) => [name, valueOf(one, text)]));
    case 'array':
      return node.items.map((item) => valueOf(item, text));
    case 'string':
      return node.value;
    case 'null':
      return null;
    case 'other':
      return JSON.parse(text.slice(node.start, node.end));
  }
}

describe('a JSON text', () => {
  it('has the values that it has for everybody, each where it stands', () => {
    const blanks = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), blanks, fc.boolean(), (value, blank, hasMark) => {
        const inner = JSON.stringify(value, null, blank);
        const { text, root } = readJson(Buffer.from(`${hasMark ? '\ufeff' : ''}${blank}${inner}${blank}`));
        expect(text.slice(root.start, root.end)).toBe(inner);
        expect(valueOf(root, text)).toEqual(JSON.parse(inner));
      }),
      { numRuns: runs(100) },
    );
  });

  const elements = (count: number, one: string): string => `{"a":[${`${one},`.repeat(count)}1]}`;
  const texts: readonly [string, (size: number) => string][] = [
    ['blanks', (size) => `{${' '.repeat(size)}}`],
    ['a number', (size) => `{"a":1${'1'.repeat(size)}}`],
    ['a string', (size) => `{"a":"${'x'.repeat(size)}"}`],
    ['escapes', (size) => `{"a":"${'\\n'.repeat(size / 2)}"}`],
    ['brackets', (size) => elements(size / 32, '[{}]')],
    ['strings with escapes', (size) => elements(size / 32, '"\\n"')],
    ['members', (size) => `{${Array.from({ length: size / 32 }, (_, i) => `"n${i}":1`).join(',')}}`],
  ];
  it.each(texts)('of four times as many %s takes about four times as long to read', (_, textOf) => {
    const [few = 0, many = 0] = [131_072, 524_288].map((size) => {
      const bytes = Buffer.from(textOf(size));
      return cost(() => readJson(bytes));
    });
    // Were it quadratic, it would be sixteen times.
    expect(many).toBeLessThan(8 * few + 5000);
  });
});

/** In microseconds of the processor, at best. */
function cost(work: () => unknown): number {
  const times = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return user + system;
  });
  return Math.min(...times);
}
