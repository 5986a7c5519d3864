import { z } from 'zod';
import { failure } from '../../lib/errors.ts';
import { parseExpression, type Condition } from './expression.ts';
import { isPattern, matchesPattern } from './pattern.ts';

const claimName = z.string().min(1).max(256);

/** What a federated credential demands of the claims of an outside token. */
export const federatedMatchSchema = z.discriminatedUnion('kind', [
  /** Entra's exact form: the whole `sub`, case matters. */
  z.strictObject({ kind: z.literal('subject'), subject: z.string().min(1).max(600) }),
  /** Each named claim by itself: an exact value, or a pattern with `*` and `?`. */
  z.strictObject({
    kind: z.literal('claims'),
    claims: z.record(
      claimName,
      z.union([z.string().min(1).max(600), z.strictObject({ pattern: z.string().min(1).max(512) })]),
    ),
  }),
  /** Entra's flexible form. */
  z.strictObject({
    kind: z.literal('expression'),
    value: z.string().min(1).max(4096),
    languageVersion: z.literal(1),
  }),
]);

export type FederatedMatch = z.infer<typeof federatedMatchSchema>;
export type { Condition };

/** The claims of a verified outside token. */
export type OutsideClaims = Readonly<Record<string, unknown>>;

/** One claim that did not fit, side by side. */
export interface ClaimMismatch {
  readonly claim: string;
  readonly expected: string;
  /** As presented, shortened and made printable; null when the claim is absent or not a plain value. */
  readonly presented: string | null;
}

/** The requirements behind any of the three forms. Throws `invalid_request` when there is none or one is malformed. */
export function conditionsOf(match: FederatedMatch): readonly Condition[] {
  switch (match.kind) {
    case 'subject':
      return [{ claim: 'sub', operator: 'eq', value: match.subject }];
    case 'claims': {
      const conditions = Object.entries(match.claims).map(([claim, wanted]): Condition =>
        typeof wanted === 'string'
          ? { claim, operator: 'eq', value: wanted }
          : { claim, operator: 'matches', value: wanted.pattern },
      );
      if (conditions.length === 0)
        throw failure('invalid_request', 'A federated credential names at least one claim.');
      return checked(conditions);
    }
    case 'expression':
      return checked(parseExpression(match.value));
  }
}

/** Every condition that the claims do not meet; empty means a match. */
export function mismatches(conditions: readonly Condition[], claims: OutsideClaims): ClaimMismatch[] {
  const out: ClaimMismatch[] = [];
  for (const { claim, operator, value } of conditions) {
    const presented = plainValue(claims, claim);
    const met =
      presented !== null && (operator === 'eq' ? presented === value : matchesPattern(value, presented));
    if (!met) {
      out.push({
        claim,
        expected: operator === 'eq' ? value : `pattern ${value}`,
        presented: shown(presented),
      });
    }
  }
  return out;
}

/** A claim as text: strings as they are, whole numbers and booleans as JSON prints them; nothing else matches. */
function plainValue(claims: OutsideClaims, claim: string): string | null {
  if (!Object.hasOwn(claims, claim)) return null;
  const value = claims[claim];
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value)))
    return String(value);
  return null;
}

function checked(conditions: readonly Condition[]): readonly Condition[] {
  for (const { claim, operator, value } of conditions) {
    if (operator === 'matches' && !isPattern(value))
      throw failure('invalid_request', `The pattern for claim ${claim} is empty or too long.`);
  }
  return conditions;
}

/** What an outsider sent, fit for one line of an error or a log. */
export function shown(text: string): string;
export function shown(text: string | null): string | null;
export function shown(text: string | null): string | null {
  if (text === null) return null;
  const line = text.toWellFormed().replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
