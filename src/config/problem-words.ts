import type { z } from 'zod';

/** What is said of a wrong value where its schema has no words of its own; undefined for zod's. */
export function wordsFor(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type' && issue.input === undefined) return 'is missing.';
  if (issue.code === 'invalid_value') return `must be ${oneOf(issue.values.map(String))}.`;
  if (issue.code === 'invalid_union' && Array.isArray(issue.options)) {
    return `must be ${oneOf(issue.options.map(String))}.`;
  }
  if (issue.code === 'too_small' && issue.origin === 'number') return `must be at least ${issue.minimum}.`;
  if (issue.code === 'too_big' && issue.origin === 'number') return `must be at most ${issue.maximum}.`;
  return undefined;
}

function oneOf(values: readonly string[]): string {
  const named = values.map((value) => `\`${value}\``).join(', ');
  return values.length === 1 ? named : `one of ${named}`;
}
