import * as fc from 'fast-check';
import type { AttributeSet } from '../types.ts';

const colours = ['red', 'blue', 'RED', 'r*', ''];
const names = {
  text: ['n:kind', 'n:path'],
  number: ['n:size'],
  flag: ['n:private'],
  list: ['n:labels'],
};

/** Attributes of a request, a resource or the environment; now and then one is missing or of another type. */
export const attributeSets: fc.Arbitrary<AttributeSet> = fc.record(
  {
    'n:kind': fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...colours) },
      { weight: 1, arbitrary: fc.constant(3) },
    ),
    'n:path': fc.constantFrom('a/b', 'a/b/c', 'A/b', 'b'),
    'n:id': fc.constantFrom(
      '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
      '8E3AF657-A8FF-443C-A75C-2FE8C4BCB635',
      'b24988ac-6180-42a0-ab88-20f7382dd24c',
      'nobody',
    ),
    'n:when': fc.constantFrom(
      '2026-01-01T00:00:00Z',
      '2026-01-01T00:00:00.0000001Z',
      '2026-06-01T00:00:00.0Z',
      '2026-02-31T00:00:00Z',
    ),
    'n:size': fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 3 }) },
      { weight: 1, arbitrary: fc.constantFrom('2', 2.5) },
    ),
    'n:private': fc.boolean(),
    'n:labels': fc.subarray(['red', 'blue', 'green']),
  },
  { requiredKeys: [] },
);

/** Custom security attributes of a principal. */
export const securityAttributes: fc.Arbitrary<AttributeSet> = fc.record(
  { Eng_project: fc.constantFrom(...colours), Eng_level: fc.integer({ min: 0, max: 3 }) },
  { requiredKeys: [] },
);

export const tagSets: fc.Arbitrary<Readonly<Record<string, string>>> = fc.record(
  { project: fc.constantFrom(...colours), Stage: fc.constantFrom('red', 'blue') },
  { requiredKeys: [] },
);

const sources = fc.constantFrom('@Request', '@Resource', '@Environment', '@request');
const attributeOf = (of: readonly string[]): fc.Arbitrary<string> =>
  fc.tuple(sources, fc.constantFrom(...of)).map(([source, name]) => `${source}[${name}]`);
const principalText = fc.constantFrom(
  '@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Eng_project]',
  '@principal[microsoft.directory/customSecurityAttributes/id:eng_PROJECT]',
);
const principalNumber = fc.constant('@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Eng_level]');
const tagText = fc.constantFrom(
  '@Resource[n/t/tags:project<$key_case_sensitive$>]',
  '@Resource[tags:stage]',
  '@Resource[N/t/tags:Stage]',
);
const textAttribute = fc.oneof(attributeOf(names.text), principalText, tagText);
const text = fc.constantFrom(...colours, 'a/b', 'a/*', 'a?b', 'A/B').map((it) => `'${it}'`);
const number = fc.integer({ min: 0, max: 3 }).map(String);
const not = fc.constantFrom('', 'Not');
const ignoring = fc.constantFrom('', 'IgnoreCase');
const crossing = fc.constantFrom(
  'ForAnyOfAnyValues:',
  'ForAllOfAnyValues:',
  'ForAnyOfAllValues:',
  'ForAllOfAllValues:',
);
const listed = (one: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(one, { minLength: 1, maxLength: 3 }).map((all) => `{${all.join(', ')}}`);
const compared = (
  left: fc.Arbitrary<string>,
  operator: fc.Arbitrary<string>,
  right: fc.Arbitrary<string>,
): fc.Arbitrary<string> => fc.tuple(left, operator, right).map((parts) => parts.join(' '));

const textOperator = fc
  .tuple(not, fc.constantFrom('Equals', 'StartsWith', 'Like'), ignoring)
  .map((parts) => `String${parts.join('')}`);
const numberOperator = fc.constantFrom(
  'NumericEquals',
  'NumericNotEquals',
  'NumericLessThan',
  'NumericLessThanEquals',
  'NumericGreaterThan',
  'NumericGreaterThanEquals',
);
const crossed = fc.tuple(
  crossing,
  fc.tuple(not, fc.constantFrom('Equals', 'Like'), ignoring).map((parts) => `String${parts.join('')}`),
);
const guids = fc.constantFrom(
  '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
  "'8E3AF657-a8ff-443c-a75c-2fe8c4bcb635'",
  'b24988ac-6180-42a0-ab88-20f7382dd24c',
);
const times = fc.constantFrom("'2026-01-01T00:00:00.0000000Z'", "'2026-06-01T00:00:00.0000000Z'");
const timeOperator = fc.constantFrom(
  'DateTimeEquals',
  'DateTimeNotEquals',
  'DateTimeLessThan',
  'DateTimeGreaterThanEquals',
);

const simple: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: compared(textAttribute, textOperator, fc.oneof(text, textAttribute)) },
  {
    weight: 4,
    arbitrary: compared(
      fc.oneof(attributeOf(names.number), principalNumber),
      numberOperator,
      fc.oneof(number, principalNumber),
    ),
  },
  {
    weight: 4,
    arbitrary: compared(
      fc.oneof(attributeOf(names.list), textAttribute),
      crossed.map((parts) => parts.join('')),
      fc.oneof(listed(text), attributeOf(names.list)),
    ),
  },
  {
    weight: 2,
    arbitrary: compared(
      attributeOf(names.flag),
      not.map((it) => `Bool${it}Equals`),
      fc.constantFrom('true', 'false'),
    ),
  },
  { weight: 2, arbitrary: compared(attributeOf(['n:when', 'n:kind']), timeOperator, times) },
  {
    weight: 2,
    arbitrary: compared(
      attributeOf(['n:id', 'n:kind']),
      not.map((it) => `Guid${it}Equals`),
      guids,
    ),
  },
  {
    weight: 2,
    arbitrary: compared(
      attributeOf(['n:id', 'n:labels']),
      fc.tuple(crossing, not).map(([crossed, it]) => `${crossed}Guid${it}Equals`),
      listed(guids),
    ),
  },
  { weight: 2, arbitrary: fc.oneof(textAttribute, attributeOf(names.list)).map((it) => `Exists ${it}`) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('N/t/read', 'n/T/*', '*/write').map((it) => `ActionMatches{'${it}'}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('List', 'list', 'L*', 'Other').map((it) => `SubOperationMatches{'${it}'}`),
  },
);

const { nested } = fc.letrec<{ nested: string }>((tie) => ({
  nested: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'condition' },
    simple,
    fc.tuple(fc.constantFrom('!', 'NOT '), tie('nested')).map(([word, it]) => `${word}(${it})`),
    fc
      .tuple(
        fc.constantFrom(' AND ', ' && ', ' and '),
        fc.array(tie('nested'), { minLength: 2, maxLength: 3 }),
      )
      .map(([word, all]) => all.map((it) => `(${it})`).join(word)),
    fc
      .tuple(fc.constantFrom(' OR ', ' || ', ' or '), fc.array(tie('nested'), { minLength: 2, maxLength: 3 }))
      .map(([word, all]) => all.map((it) => `(${it})`).join(word)),
  ),
}));

/** Texts that are conditions, of every operator. */
export const wellFormedConditions: fc.Arbitrary<string> = nested;

/** Now and then one that nothing can be made of. */
export const conditions: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: simple },
  { weight: 6, arbitrary: nested },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '@Request[n:kind] StringEquals',
      'no condition',
      ' ',
      "((@Request[n:kind] StringEquals 'red')",
    ),
  },
);
