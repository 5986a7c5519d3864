import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { processorMilliseconds } from '../../lib/testing/processor-time.ts';
import { parseExpression } from './expression.ts';
import { lintConditions } from './lint.ts';
import { conditionsOf, mismatches, type FederatedMatch } from './match.ts';
import { matchesPattern } from './pattern.ts';

const alphabet = fc.constantFrom('a', 'b', '/', ':', 'é', '\u{1f427}');
const text = fc.array(alphabet, { maxLength: 12 }).map((parts) => parts.join(''));
const pattern = fc
  .array(fc.oneof(alphabet, fc.constantFrom('*', '?')), { minLength: 1, maxLength: 8 })
  .map((p) => p.join(''));

/** The plainest meaning: a regular expression over UTF-16 units. */
function plainly(glob: string, subject: string): boolean {
  const source = glob
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', String.raw`[\s\S]*`)
    .replaceAll('?', String.raw`[\s\S]`);
  return new RegExp(`^${source}$`).test(subject);
}

test('a pattern means what the plain reading of it means', () => {
  fc.assert(
    fc.property(pattern, text, (glob, subject) => {
      expect(matchesPattern(glob, subject)).toBe(plainly(glob, subject));
    }),
    { numRuns: 5000 },
  );
});

test('a text matches itself, and any cut of it replaced by a star', () => {
  fc.assert(
    fc.property(
      text.filter((value) => value !== ''),
      fc.nat(12),
      fc.nat(12),
      (subject, from, to) => {
        const [start, end] = [
          Math.min(from, to, subject.length),
          Math.min(Math.max(from, to), subject.length),
        ];
        expect(matchesPattern(subject, subject)).toBe(true);
        expect(matchesPattern(`${subject.slice(0, start)}*${subject.slice(end)}`, subject)).toBe(true);
      },
    ),
  );
});

test('no pattern makes a match slow', () => {
  const taken = processorMilliseconds(() => {
    matchesPattern('*a'.repeat(255) + 'b', 'a'.repeat(4096));
    matchesPattern('a*'.repeat(250) + '?b', 'a'.repeat(4096));
  });
  expect(taken).toBeLessThan(500);
});

test('an endless text or pattern does not match at all', () => {
  expect(matchesPattern('*', 'a'.repeat(4097))).toBe(false);
  expect(matchesPattern('*'.repeat(513), 'a')).toBe(false);
  expect(matchesPattern('', '')).toBe(false);
});

test('reads Entra’s expressions', () => {
  expect(
    parseExpression(
      "claims['sub'] matches 'repo:contoso/*:ref:refs/heads/*' and claims['job_workflow_ref'] eq 'it''s'",
    ),
  ).toEqual([
    { claim: 'sub', operator: 'matches', value: 'repo:contoso/*:ref:refs/heads/*' },
    { claim: 'job_workflow_ref', operator: 'eq', value: "it's" },
  ]);
});

test('an expression that was written is read back', () => {
  const name = fc.stringMatching(/^[a-z_]{1,12}$/);
  const value = fc.string({ minLength: 1, maxLength: 40 }).filter((each) => !each.includes('\\'));
  const condition = fc.record({
    claim: name,
    operator: fc.constantFrom('eq' as const, 'matches' as const),
    value,
  });
  fc.assert(
    fc.property(fc.array(condition, { minLength: 1, maxLength: 5 }), (conditions) => {
      const written = conditions
        .map((each) => `claims['${each.claim}'] ${each.operator} '${each.value.replaceAll("'", "''")}'`)
        .join(' and ');
      expect(parseExpression(written)).toEqual(conditions);
    }),
  );
});

test.each([
  '',
  "claims['sub']",
  "claims['sub'] eq",
  "claims['sub'] eq ''",
  "claims['sub'] eq 'x' and",
  "claims['sub'] eq 'x' or claims['sub'] eq 'y'",
  "claims['sub'] eq 'x' claims['sub'] eq 'y'",
  "claims['sub'] like 'x'",
  "claims['sub'] eqx 'x'",
  'claims["sub"] eq "x"',
  "claims['sub'] eq 'x",
  "claims[''] eq 'x'",
  "not claims['sub'] eq 'x'",
  "(claims['sub'] eq 'x')",
  `claims['sub'] eq '${'x'.repeat(5000)}'`,
])('refuses the expression %s', (value) => {
  expect(() => parseExpression(value)).toThrow(/not valid near|at most/);
});

const github = {
  sub: 'repo:contoso/penguins:environment:training',
  repository: 'contoso/penguins',
  repository_id: '424242',
  environment: 'training',
  run_attempt: 2,
  ref_protected: true,
  groups: ['a', 'b'],
};

