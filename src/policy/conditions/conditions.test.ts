import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AttributeValue } from '../../store/changes.ts';
import { runs } from '../testing/runs.ts';
import { compileCondition } from './compile.ts';
import type { ConditionContext, Truth } from './evaluate.ts';
import { compileLike } from './like.ts';
import { parseCondition } from './parse.ts';
import { printCondition } from './print.ts';

const blobRead = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';
const roleWrite = 'Microsoft.Authorization/roleAssignments/write';

interface Asked {
  readonly action?: string;
  readonly subOperation?: string;
  /** `@Source[name]` in the case of the condition, to a value. */
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

function contextOf({ action = blobRead, subOperation, attributes = {} }: Asked): ConditionContext {
  const found = new Map(Object.entries(attributes).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    action: action.toLowerCase(),
    subOperation: subOperation ?? null,
    attribute: (source, name) => found.get(`@${source}[${name}]`.toLowerCase()),
  };
}

function evaluate(text: string, asked: Asked = {}): Truth {
  const compiled = compileCondition(text);
  if (compiled.kind === 'error') throw new Error(`${compiled.position}: ${compiled.message}`);
  return compiled.condition.evaluate(contextOf(asked));
}

describe("the documentation's examples of operators", () => {
  test.each([
    ["ActionMatches{'Microsoft.Authorization/roleAssignments/*'}", roleWrite, 'true'],
    ["ActionMatches{'Microsoft.Authorization/roleDefinitions/*'}", roleWrite, 'false'],
  ])('%s for %s is %s', (text, action, truth) => {
    expect(evaluate(text, { action })).toBe(truth);
  });

  test.each([
    ["StringLike 'a*c?'", 'true'],
    ["StringLike 'A*C?'", 'false'],
    ["StringLikeIgnoreCase 'A*C?'", 'true'],
    ["StringLike 'a*c'", 'false'],
    ["StringNotLike 'a*c'", 'true'],
  ])('abcd %s is %s', (comparison, truth) => {
    expect(evaluate(`@Resource[name1] ${comparison}`, { attributes: { '@Resource[name1]': 'abcd' } })).toBe(
      truth,
    );
  });

  test.each([
    ["{'red', 'blue'} ForAnyOfAnyValues:StringEquals {'blue', 'green'}", 'true'],
    ["{'red', 'blue'} ForAnyOfAnyValues:StringEquals {'orange', 'green'}", 'false'],
    ["{'red', 'blue'} ForAllOfAnyValues:StringEquals {'orange', 'red', 'blue'}", 'true'],
    ["{'red', 'blue'} ForAllOfAnyValues:StringEquals {'red', 'green'}", 'false'],
    ['{10, 20} ForAnyOfAllValues:NumericLessThan {15, 18}', 'true'],
    ['{10, 20} ForAllOfAllValues:NumericLessThan {5, 15, 18}', 'false'],
    ['{10, 20} ForAllOfAllValues:NumericLessThan {25, 30}', 'true'],
    ['{10, 20} ForAllOfAllValues:NumericLessThan {15, 25, 30}', 'false'],
  ])('%s is %s', (text, truth) => {
    expect(evaluate(text)).toBe(truth);
  });

  test('one encryption scope of several', () => {
    const text = `@Resource[Microsoft.Storage/storageAccounts/encryptionScopes:name]
      ForAnyOfAnyValues:StringEquals {'validScope1', 'validScope2'}`;
    const at = (scope: string) =>
      evaluate(text, {
        attributes: { '@Resource[Microsoft.Storage/storageAccounts/encryptionScopes:name]': scope },
      });
    expect([at('validScope1'), at('validScope2'), at('other')]).toEqual(['true', 'true', 'false']);
  });
});

describe('a simple condition', () => {
  const text = `((!(ActionMatches{'${blobRead}'}))
    OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'blobs-example-container'))`;
  const name = '@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]';

  test('is true for actions that it does not target', () => {
    expect(evaluate(text, { action: 'Microsoft.Storage/storageAccounts/read' })).toBe('true');
  });

  test('is its expression for the action that it targets', () => {
    expect(evaluate(text, { attributes: { [name]: 'blobs-example-container' } })).toBe('true');
    expect(evaluate(text, { attributes: { [name]: 'another' } })).toBe('false');
    expect(evaluate(text)).toBe('error');
  });

  test('may target an action but for a suboperation', () => {
    const list = `((!(ActionMatches{'${blobRead}'} AND NOT SubOperationMatches{'Blob.List'})) OR (${name} StringEquals 'x'))`;
    expect(evaluate(list, { subOperation: 'Blob.List' })).toBe('true');
    expect(evaluate(list, { attributes: { [name]: 'y' } })).toBe('false');
  });
});

describe('delegation of role assignments', () => {
  const allowed = '5e467623-bb1f-42f4-a55d-6e525e11384b';
  const text = `((!(ActionMatches{'${roleWrite}'})) OR (
    @Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${allowed}, a795c7a0-d4a2-40c1-ae25-d81f01202912}
    AND @Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'User', 'Group'}))`;
  const asked = (role: string, type: string) =>
    evaluate(text, {
      action: roleWrite,
      attributes: {
        '@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]': role,
        '@Request[Microsoft.Authorization/roleAssignments:PrincipalType]': type,
      },
    });

  test('constrains roles and kinds of principals', () => {
    expect(asked(allowed.toUpperCase(), 'user')).toBe('true');
    expect(asked(allowed, 'ServicePrincipal')).toBe('false');
    expect(asked('8e3af657-a8ff-443c-a75c-2fe8c4bcb635', 'User')).toBe('false');
  });
});

describe('what cannot be told', () => {
  const missing = "@Resource[a] StringEquals 'x'";
  test.each([
    [missing, 'error'],
    ["@Resource[a] StringNotEquals 'x'", 'error'],
    [`!(${missing})`, 'error'],
    ['NOT Exists @Resource[a]', 'true'],
    [`NOT Exists @Resource[a] OR ${missing}`, 'true'],
    [`Exists @Resource[a] AND ${missing}`, 'false'],
    [`${missing} AND Exists @Resource[a]`, 'false'],
    [`${missing} OR Exists @Resource[a]`, 'error'],
    ["@Resource[a] ForAllOfAnyValues:StringEquals {'x'}", 'error'],
  ])('%s is %s', (text, truth) => {
    expect(evaluate(text)).toBe(truth);
  });

  test.each<[string, AttributeValue]>([
    ["@Resource[a] StringEquals 'x'", ['x']],
    ["@Resource[a] StringEquals 'x'", 1],
    ['@Resource[a] NumericEquals 1', 'one'],
    ['@Resource[a] NumericEquals 1', 1.5],
    ["@Resource[a] DateTimeEquals '2026-01-01T00:00:00Z'", '2026-02-31T00:00:00Z'],
    ['@Resource[a] GuidEquals 00000000-0000-0000-0000-000000000000', 'me'],
    ['@Resource[a] BoolEquals true', 'yes'],
    ["@Resource[a] ForAllOfAllValues:StringNotEquals {'x'}", []],
  ])('%s for %j is an error', (text, value) => {
    expect(evaluate(text, { attributes: { '@Resource[a]': value } })).toBe('error');
  });
});

describe('a comparison that takes too much work', () => {
  const text = (length: number) => 'a'.repeat(length);
  test.each([
    ["@Resource[a] StringLike '*aab*'", 150_000, 'false'],
    ["@Resource[a] StringLike '*aab*'", 300_000, 'error'],
    ["@Resource[a] StringNotLike '*aab*'", 300_000, 'error'],
    ["NOT @Resource[a] StringLike '*aab*'", 300_000, 'error'],
    ["@Resource[a] ForAnyOfAnyValues:StringLike {'*aab*', '*aac*'}", 100_000, 'error'],
    ["@Resource[a] StringEquals 'a'", 300_000, 'false'],
    ["@Resource[a] StringEquals 'a'", 1_100_000, 'error'],
  ])('%s cannot be told for %i characters', (condition, length, truth) => {
    expect(evaluate(condition, { attributes: { '@Resource[a]': text(length) } })).toBe(truth);
  });

  test('is counted anew for each decision', () => {
    const compiled = compileCondition("@Resource[a] StringLike '*aab*'");
    if (compiled.kind === 'error') throw new Error(compiled.message);
    const ask = (length: number) =>
      compiled.condition.evaluate(contextOf({ attributes: { '@Resource[a]': text(length) } }));
    expect([ask(300_000), ask(5), ask(150_000), ask(150_000)]).toEqual(['error', 'false', 'false', 'false']);
  });
});

describe('values', () => {
  const holds = (text: string, value: AttributeValue) =>
    evaluate(text, { attributes: { '@Resource[a]': value } });
  test.each<[string, AttributeValue, Truth]>([
    ['@Resource[a] NumericLessThanEquals 8', '8', 'true'],
    ['@Resource[a] NumericGreaterThan 8', 8, 'false'],
    ['@Resource[a] BoolNotEquals true', false, 'true'],
    ["@Resource[a] DateTimeLessThan '2026-01-01T00:00:00.0000002Z'", '2026-01-01T00:00:00.0000001Z', 'true'],
    ["@Resource[a] DateTimeGreaterThanEquals '2026-01-01T00:00:00.0Z'", '2026-01-01T00:00:00Z', 'true'],
    ["@Resource[a] StringNotStartsWithIgnoreCase 'AB'", 'abc', 'false'],
    ["@Resource[a] StringLike '\\*?'", '*x', 'true'],
    ["@Resource[a] StringLike '\\*?'", 'xx', 'false'],
    ["@Resource[a] StringEquals 'it\\'s'", "it's", 'true'],
  ])('%s for %j is %s', (text, value, truth) => {
    expect(holds(text, value)).toBe(truth);
  });

  test('may ask for attributes in any part, on either side', () => {
    const compiled = compileCondition(
      "!(Exists @Request[a]) AND (@Resource[b] StringEquals @Principal[Microsoft.Directory/CustomSecurityAttributes/Id:c] OR ActionMatches{'*'} OR SubOperationMatches{'x'})",
    );
    expect(
      compiled.kind === 'ok' && compiled.condition.attributes.map(({ source, name }) => [source, name]),
    ).toEqual([
      ['request', 'a'],
      ['resource', 'b'],
      ['principal', 'microsoft.directory/customsecurityattributes/id:c'],
    ]);
  });

  test('a tag key counts its case where it is marked', () => {
    const text =
      "@Resource[tags:Project<$key_case_sensitive$>] StringEquals 'x' AND @Resource[Tags:Other] StringEquals 'x'";
    const compiled = compileCondition(text);
    expect(compiled.kind === 'ok' && compiled.condition.attributes.map(({ name }) => name)).toEqual([
      'tags:Project<$key_case_sensitive$>',
      'tags:other',
    ]);
  });

  test('cross products are what their names say', () => {
    const values = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(values, values, (left, right) => {
        const set = (list: number[]) => `{${list.join()}}`;
        const ask = (name: string) =>
          evaluate(`${set(left)} ${name}:NumericLessThan ${set(right)}`) === 'true';
        expect(ask('ForAnyOfAnyValues')).toBe(left.some((a) => right.some((b) => a < b)));
        expect(ask('ForAllOfAnyValues')).toBe(left.every((a) => right.some((b) => a < b)));
        expect(ask('ForAnyOfAllValues')).toBe(left.some((a) => right.every((b) => a < b)));
        expect(ask('ForAllOfAllValues')).toBe(left.every((a) => right.every((b) => a < b)));
      }),
    );
  });
});

