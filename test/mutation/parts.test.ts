import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { counts, scoreOf, total, type Tried } from './gate.ts';
import { filesOf, filesOfPart, partFrom, sourcesOf, summed, type PartResult } from './parts.ts';
import { mutated } from './subject.ts';

const now = { 'a.ts': '1', 'a.test.ts': '2', 'runs a.test.ts': '' };
const place = { line: 1, column: 1 };
const tried = (file: string, status: string): Tried => ({
  file,
  location: { start: place, end: place },
  mutatorName: 'BooleanLiteral',
  replacement: 'true',
  status,
});
const part = (number: number, of: number, given: Partial<PartResult> = {}): PartResult => ({
  number,
  of,
  sources: now,
  files: [`${number}.ts`],
  tried: [tried(`${number}.ts`, 'Killed')],
  ...given,
});

describe('parts of a run', () => {
  test('have each file in one of them, and are about as large as each other', () => {
    const sizes = new Map(Array.from({ length: 30 }, (_, i) => [`${i}.ts`, 100 + ((i * 37) % 400)]));
    for (const of of [1, 2, 3, 7, 30, 40]) {
      const parts = Array.from({ length: of }, (_, i) => filesOfPart(sizes, { number: i + 1, of }));
      expect(parts.flat().sort()).toEqual([...sizes.keys()].sort());
      const sums = parts.map((files) => files.reduce((sum, file) => sum + (sizes.get(file) ?? 0), 0));
      expect(Math.max(...sums) - Math.min(...sums)).toBeLessThanOrEqual(Math.max(...sizes.values()));
    }
  });

  test('are asked for as 2/5', () => {
    expect(partFrom('2/5')).toEqual({ number: 2, of: 5 });
    for (const text of ['', '2', '0/5', '6/5', '2/5/1', '1/x', '-1/5', '1/100'])
      expect(() => partFrom(text)).toThrow(RangeError);
  });

  test('are a whole when all are there, of the sources of now', () => {
    const both = [part(1, 2), part(2, 2)];
    expect(summed(both, now, ['1.ts', '2.ts']).map(({ file }) => file)).toEqual(['1.ts', '2.ts']);
    // A test that was added may kill more, and none the less.
    const before = part(2, 2, { sources: { 'a.ts': '1' } });
    expect(summed([part(1, 2), before], now, ['1.ts', '2.ts'])).toHaveLength(2);
    const refused = (results: PartResult[], files = ['1.ts', '2.ts']) =>
      expect(() => summed(results, now, files));
    refused([]).toThrow('part 1 is there not at all');
    refused([part(1, 2)]).toThrow('part 2 is there not at all');
    refused([...both, part(2, 2)]).toThrow('part 2 is there twice');
    refused([...both, part(3, 3)]).toThrow('not the parts of one whole');
    const ranWith = (sources: PartResult['sources']) => refused([part(1, 2), part(2, 2, { sources })]);
    ranWith({ ...now, 'a.ts': '0' }).toThrow('part 2 was run with another a.ts');
    ranWith({ ...now, 'a.test.ts': '0' }).toThrow('part 2 was run with another a.test.ts');
    ranWith({ ...now, 'runs b.test.ts': '' }).toThrow('part 2 was run with another runs b.test.ts');
    ranWith({ 'a.test.ts': '2', 'runs a.test.ts': '' }).toThrow('part 2 was run with another a.ts');
    refused(both, ['1.ts', '2.ts', '3.ts']).toThrow('no part has tried 3.ts');
  });

  test('are made of the tests and what they import, and of nothing else of the house', () => {
    const sources = sourcesOf(join(import.meta.dirname, '..', '..'));
    const files = Object.keys(sources);
    for (const needed of [
      'runs ../../src/policy/decide.test.ts',
      'src/policy/decide.test.ts',
      'src/policy/engine/engine.ts',
      'src/policy/testing/reference-evaluator.ts',
      'test/mutation/in-process-runner.ts',
      'package-lock.json',
    ]) {
      expect(files).toContain(needed);
    }
    for (const file of filesOf(join(import.meta.dirname, '..', '..'), mutated)) expect(files).toContain(file);
    expect(files.filter((file) => /^src\/(gateway|api|cli|ledger)/.test(file))).toEqual([]);
  });
});

describe('the score', () => {
  test('counts what is killed, and what is alive for want of a test as well', () => {
    const statuses = ['Killed', 'Timeout', 'Timeout', 'Survived', 'NoCoverage', 'RuntimeError', 'Ignored'];
    const byFile = counts([...statuses.map((status) => tried('a.ts', status)), tried('b.ts', 'Killed')]);
    expect([...byFile]).toEqual([
      ['a.ts', { killed: 3, alive: 2 }],
      ['b.ts', { killed: 1, alive: 0 }],
    ]);
    expect(scoreOf({ killed: 3, alive: 2 })).toBe(60);
    expect(total(byFile)).toEqual({ killed: 4, alive: 2 });
  });

  test('is not told while some were not tried', () => {
    expect(() => counts([tried('a.ts', 'Pending')])).toThrow('neither killed nor alive');
  });
});
