import { expect, test } from 'vitest';
import { z } from 'zod';
import { processorMilliseconds } from '../../lib/testing/processor-time.ts';
import { parseJson } from './parse-body.ts';

const nested = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth));

test('a body that nests without end is refused before anything walks it', () => {
  expect(() => parseJson(nested(200_000), z.unknown())).toThrow(/not valid JSON/);
  expect(() => parseJson(nested(201), z.unknown())).toThrow(/not valid JSON/);
  expect(parseJson(nested(200), z.unknown())).toBeInstanceOf(Array);
});

test('brackets within strings do not count, and a string may hold quotes', () => {
  const text = `${'['.repeat(500)}"\\${'{'.repeat(500)}`;
  expect(parseJson(Buffer.from(JSON.stringify([text])), z.unknown())).toEqual([text]);
});

test('a string without end costs no more than its length', () => {
  const taken = processorMilliseconds(() => {
    expect(() => parseJson(Buffer.from(`"${'\\"'.repeat(500_000)}`), z.unknown())).toThrow(/not valid JSON/);
  });
  expect(taken).toBeLessThan(1000);
});
