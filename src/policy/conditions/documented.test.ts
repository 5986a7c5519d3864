import { describe, expect, test } from 'vitest';
import type { AttributeValue } from '../../store/changes.ts';
import { referenceCondition } from '../testing/reference-conditions.ts';
import { compileCondition } from './compile.ts';
import type { Truth } from './evaluate.ts';
import { operators } from './operators.ts';
import { parseCondition } from './parse.ts';

/*
 * What Azure documents, form by form and example by example:
 * learn.microsoft.com/azure/role-based-access-control/conditions-format
 * learn.microsoft.com/azure/storage/blobs/storage-auth-abac-examples
 * learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples
 */
const container = 'Microsoft.Storage/storageAccounts/blobServices/containers';
const blobs = `${container}/blobs`;
const assignments = 'Microsoft.Authorization/roleAssignments';
const read = `${blobs}/read`;
const write = `${blobs}/write`;
const add = `${blobs}/add/action`;
const list = { action: read, subOperation: 'Blob.List' };
const notListing = `ActionMatches{'${read}'} AND NOT SubOperationMatches{'Blob.List'}`;
const name = `@Resource[${container}:name]`;
const path = `@Resource[${blobs}:path]`;
const tag = (key: string, source = 'Resource'): string =>
  `@${source}[${blobs}/tags:${key}<$key_case_sensitive$>]`;
const project = '@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Engineering_Project]';
const isPrivate = '@Environment[isPrivateLink]';

