import fc from 'fast-check';
import { expect, test } from 'vitest';
import { duplicateKeys } from './duplicate-keys.ts';

test.each<[string, string[]]>([
  ['{"a":1,"a":2}', ['a']],
  ['{"connections":{"x":{"kind":"web"},"y":{},"x":{"kind":"mlflow"}}}', ['connections.x']],
  ['{"list":[{"a":1},{"b":[],"b":{}}]}', ['list.1.b']],
  ['{"a":{"a":{"a":1}},"b":"a","c":["a","a"]}', []],
  [String.raw`{"a\"":1,"a\u0022":2,"b":"{\"b\":1,\"b\""}`, ['a"']],
  ['"a"', []],
])('of %s, %j stand twice', (json, expected) => {
  expect(duplicateKeys(json)).toEqual(expected);
});

test('what was written from a value has none, however it is nested', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(duplicateKeys(JSON.stringify(value))).toEqual([]);
    }),
  );
});
