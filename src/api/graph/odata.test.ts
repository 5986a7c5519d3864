import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LockstepError } from '../../lib/errors.ts';
import { parseFilter } from './odata.ts';

const ada = {
  id: '1',
  displayName: "Ada O'Neil",
  userPrincipalName: 'ada@example.org',
  accountEnabled: true,
  servicePrincipalNames: ['a1b2'],
};

test.each([
  ["userPrincipalName eq 'ada@example.org'", true],
  ["userPrincipalName eq 'ADA@example.org'", true],
  ["displayName eq 'Ada O''Neil'", true],
  ["displayName eq 'Ada'", false],
  ['accountEnabled eq true', true],
  ['accountEnabled eq false', false],
  ["startswith(displayName,'ada o')", true],
  ["startswith(displayName,'neil')", false],
  ["servicePrincipalNames/any(c:c eq 'A1B2')", true],
  ["userPrincipalName eq 'x' or mail eq 'x'", false],
  ["userPrincipalName eq 'x' or displayName eq 'Ada O''Neil'", true],
  ["startswith(displayName,'ada') and accountEnabled eq true", true],
])('%s is %s', (filter, matches) => {
  expect(parseFilter(filter)(ada)).toBe(matches);
});

test.each([
  '',
  'displayName',
  "displayName ne 'x'",
  "displayName eq 'x",
  "displayName eq 'x'y'",
  "displayName eq 'x' or",
  "displayName eq 'x' or displayName eq 'y' and displayName eq 'z'",
  "servicePrincipalNames/any(c:d eq 'x')",
  "not(displayName eq 'x')",
])('%j is refused rather than ignored', (filter) => {
  expect(() => parseFilter(filter)).toThrow(LockstepError);
});

test('any value, quoted as OData quotes it, finds its own resource', () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      expect(
        parseFilter(`displayName eq '${name.replaceAll("'", "''")}'`)({ id: '1', displayName: name }),
      ).toBe(true);
    }),
  );
});

test('a property that only Object has is no property of a resource', () => {
  expect(parseFilter("constructor eq 'x'")(ada)).toBe(false);
});