interface Asked {
  readonly action: string;
  readonly subOperation?: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** The engine's answer, which is also the reference's. */
function truth(text: string, { action, subOperation, attributes = {} }: Asked): Truth {
  const found = new Map(Object.entries(attributes).map(([key, value]) => [key.toLowerCase(), value]));
  const attribute = (source: string, key: string): AttributeValue | undefined =>
    found.get(`@${source}[${key}]`.toLowerCase());
  const compiled = compileCondition(text);
  if (compiled.kind === 'error') throw new Error(`${compiled.position}: ${compiled.message}`);
  const context = { action: action.toLowerCase(), subOperation: subOperation ?? null, attribute };
  const answer = compiled.condition.evaluate(context);
  expect(referenceCondition(text, context)).toBe(answer);
  return answer;
}

/** The documented layout: other actions pass, these ones only with the expression. */
function targeting(targets: readonly string[], expression: string): string {
  return `
(
 (
  ${targets.map((target) => `!(${target})`).join('\n  AND\n  ')}
 )
 OR
 (
  ${expression}
 )
)`;
}

describe('examples for blobs', () => {
  test('blobs with an index tag may be read, and everything may be listed', () => {
    const text = targeting([notListing], `${tag('Project')} StringEquals 'Cascade'`);
    const asked = (value: string): Asked => ({ action: read, attributes: { [tag('Project')]: value } });
    expect(
      [asked('Cascade'), asked('Baker'), asked('cascade'), { action: read }, list].map((it) =>
        truth(text, it),
      ),
    ).toEqual(['true', 'false', 'false', 'error', 'true']);
  });

  test('new blobs must have a tag, where they come with tags', () => {
    const tagged = "SubOperationMatches{'Blob.Write.WithTagHeaders'}";
    const text = targeting(
      [`ActionMatches{'${write}'} AND ${tagged}`, `ActionMatches{'${add}'} AND ${tagged}`],
      `${tag('Project', 'Request')} StringEquals 'Cascade'`,
    );
    const withTags = (action: string, value: string): Asked => ({
      action,
      subOperation: 'Blob.Write.WithTagHeaders',
      attributes: { [tag('Project', 'Request')]: value },
    });
    expect(truth(text, withTags(write, 'Cascade'))).toBe('true');
    expect(truth(text, withTags(add, 'Baker'))).toBe('false');
    expect(truth(text, { action: write })).toBe('true');
  });

  test('tags may have these keys only, and these values only', () => {
    const keys = `@Request[${blobs}/tags&$keys$&]`;
    const onlyKeys = `${keys} ForAllOfAnyValues:StringEquals {'Project', 'Program'}`;
    expect(truth(onlyKeys, { action: write, attributes: { [keys]: ['Project'] } })).toBe('true');
    expect(truth(onlyKeys, { action: write, attributes: { [keys]: ['Project', 'Other'] } })).toBe('false');
    const values = `${keys} ForAnyOfAnyValues:StringEquals {'Project'} AND ${tag('Project', 'Request')} ForAllOfAnyValues:StringEquals {'Cascade', 'Baker', 'Skagit'}`;
    const asked = (value: string): Asked => ({
      action: write,
      attributes: { [keys]: ['Project', 'Other'], [tag('Project', 'Request')]: value },
    });
    expect(['Baker', 'Alpine'].map((value) => truth(values, asked(value)))).toEqual(['true', 'false']);
  });

  test('reading by path, and listing by prefix, in a named container', () => {
    const prefix = `@Request[${blobs}:prefix]`;
    const text = `${targeting([notListing], `${name} StringEquals 'c' AND ${path} StringStartsWith 'readonly/'`)}
      AND ${targeting([`ActionMatches{'${read}'} AND SubOperationMatches{'Blob.List'}`], `${name} StringEquals 'c' AND ${prefix} StringStartsWith 'readonly/'`)}`;
    expect(truth(text, { action: read, attributes: { [name]: 'c', [path]: 'readonly/a' } })).toBe('true');
    expect(truth(text, { action: read, attributes: { [name]: 'c', [path]: 'a/readonly/' } })).toBe('false');
    expect(truth(text, { ...list, attributes: { [name]: 'c', [prefix]: 'readonly/' } })).toBe('true');
    expect(truth(text, { ...list, attributes: { [name]: 'c', [prefix]: '' } })).toBe('false');
    expect(truth(text, { action: write })).toBe('true');
  });

  test('a version, or whatever is current; a snapshot; a namespace with a hierarchy', () => {
    const version = `@Request[${blobs}:versionId]`;
    const current = `@Resource[${blobs}:isCurrentVersion] BoolEquals true`;
    const some = `${version} DateTimeEquals '2022-06-01T23:38:32.8883645Z' OR ${current}`;
    const at = (value: string): Asked => ({ action: read, attributes: { [version]: value } });
    expect(truth(some, at('2022-06-01T23:38:32.8883645Z'))).toBe('true');
    expect(truth(some, at('2022-06-01T23:38:32.8883646Z'))).toBe('error');
    const old = `${version} DateTimeLessThan '2022-06-01T00:00:00.0Z'`;
    expect(truth(old, at('2022-05-31T23:59:59.9999999Z'))).toBe('true');
    const snapshot = `Exists @Request[${blobs}:snapshot] OR NOT Exists ${version}`;
    expect([truth(snapshot, at('x')), truth(snapshot, { action: read })]).toEqual(['false', 'true']);
    const hierarchy = '@Resource[Microsoft.Storage/storageAccounts:isHnsEnabled]';
    expect(truth(`${hierarchy} BoolEquals true`, { action: read, attributes: { [hierarchy]: true } })).toBe(
      'true',
    );
  });

  test('security attributes with one value, and with several', () => {
    const one = `${project} StringEquals ${tag('Project')}`;
    const several = `${tag('Project')} ForAnyOfAnyValues:StringEquals ${project}`;
    const asked = (own: AttributeValue, of: string): Asked => ({
      action: read,
      attributes: { [project]: own, [tag('Project')]: of },
    });
    expect(truth(one, asked('Baker', 'Baker'))).toBe('true');
    expect(truth(one, asked(['Baker'], 'Baker'))).toBe('error');
    expect(truth(several, asked(['Baker', 'Cascade'], 'Cascade'))).toBe('true');
    expect(truth(several, asked(['Baker'], 'Cascade'))).toBe('false');
  });

  // The documentation's own table.
  test.each([
    ['high', true, 'true'],
    ['high', false, 'false'],
    ['low', true, 'true'],
    ['low', false, 'true'],
    [null, true, 'true'],
    [null, false, 'true'],
  ])('sensitivity %s by private link %s is %s', (sensitivity, byLink, expected) => {
    const level = tag('sensitivity');
    const text = targeting(
      [notListing],
      `(
        ${level} StringEquals 'high'
        AND
        ${isPrivate} BoolEquals true
       )
       OR
       ${level} StringNotEquals 'high'
       OR
       NOT Exists ${level}`,
    );
    const attributes = { [isPrivate]: byLink, ...(sensitivity !== null && { [level]: sensitivity }) };
    expect(truth(text, { action: read, attributes })).toBe(expected);
  });

  test('one container by a private endpoint only, the others by any way', () => {
    const endpoint = '@Environment[Microsoft.Network/privateEndpoints]';
    const id = '/subscriptions/0/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/e1';
    const text = targeting(
      [`ActionMatches{'${read}'}`, `ActionMatches{'${write}'}`],
      `(${name} StringEquals 'c1' AND ${endpoint} StringEqualsIgnoreCase '${id}') OR ${name} StringNotEquals 'c1'`,
    );
    const asked = (at: string, by?: string): Asked => ({
      action: write,
      attributes: { [name]: at, ...(by !== undefined && { [endpoint]: by }) },
    });
    expect(truth(text, asked('c1', id.toUpperCase()))).toBe('true');
    expect(truth(text, asked('c1', 'other'))).toBe('false');
    expect([truth(text, asked('c1')), truth(text, asked('c2'))]).toEqual(['error', 'true']);
  });

  test('from a moment on', () => {
    const text = "@Environment[UtcNow] DateTimeGreaterThan '2023-05-01T13:00:00.000Z'";
    const at = (now: string): Asked => ({ action: read, attributes: { '@Environment[UtcNow]': now } });
    expect(truth(text, at('2023-05-01T13:00:00.0000000Z'))).toBe('false');
    expect(truth(text, at('2023-05-01T13:00:00.0000001Z'))).toBe('true');
  });
});

describe('examples for whom a delegate may give roles', () => {
  const [backup, reader, owner] = [
    '5e467623-bb1f-42f4-a55d-6e525e11384b',
    'a795c7a0-d4a2-40c1-ae25-d81f01202912',
    '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
  ];
  const role = (source: string): string => `@${source}[${assignments}:RoleDefinitionId]`;
  const type = (source: string): string => `@${source}[${assignments}:PrincipalType]`;
  const both = (expression: (source: string) => string): string =>
    `${targeting([`ActionMatches{'${assignments}/write'}`], expression('Request'))}
AND
${targeting([`ActionMatches{'${assignments}/delete'}`], expression('Resource'))}`;
  const asked = (verb: 'write' | 'delete', given: string, kind: string): Asked => {
    const source = verb === 'write' ? 'Request' : 'Resource';
    return { action: `${assignments}/${verb}`, attributes: { [role(source)]: given, [type(source)]: kind } };
  };

  test('these roles, to these kinds of principals', () => {
    const text = both(
      (source) => `${role(source)} ForAnyOfAnyValues:GuidEquals {${backup}, ${reader}}
       AND
       ${type(source)} ForAnyOfAnyValues:StringEqualsIgnoreCase {'User', 'Group'}`,
    );
    expect(truth(text, asked('write', backup.toUpperCase(), 'user'))).toBe('true');
    expect(truth(text, asked('delete', reader, 'Group'))).toBe('true');
    expect(truth(text, asked('delete', owner, 'Group'))).toBe('false');
    expect(truth(text, asked('write', reader, 'ServicePrincipal'))).toBe('false');
    expect(truth(text, { action: `${assignments}/write` })).toBe('error');
  });

  test('every role but those that let others give roles', () => {
    const text = both((source) => `${role(source)} ForAnyOfAllValues:GuidNotEquals {${owner}, ${reader}}`);
    expect(truth(text, asked('write', backup, 'User'))).toBe('true');
    expect(truth(text, asked('write', owner, 'User'))).toBe('false');
    expect(truth(text, asked('delete', reader, 'User'))).toBe('false');
  });
});

describe('forms', () => {
  const documented = [
    ...['Bool', 'Guid', 'Numeric', 'DateTime'].flatMap((of) => [`${of}Equals`, `${of}NotEquals`]),
    ...['Equals', 'StartsWith', 'Like'].flatMap((verb) =>
      ['', 'Not'].flatMap((not) => ['', 'IgnoreCase'].map((ignore) => `String${not}${verb}${ignore}`)),
    ),
    ...['Numeric', 'DateTime'].flatMap((of) =>
      ['LessThan', 'LessThanEquals', 'GreaterThan', 'GreaterThanEquals'].map((verb) => of + verb),
    ),
  ];
  const crossed = documented.filter((operator) =>
    /^(?:Numeric|Guid|String(?:Not)?(?:Equals|Like))/.test(operator),
  );

  test('there are exactly the documented operators, and their quantified forms', () => {
    expect([...operators.values()].map((it) => it.name).sort()).toEqual([...documented].sort());
    const quantified = [...operators.values()].filter((it) => it.quantified).map((it) => it.name);
    expect(quantified.sort()).toEqual([...crossed].sort());
  });

  test.each([
    ["@Resource[a] ForAnyOfAnyValues:StringStartsWith {'x'}", 'takes no ForAnyOfAnyValues'],
    ["@Resource[a] ForAllOfAllValues:DateTimeEquals {'2026-01-01T00:00:00Z'}", 'takes no ForAllOfAllValues'],
    ["@Resource[a] StringEquals 'x' // why", 'no meaning'],
    ['@Resource[a] StringEquals "x"', 'straight quotes'],
    ['@Resource[a] null', 'no operator'],
    ['a AND b OR c'.replaceAll(/[abc]/g, 'Exists @Resource[$&]'), 'parentheses'],
    ['@Resource[a] StringEquals {}', 'value'],
    ["ActionMatches{'a', 'b'}", "'}' should be"],
    ["Exists 'x'", '@Resource'],
  ])('%s is refused', (text, message) => {
    const parsed = parseCondition(text);
    expect(parsed.kind === 'error' && parsed.message).toContain(message);
  });

  test.each([
    "!(ActionMatches{'x'})||Exists @Resource[a]",
    'NOT NOT !Exists @Resource[a] && ((Exists @Resource[b])) AND (((!(Exists @Resource[c]))))',
    'not(exists @resource[a])and(EXISTS @RESOURCE[a]or\r\n\texists @Principal[b])',
    "@Resource[a]StringEquals'it\\'s'",
    "{ 'red' , 'blue' }\nforanyofanyvalues:stringequals\n{'blue'}",
  ])('%s is a condition', (text) => {
    expect(parseCondition(text).kind).toBe('ok');
  });

  test('a suboperation is matched by a pattern, and none is matched by nothing', () => {
    const text = "SubOperationMatches{'Blob.*'}";
    expect(truth(text, list)).toBe('true');
    expect(truth(text, { action: read, subOperation: 'Queue.Peek' })).toBe('false');
    expect(truth("SubOperationMatches{'*'}", { action: read })).toBe('false');
  });

  test('a tag key counts its case whatever the key is', () => {
    const odd = '@Resource[n/tags:My tags:Key<$key_case_sensitive$>]';
    const compiled = compileCondition(`Exists ${odd}`);
    expect(compiled.kind === 'ok' && compiled.condition.attributes[0]?.name).toBe(
      'n/tags:My tags:Key<$key_case_sensitive$>',
    );
  });
});
