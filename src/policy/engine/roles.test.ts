import { describe, expect, test } from 'vitest';
import type { Permission } from '../../store/changes.ts';
import { enginePartsOf } from '../testing/engine-parts.ts';
import { rows } from '../testing/people.ts';
import { roleDefinition } from '../testing/world.ts';
import { absent, conditional, contained } from './memberships.ts';

const nothing: Permission = { actions: [], notActions: [], dataActions: [], notDataActions: [] };
const parts = () => enginePartsOf({ ...rows, roleDefinitions: [], roleAssignments: [], denyAssignments: [] });

describe('what deny assignments deny', () => {
  test('shares a column exactly where it is the same in every part', () => {
    const { roles } = parts();
    const all: (readonly Permission[])[] = [
      [],
      [nothing],
      [nothing, nothing],
      [{ ...nothing, actions: ['a'] }],
      [{ ...nothing, actions: ['a', 'b'] }],
      [{ ...nothing, actions: ['a,b'] }],
      [{ ...nothing, notActions: ['a'] }],
      [{ ...nothing, dataActions: ['a'] }],
      [{ ...nothing, notDataActions: ['a'] }],
      [{ ...nothing, actions: ['a'], condition: 'Exists @Request[x]' }],
      [{ ...nothing, actions: ['a'], condition: 'Exists @Request[y]' }],
      [{ ...nothing, actions: ['a'] }, nothing],
      [nothing, { ...nothing, actions: ['a'] }],
    ];
    const columns = all.map((permissions) => roles.deny(permissions));
    expect(new Set(columns).size).toBe(all.length);
    expect(all.map((permissions) => roles.deny(structuredClone(permissions)))).toEqual(columns);
    // No condition is no condition, however it is written.
    expect(roles.deny([{ ...nothing, actions: ['a'], condition: null }])).toBe(columns[3]);
    expect(roles.deny([{ ...nothing, actions: ['a'], condition: '' }])).toBe(columns[3]);
  });

  test('is there as long as somebody needs it, and leaves nothing in its column', () => {
    const { roles, denied, actions } = parts();
    const [a, b] = [actions.keep('a', false), actions.number('b', false)];
    const first = roles.deny([{ ...nothing, actions: ['a'] }]);
    expect(roles.deny([{ ...nothing, actions: ['a'] }])).toBe(first);
    roles.release(first);
    expect([denied.bits(a, first), denied.bits(b, first)]).toEqual([contained, absent]);
    expect(roles.permissions(first, true)).not.toBeNull();
    roles.release(first);
    expect([denied.bits(a, first), denied.bits(b, first)]).toEqual([absent, absent]);
    expect(roles.permissions(first, true)).toBeNull();
    // Once too often does no harm.
    roles.release(first);
    const second = roles.deny([{ ...nothing, actions: ['b'], condition: 'Exists @Request[x]' }]);
    expect(second).toBe(first);
    expect([denied.bits(a, second), denied.bits(b, second)]).toEqual([absent, conditional]);
    const third = roles.deny([{ ...nothing, actions: ['a'] }]);
    expect(third).not.toBe(second);
    expect([denied.bits(a, third), denied.bits(b, third)]).toEqual([contained, absent]);
  });
});

describe('a role', () => {
  test('keeps its place while it is unknown, and contains nothing then', () => {
    const { roles, granted, actions } = parts();
    const read = actions.number('a', false);
    const { column } = roles.mention('one');
    expect([roles.get('one')?.permissions, roles.permissions(column, false)]).toEqual([null, null]);
    expect(granted.bits(read, column)).toBe(absent);
    roles.put(roleDefinition('one', [{ ...nothing, actions: ['a'] }]));
    expect([roles.mention('one').column, granted.bits(read, column)]).toEqual([column, contained]);
    expect(roles.get('one')?.definition?.roleName).toBe('one');
    roles.delete('one');
    expect([roles.mention('one').column, granted.bits(read, column)]).toEqual([column, absent]);
    expect(roles.get('one')?.definition).toBeNull();
    expect(roles.get('two')).toBeUndefined();
    expect(roles.mention('two').column).not.toBe(column);
    expect(Array.from(roles.values(), ({ id }) => id)).toEqual(['one', 'two']);
  });
});
