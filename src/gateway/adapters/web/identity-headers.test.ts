import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PrincipalId } from '../../../lib/ids.ts';
import { identityHeaders, type IdentityFacts } from './identity-headers.ts';

const id = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa' as PrincipalId;
const groupId = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' as PrincipalId;
const ada: IdentityFacts = {
  id,
  userPrincipalName: 'ada@lab.example',
  displayName: 'Ada Lovelace',
  groups: [{ id: groupId, displayName: 'analysts' }],
};
const groupsOf = (...names: string[]) => ({
  ...ada,
  groups: names.map((displayName) => ({ id: groupId, displayName })),
});
const names = (facts: IdentityFacts) => identityHeaders({ 'x-groups': 'groupNames' }, facts)[0]?.[1];

it('holds what the configuration asks for, under its names', () => {
  expect(
    identityHeaders(
      {
        'x-webauth-user': 'userPrincipalName',
        'x-id': 'id',
        'x-name': 'displayName',
        'x-groups': 'groupNames',
        'x-group-ids': 'groupIds',
      },
      ada,
    ),
  ).toEqual([
    ['x-webauth-user', 'ada@lab.example'],
    ['x-id', id],
    ['x-name', 'Ada Lovelace'],
    ['x-groups', 'analysts'],
    ['x-group-ids', groupId],
  ]);
});

it('names a workload by its id, which it cannot choose to be somebody’s name', () => {
  const workload = { ...ada, userPrincipalName: null, displayName: 'admin@lab.example' };
  expect(identityHeaders({ 'x-webauth-user': 'userPrincipalName' }, workload)).toEqual([
    ['x-webauth-user', id],
  ]);
});

it.each([
  ['a comma', ['a,admins'], 'a%2Cadmins'],
  ['a percent sign', ['a%2Cadmins'], 'a%252Cadmins'],
  ['letters beyond ASCII', ['Café', '研究'], '%E7%A0%94%E7%A9%B6,Caf%C3%A9'],
  ['a line break', ['a\r\nx-webauth-user: root'], 'a%0D%0Ax-webauth-user: root'],
  ['letters that look like others', ['аdmins'], '%D0%B0dmins'],
  ['space around it', [' admins '], '%20admins%20'],
])('encodes %s in a name', (_what, given, told) => {
  expect(names(groupsOf(...given))).toBe(told);
});

it('reads back as exactly the groups that there are, whatever they are called', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1, unit: 'grapheme' }), { maxLength: 20 }), (given) => {
      const told = names(groupsOf(...given)) ?? '';
      expect(told).toMatch(/^([!-~]([ -~]*[!-~])?)?$/);
      const read = told === '' ? [] : told.split(',').map((part) => decodeURIComponent(part));
      expect(read.sort()).toEqual([...given].sort());
    }),
  );
});

it('refuses where the groups are not known, and where they do not fit, never telling of some', () => {
  expect(() => names({ ...ada, groups: null })).toThrow(expect.objectContaining({ code: 'access_denied' }));
  const many = Array.from({ length: 500 }, (_, i) => `group number ${String(i).padStart(8, '0')}`);
  expect(() => names(groupsOf(...many))).toThrow(/500 groups/);
  expect(() => identityHeaders({ 'x-webauth-user': 'id' }, { ...ada, groups: null })).not.toThrow();
});
