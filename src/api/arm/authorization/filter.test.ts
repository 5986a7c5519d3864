import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { processorMilliseconds } from '../../../lib/testing/processor-time.ts';
import { LockstepError } from '../../../lib/errors.ts';
import { parseFilter } from './filter.ts';

const id = '0b1f6471-1bf0-4dda-aec3-cb9272f09590';
const all = [
  'atScope',
  'atScopeAndBelow',
  'assignedTo',
  'principalId',
  'gdprExportPrincipalId',
  'denyAssignmentName',
  'roleName',
  'type',
] as const;

describe('a filter', () => {
  test.each<[string, object]>([
    ['', {}],
    ['  ', {}],
    ['atScope()', { atScope: '' }],
    ['ATSCOPE()', { atScope: '' }],
    ['atScopeAndBelow()', { atScopeAndBelow: '' }],
    [`assignedTo('${id}')`, { assignedTo: id }],
    [`principalId eq '${id.toUpperCase()}'`, { principalId: id }],
    [`principalId eq ${id}`, { principalId: id }],
    [`gdprExportPrincipalId eq '${id}'`, { gdprExportPrincipalId: id }],
    ["denyAssignmentName eq 'It''s over'", { denyAssignmentName: "it's over" }],
    ["roleName eq 'a and b'", { roleName: 'a and b' }],
    ["type eq 'BuiltInRole'", { type: 'builtinrole' }],
    [`atScope() and assignedTo('${id}')`, { atScope: '', assignedTo: id }],
    [
      ` atScopeAndBelow()  AND  type EQ 'CustomRole' and roleName eq 'x' `,
      { atScopeAndBelow: '', type: 'customrole', roleName: 'x' },
    ],
  ])('%s is understood', (text, expected) => {
    expect(parseFilter(text, all)).toEqual(expected);
  });

  test.each([
    "principalId eq 'me'",
    'principalId ne 1',
    `principalId eq '${id}' or atScope()`,
    `principalId eq '${id}' and`,
    `and principalId eq '${id}'`,
    `principalId eq '${id}' and principalId eq '${id.replace('0b', '1b')}'`,
    `principalId('${id}')`,
    `assignedTo eq '${id}'`,
    'assignedTo()',
    "atScope('x')",
    "atScope eq 'x'",
    'atScope() atScope()',
    `not atScope()`,
    "type eq 'Owner'",
    "roleName eq 'x",
    'roleName eq x',
    "description eq 'x'",
    "constructor eq 'x'",
    "'",
    'x'.repeat(3_000),
  ])('%s is refused, with the forms that there are', (text) => {
    expect(() => parseFilter(text, all)).toThrow(LockstepError);
    expect(() => parseFilter(text, all)).toThrow(/principalId eq '\{object id\}'/);
  });

  test('that another list has is refused here', () => {
    expect(() => parseFilter("roleName eq 'x'", ['atScope', 'principalId'])).toThrow(LockstepError);
  });

  test('is read or refused, never anything else, in time that its length bounds', () => {
    const pieces = fc.constantFrom('atScope()', ' and ', "'", ' ', 'eq', 'roleName', '(', ')', id, "''", 'x');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        try {
          return typeof parseFilter(parts.join(''), all) === 'object';
        } catch (error) {
          return error instanceof LockstepError;
        }
      }),
    );
    const taken = processorMilliseconds(() => {
      expect(() => parseFilter(`roleName eq '${"''".repeat(1_000)}`, all)).toThrow(LockstepError);
    });
    expect(taken).toBeLessThan(1_000);
  });
});