describe('a text that is no condition is refused', () => {
  test.each([
    ["@a[x] StringEquals 'x'", 0, '@Request, @Resource'],
    ["@Resource[x] StringEquals 'a' AND Exists @Resource[y] OR Exists @Resource[z]", 54, 'parentheses'],
    [
      "@Resource[x] StringEqual 'a'",
      13,
      'StringEqual is no operator of conditions; did you mean StringEquals?',
    ],
    ["@Resource[x] StartsWith 'a'", 13, 'did you mean StringStartsWith?'],
    ['@Resource[x] StringEquals "red"', 26, "single straight quotes, as in 'red'"],
    ['@Resource[x] StringEquals ‘red’', 26, "single straight quotes, as in 'red'"],
    ['@Resource[x] StringEquals a/b', 27, "texts are written in single quotes, as in 'red'"],
    ["@Resource[x] StringEquals {'a'}", 0, 'ForAnyOfAnyValues:StringEquals'],
    ["@Resource[x] NumericEquals '1'", 27, 'without quotes'],
    ['@Resource[x] StringEquals red', 26, 'single quotes'],
    ['@Resource[x] ForAnyOfAnyValues:BoolEquals {true}', 13, 'takes no ForAnyOfAnyValues'],
    ["@Resource[x] StringEquals 'red", 26, 'not closed'],
    ["(@Resource[x] StringEquals 'red'", 32, "')' should be"],
    ['', 0, 'the text ends'],
    ['ActionMatches{}', 14, 'single quotes'],
    ["@Resource[] StringEquals 'x'", 0, 'no name'],
    ['@Resource[x] # y', 13, 'no meaning'],
    ["@Resource[x] DateTimeEquals '2026-02-31T00:00:00Z'", 28, 'times'],
    [`${'('.repeat(70)}Exists @Resource[x]${')'.repeat(70)}`, 65, 'nested'],
    [`@Resource[x] StringEquals '${'x'.repeat(8_192)}'`, 8_192, '8192 bytes'],
  ])('%s', (text, position, message) => {
    const parsed = parseCondition(text);
    expect(parsed).toMatchObject({ kind: 'error', position });
    expect(parsed.kind === 'error' && parsed.message).toContain(message);
  });

  test('and never throws, whatever it is', () => {
    const pieces = fc.constantFrom(
      '(',
      ')',
      '{',
      '}',
      "'a'",
      'AND',
      'OR',
      '!',
      '@Resource[x]',
      'StringEquals',
      ',',
      '1',
      '\\',
      "'",
      '@',
      '[',
      'Exists',
      'ActionMatches',
    );
    const texts = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 40 }).map((list) => list.join(' ')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const compiled = compileCondition(text);
        if (compiled.kind === 'ok')
          expect(['true', 'false', 'error']).toContain(compiled.condition.evaluate(contextOf({})));
        else expect(compiled.message).not.toBe('');
      }),
      { numRuns: runs(3_000) },
    );
  });
});

