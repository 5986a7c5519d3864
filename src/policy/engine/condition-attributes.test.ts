import { describe, expect, test } from 'vitest';
import type { AttributeValue } from '../../store/changes.ts';
import { evaluatorOf } from '../conditions/evaluate.ts';
import type { AttributeSource } from '../conditions/syntax.ts';
import { ada, ben, group, person } from '../testing/people.ts';
import type { Access } from '../types.ts';
import { ConditionAttributes } from './condition-attributes.ts';
import { Principals } from './principals.ts';
import { ResourceTags } from './resource-tags.ts';

const principals = new Principals(
  () => 1,
  () => undefined,
);
principals.put({
  ...person(ada, 'Ada'),
  securityAttributes: { Engineering_Project: 'Blue', Engineering_Sites: ['Oslo', 'Rome'] },
});
principals.put(person(ben, 'Ben'));
const tags = new ResourceTags();
tags.put(group, { project: 'of the group' });
const attributes = new ConditionAttributes(principals, tags);

const access: Access = {
  action: 'Contoso.X/Y/Read',
  dataAction: false,
  scope: group,
  attributes: {
    request: { source: 'request', many: ['a', 'b'] },
    environment: { source: 'environment' },
    resource: { source: 'resource' },
  },
};

const security = 'microsoft.directory/customsecurityattributes/id:';

describe('what conditions find', () => {
  test.each<[string, AttributeSource, string, AttributeValue | undefined]>([
    ['of the request', 'request', 'source', 'request'],
    ['of the request, several', 'request', 'many', ['a', 'b']],
    ['of the environment', 'environment', 'source', 'environment'],
    ['of the resource', 'resource', 'source', 'resource'],
    ['of the resource, by its tags', 'resource', 'n/t/tags:project', 'of the group'],
    ['of who asks', 'principal', `${security}engineering_project`, 'Blue'],
    ['of who asks, several', 'principal', `${security}engineering_sites`, ['Oslo', 'Rome']],
    ['of who asks, nothing by another name', 'principal', `${security}engineering_other`, undefined],
    ['of who asks, nothing that is no security attribute', 'principal', 'engineering_project', undefined],
    [
      'of who asks, nothing beneath another name',
      'principal',
      'microsoft.directory/customsecurityattributes/xx:engineering_project',
      undefined,
    ],
  ])('%s', (_, source, name, value) => {
    expect(attributes.find(principals.index(ada), access, source, name)).toEqual(value);
  });

  test('of who has no attributes, or is nobody, is nothing', () => {
    for (const principal of [principals.index(ben), 99, -1])
      expect(attributes.find(principal, access, 'principal', `${security}engineering_project`)).toBe(
        undefined,
      );
  });

  test.each<AttributeSource>(['request', 'environment', 'resource'])(
    'of a %s without any, or of none, is nothing',
    (source) => {
      const bare = { action: 'a', dataAction: false, scope: '/' };
      for (const asked of [null, bare, { ...bare, attributes: {} }])
        expect(attributes.find(principals.index(ada), asked, source, 'source')).toBe(undefined);
    },
  );

  test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'is nothing that every object inherits: %s',
    (name) => {
      for (const source of ['request', 'environment', 'resource'] as const)
        expect(attributes.find(principals.index(ada), access, source, name)).toBe(undefined);
    },
  );

  test('for one access at any time, whose action is in lower case', () => {
    const context = attributes.contextFor(principals.index(ada), access);
    expect([context.action, context.subOperation]).toEqual(['contoso.x/y/read', null]);
    expect(context.attribute('principal', `${security}engineering_project`)).toBe('Blue');
    expect(context.attribute('request', 'source')).toBe('request');
    const within = attributes.contextFor(principals.index(ada), { ...access, subOperation: 'Blob.List' });
    expect(within.subOperation).toBe('Blob.List');
  });
});

test('an attribute without any value does not exist', () => {
  const exists = evaluatorOf({
    kind: 'exists',
    start: 0,
    end: 0,
    attribute: { kind: 'attribute', source: 'request', name: 'x' },
  });
  const of = (x: AttributeValue | undefined) =>
    exists({ action: 'a', subOperation: null, attribute: () => x });
  expect([undefined, [], ['a'], [0], 'a', '', 0, false].map((x) => of(x as AttributeValue))).toEqual([
    'false',
    'false',
    'true',
    'true',
    'true',
    'true',
    'true',
    'true',
  ]);
});
