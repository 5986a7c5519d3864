import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseCondition } from '../policy/conditions/parse.ts';
import { attributeNames, inAccess, type AttributeName } from './attribute-names.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/reference/attributes.md'), 'utf8');

test('the reference names every attribute, and no other', () => {
  const documented = Array.from(page.matchAll(/^\| `(@[^`]+\])` +\|/gm), ([, name]) => name);
  const own = documented.filter((name) => !name?.includes('{') && !name?.includes('tags:'));
  expect(new Set(own)).toEqual(new Set(Object.keys(attributeNames)));
  expect(own).toHaveLength(Object.keys(attributeNames).length);
});

test('every attribute can be written in a condition, and is found under the name of its access', () => {
  for (const name of Object.keys(attributeNames) as AttributeName[]) {
    const parsed = parseCondition(`Exists ${name}`);
    expect(parsed).toMatchObject({ kind: 'ok', condition: { attribute: { name: inAccess(name) } } });
  }
});