const leaves = fc.constantFrom(
  "@Resource[a] StringEquals 'x'",
  "{'a', 'b'} ForAnyOfAnyValues:StringLike {'a*'}",
  'Exists @Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Engineering_Project]',
  "ActionMatches{'*/read'}",
  "SubOperationMatches{'Blob.List'}",
  "@Environment[UtcNow] DateTimeGreaterThan '2026-01-01T00:00:00.0Z'",
  '@Request[n] NumericLessThan 8',
  '@Resource[g] GuidEquals 00000000-0000-0000-0000-000000000000',
);
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4 },
    leaves,
    tie('expression').map((part) => `!(${part})`),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `(${a}) AND (${b})`),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `(${a}) || (${b})`),
  ),
}));
const present: Asked = {
  attributes: { '@Resource[a]': 'x', '@Request[n]': 9, '@Environment[UtcNow]': '2027-01-01T00:00:00.0Z' },
};

describe('laws', () => {
  test('printed and parsed again it is the same condition', () => {
    fc.assert(
      fc.property(expression, (text) => {
        const parsed = parseCondition(text);
        if (parsed.kind === 'error') throw new Error(parsed.message);
        const printed = printCondition(parsed.condition);
        const again = parseCondition(printed);
        expect(again.kind === 'ok' && printCondition(again.condition)).toBe(printed);
        expect(evaluate(printed, present)).toBe(evaluate(text, present));
      }),
    );
  });

  test('De Morgan, and double negation', () => {
    fc.assert(
      fc.property(expression, expression, (a, b) => {
        expect(evaluate(`!((${a}) AND (${b}))`, present)).toBe(evaluate(`(!(${a})) OR (!(${b}))`, present));
        expect(evaluate(`!(!(${a}))`, present)).toBe(evaluate(a, present));
      }),
    );
  });

  test('a pattern matches as its plain definition does', () => {
    const naive = (pattern: string, text: string): boolean => {
      if (pattern === '') return text === '';
      if (pattern.startsWith('*')) {
        return naive(pattern.slice(1), text) || (text !== '' && naive(pattern, text.slice(1)));
      }
      if (text === '') return false;
      return (pattern.startsWith('?') || pattern[0] === text[0]) && naive(pattern.slice(1), text.slice(1));
    };
    const texts = (chars: string, longest: number): string[] => {
      let all = [''];
      for (let i = 0; i < longest; i++)
        all = [...new Set([...all, ...all.flatMap((it) => chars.split('').map((char) => it + char))])];
      return all;
    };
    const wrong: string[] = [];
    for (const pattern of texts('ab*?', 4)) {
      const like = compileLike(pattern);
      for (const text of texts('ab', 4))
        if (like(text) !== naive(pattern, text)) wrong.push(`${pattern} ${text}`);
    }
    expect(wrong).toEqual([]);
    const small = (chars: string) => fc.string({ unit: fc.constantFrom(...chars.split('')), maxLength: 8 });
    fc.assert(
      fc.property(small('ab*?'), small('ab'), (pattern, text) => {
        expect(compileLike(pattern)(text)).toBe(naive(pattern, text));
      }),
      { numRuns: runs(2_000) },
    );
  });

  test('takes what is behind a backslash literally, and a backslash at its end as well', () => {
    const matched = (pattern: string) =>
      ['a', '*', '?', '\\', '\\a', 'a\\', '', 'aa'].filter(compileLike(pattern));
    expect(matched('\\*')).toEqual(['*']);
    expect(matched('\\?')).toEqual(['?']);
    expect(matched('\\\\')).toEqual(['\\']);
    expect(matched('\\a')).toEqual(['a']);
    expect(matched('a\\')).toEqual(['a\\']);
    expect(matched('\\')).toEqual(['\\']);
  });
});

describe('an explanation', () => {
  const text = `((!(ActionMatches{'${blobRead}'})) OR (@Resource[a] StringEquals 'x' AND @Request[n] NumericLessThan 8))`;
  const why = (asked: Asked) => {
    const compiled = compileCondition(text);
    return compiled.kind === 'ok' ? compiled.condition.explain(contextOf(asked)) : null;
  };

  test('names the part that fails, with the values that were found', () => {
    expect(why({ attributes: { '@Resource[a]': 'x', '@Request[n]': 9 } })).toEqual({
      truth: 'false',
      failing: {
        text: '@Request[n] NumericLessThan 8',
        truth: 'false',
        sides: [
          { text: '@Request[n]', value: 9 },
          { text: '8', value: 8 },
        ],
      },
    });
  });

  test('says what is missing', () => {
    expect(why({ attributes: { '@Request[n]': 3 } })).toMatchObject({
      truth: 'error',
      failing: { truth: 'error', sides: [{ text: '@Resource[a]', value: null }, { value: 'x' }] },
    });
  });

  test('is short where it is true', () => {
    expect(why({ action: roleWrite })).toEqual({ truth: 'true', failing: null });
  });
});