function matches(match: FederatedMatch, claims: Record<string, unknown> = github): boolean {
  return mismatches(conditionsOf(match), claims).length === 0;
}

test('each form matches individual claims exactly, case included', () => {
  expect(matches({ kind: 'subject', subject: github.sub })).toBe(true);
  expect(matches({ kind: 'subject', subject: github.sub.toUpperCase() })).toBe(false);
  expect(matches({ kind: 'claims', claims: { repository_id: '424242', environment: 'training' } })).toBe(
    true,
  );
  expect(matches({ kind: 'claims', claims: { repository_id: '424242', environment: 'production' } })).toBe(
    false,
  );
  expect(matches({ kind: 'claims', claims: { repository: { pattern: 'contoso/peng*' } } })).toBe(true);
  expect(
    matches({ kind: 'expression', value: "claims['sub'] matches 'repo:contoso/*'", languageVersion: 1 }),
  ).toBe(true);
});

test('an exact value is never read as a pattern', () => {
  expect(matches({ kind: 'claims', claims: { repository: 'contoso/*' } })).toBe(false);
  expect(matches({ kind: 'claims', claims: { repository: 'contoso/*' } }, { repository: 'contoso/*' })).toBe(
    true,
  );
});

test('numbers and booleans match as JSON prints them; lists, objects and inherited names never match', () => {
  expect(matches({ kind: 'claims', claims: { run_attempt: '2', ref_protected: 'true' } })).toBe(true);
  expect(matches({ kind: 'claims', claims: { groups: 'a,b' } })).toBe(false);
  expect(matches({ kind: 'claims', claims: { groups: { pattern: '*' } } })).toBe(false);
  expect(matches({ kind: 'claims', claims: { toString: { pattern: '*' } } })).toBe(false);
  expect(matches({ kind: 'claims', claims: { missing: { pattern: '*' } } })).toBe(false);
});

test('a mismatch shows expected and presented side by side, printable and bounded', () => {
  const found = mismatches(
    conditionsOf({ kind: 'claims', claims: { environment: 'production', actor: 'ada' } }),
    {
      environment: `x\r\nset-cookie: a=b\u202e${'y'.repeat(500)}`,
    },
  );
  expect(found).toEqual([
    {
      claim: 'environment',
      expected: 'production',
      presented: expect.stringMatching(/^x\ufffd\ufffdset-cookie: a=b\ufffdy+…$/) as string,
    },
    { claim: 'actor', expected: 'ada', presented: null },
  ]);
  expect(found[0]!.presented!.length).toBeLessThan(210);
});

function lint(claims: Record<string, string | { pattern: string }>): string[] {
  return lintConditions(conditionsOf({ kind: 'claims', claims }));
}

test.each([
  ['no claim of an owner', { environment: 'production' }],
  ['a branch alone', { ref: 'refs/heads/main', ref_protected: 'true' }],
  ['everything', { sub: { pattern: '*' } }],
  ['every repository there is', { repository: { pattern: '*/penguins' } }],
  ['an owner whose name goes on', { repository: { pattern: 'contoso*' } }],
  ['every subject of a kind', { sub: { pattern: 'repo:*' } }],
  ['a subject whose owner goes on', { sub: { pattern: 'repo:contoso*' } }],
  ['one unknown character of an owner', { repository: { pattern: 'contos?/penguins' } }],
])('refuses a credential that names %s', (_what, claims) => {
  expect(() => lint(claims)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});

test('warns of what is wider than it looks, and of nothing else', () => {
  expect(lint({ repository: { pattern: 'contoso/*' } }).join(' ')).toMatch(/given up.*every repository/);
  expect(lint({ repository: 'contoso/penguins' }).join(' ')).toMatch(
    /given up.*any branch of the repository/,
  );
  expect(lint({ repository_id: '1', repository: { pattern: 'con*' }, ref: 'x' })).toEqual([
    "the pattern 'con*' for repository also fits other owners.",
  ]);
  expect(lint({ sub: { pattern: 'repo:contoso/*' } }).join(' ')).toMatch(/every repository/);
  expect(lint({ repository_id: '424242', environment: 'training' })).toEqual([]);
  expect(lint({ sub: github.sub })).toEqual([]);
  expect(lint({ sub: { pattern: 'repo:contoso/penguins:environment:t*' } })).toEqual([]);
  expect(lint({ sub: { pattern: 'system:serviceaccount:ml:*' }, environment: 'x' })).toEqual([]);
});
