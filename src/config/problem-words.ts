import type { z } from 'zod';

/** What is said of a wrong value where its schema has no words of its own. */
export function wordsFor(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is missing.'
        : `must be ${nameOf(issue.expected)}, not ${kindOf(issue.input)}.`;
    case 'invalid_value':
      return `must be ${oneOf(issue.values.map(String))}.`;
    case 'invalid_union':
      return Array.isArray(issue.options) ? `must be ${oneOf(issue.options.map(String))}.` : undefined;
    case 'invalid_format':
      return typeof issue['prefix'] === 'string' ? `must begin with \`${issue['prefix']}\`.` : undefined;
    case 'too_small':
      return issue.inclusive === false
        ? `must be more than ${issue.minimum}.`
        : `must ${bound(issue.origin, 'least', issue.minimum)}.`;
    case 'too_big':
      return `must ${bound(issue.origin, 'most', issue.maximum)}.`;
    default:
      return undefined;
  }
}

function bound(origin: string, side: 'least' | 'most', amount: number | bigint): string {
  if (origin === 'string') return `have at ${side} ${amount} ${amount === 1 ? 'character' : 'characters'}`;
  if (origin === 'array') return `have at ${side} ${amount} ${amount === 1 ? 'entry' : 'entries'}`;
  return `be at ${side} ${amount}`;
}

const names: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: '`true` or `false`',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

function nameOf(expected: string): string {
  return names[expected] ?? expected;
}

function kindOf(input: unknown): string {
  if (input === null) return '`null`';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'boolean') return `\`${input}\``;
  if (typeof input === 'number' && !Number.isInteger(input)) return 'a fraction';
  return nameOf(typeof input);
}

function oneOf(values: readonly string[]): string {
  const named = values.map((value) => `\`${value}\``).join(', ');
  return values.length === 1 ? named : `one of ${named}`;
}
