import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CliError } from '../cli-error.ts';
import { parseYaml } from './yaml.ts';

function read(text: string): unknown {
  // Mappings have no prototype; compare them as JSON.
  return JSON.parse(JSON.stringify(parseYaml(text, 'job.yml'))) as unknown;
}

function refusal(text: string): string {
  try {
    parseYaml(text, 'job.yml');
  } catch (error) {
    if (error instanceof CliError) return error.message;
    throw error;
  }
  return '';
}

test('reads a command job as az ml has it', () => {
  const job = `$schema: https://azuremlschemas.azureedge.net/latest/commandJob.schema.json
# A comment.
type: command
command: >-
  python train.py
  --data \${{inputs.data}}   # not a comment: inside a block
code: ./src
environment: azureml:sklearn@latest
compute: azureml:local
inputs:
  data:
    type: uri_file
    path: azureml:penguins:1
  rate: 0.5
  deep: true
  note: "a: b # c"   # comment
  empty:
tags: { team: 'ada''s', stage: dev }
list:
- a
- b: 1
  c: 2
-
  - nested
`;
  expect(read(job)).toEqual({
    $schema: 'https://azuremlschemas.azureedge.net/latest/commandJob.schema.json',
    type: 'command',
    command: 'python train.py --data ${{inputs.data}}   # not a comment: inside a block',
    code: './src',
    environment: 'azureml:sklearn@latest',
    compute: 'azureml:local',
    inputs: {
      data: { type: 'uri_file', path: 'azureml:penguins:1' },
      rate: 0.5,
      deep: true,
      note: 'a: b # c',
      empty: null,
    },
    tags: { team: "ada's", stage: 'dev' },
    list: ['a', { b: 1, c: 2 }, ['nested']],
  });
});

test('keeps the lines of a literal block, and its last line break unless told otherwise', () => {
  expect(read('a: |\n  one\n    two\n\n  three\nb: |-\n  x\n')).toEqual({
    a: 'one\n  two\n\nthree\n',
    b: 'x',
  });
});

test.each([
  ['a: &x 1', /line 1: .*anchors/],
  ['a: 1\na: 2', /line 2: `a` is given twice/],
  ['a:\n\tb: 1', /line 2: it is indented with a tab/],
  ['a: 1\n   b: 2', /line 2: the indentation/],
  ['a: 1\n---\nb: 2', /line 2: a file holds one document/],
  ['a: [1, [2]]', /line 1: lists and mappings within brackets/],
  ['a: [1, 2', /line 1: `\[` is not closed/],
  ['a: "\\q"', /line 1: .*is not a quoted text/],
  ['a: 1\njust words', /line 2: here stands neither/],
])('refuses what it does not read, naming the line: %j', (text, expected) => {
  expect(refusal(text)).toMatch(expected);
});

test('a key such as __proto__ is an ordinary one', () => {
  const read = parseYaml('__proto__:\n  polluted: yes', 'job.yml');
  expect(Object.keys(read as object)).toEqual(['__proto__']);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test('reads back whatever is written as quoted scalars in nested mappings and lists', () => {
  const key = fc.stringMatching(/^[a-z][a-z_]{0,8}$/).filter((name) => !/^(true|false|null)$/.test(name));
  const tree = fc.letrec<{ value: unknown; map: unknown; list: unknown }>((tie) => ({
    value: fc.oneof({ maxDepth: 3 }, fc.string(), fc.integer(), fc.boolean(), tie('map'), tie('list')),
    map: fc.dictionary(key, tie('value'), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
    list: fc.array(tie('value'), { minLength: 1, maxLength: 4 }),
  }));
  fc.assert(
    fc.property(tree.map, (value) => {
      expect(read(write(value, 0))).toEqual(value);
    }),
    { numRuns: 300 },
  );
});

test('any text is either read or refused with a sentence', () => {
  const piece = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '\n',
    '  ',
    '"',
    "'",
    '[',
    ']',
    '{',
    '}',
    ',',
    '|',
    '>',
    '#',
    '&',
    '1',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      // `refusal` passes on whatever is not a refusal.
      expect(typeof refusal(pieces.join(''))).toBe('string');
    }),
    { numRuns: 2000 },
  );
});

function write(value: unknown, indent: number): string {
  const lead = ' '.repeat(indent);
  if (Array.isArray(value)) return value.map((item) => `${lead}-${nested(item, indent)}`).join('');
  return Object.entries(value as object)
    .map(([name, item]) => `${lead}${name}:${nested(item, indent)}`)
    .join('');
}

function nested(value: unknown, indent: number): string {
  return typeof value === 'object' ? `\n${write(value, indent + 2)}` : ` ${JSON.stringify(value)}\n`;
}
