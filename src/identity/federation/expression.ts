import { failure } from '../../lib/errors.ts';

/** One requirement on one claim. */
export interface Condition {
  readonly claim: string;
  readonly operator: 'eq' | 'matches';
  readonly value: string;
}

const token = /\s*(?:(claims\['([^'\\]{1,256})'\])|(eq|matches|and)(?![\w])|'((?:[^'\\]|''){0,512})')/y;
const longestExpression = 4096;

/**
 * Entra's flexible form, language version 1: `claims['x'] eq|matches '…' [and …]`; a quote within a value is
 * doubled. Read in one pass. Throws `invalid_request` saying where it stops making sense.
 * learn.microsoft.com/entra/workload-id/workload-identities-flexible-federated-identity-credentials
 */
export function parseExpression(text: string): Condition[] {
  if (text.length > longestExpression) throw refused(text, 0, `at most ${longestExpression} characters`);
  const conditions: Condition[] = [];
  let position = 0;
  const next = (expected: string): RegExpExecArray => {
    token.lastIndex = position;
    const found = token.exec(text);
    if (found === null) throw refused(text, position, expected);
    position = token.lastIndex;
    return found;
  };
  for (;;) {
    const claim = next("claims['name']")[2];
    if (claim === undefined) throw refused(text, position, "claims['name']");
    const operator = next('eq or matches')[3];
    if (operator !== 'eq' && operator !== 'matches') throw refused(text, position, 'eq or matches');
    const value = next('a value in single quotes')[4]?.replaceAll("''", "'");
    if (value === undefined || value === '') throw refused(text, position, 'a value in single quotes');
    conditions.push({ claim, operator, value });
    if (text.slice(position).trim() === '') return conditions;
    if (next('and')[3] !== 'and') throw refused(text, position, 'and');
  }
}

function refused(text: string, position: number, expected: string) {
  return failure(
    'invalid_request',
    `The claims matching expression is not valid near character ${Math.min(position, text.length) + 1}: expected ${expected}.`,
    { field: 'claimsMatchingExpression' },
  );
}
