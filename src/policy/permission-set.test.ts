import { describe, expect, test } from 'vitest';
import type { Permission } from '../store/changes.ts';
import { PermissionSet } from './permission-set.ts';

const nothing: Permission = { actions: [], notActions: [], dataActions: [], notDataActions: [] };
const plain: Permission = { ...nothing, actions: ['n/*'], notActions: ['n/secrets/*', 'n/keys/read'] };
const gated: Permission = { ...nothing, actions: ['n/*', 'm/*'], condition: "@Request[x] StringEquals 'y'" };
const data: Permission = { ...nothing, dataActions: ['n/*'], notDataActions: ['n/delete'] };

describe('a set of permissions', () => {
  test('holds the actions of each less its own notActions', () => {
    const set = new PermissionSet([plain, data]);
    expect(set.membership('n/read', false)).toBe('contained');
    expect(set.membership('n/keys/read', false)).toBe('absent');
    expect(set.membership('m/read', false)).toBe('absent');
    expect(set.contains('n/read', false)).toBe(true);
    expect(set.contains('n/keys/read', false)).toBe(false);
  });

  test('never mixes actions with data actions', () => {
    const set = new PermissionSet([plain, data]);
    expect(set.membership('n/delete', true)).toBe('absent');
    expect(set.membership('n/delete', false)).toBe('contained');
    expect(set.membership('n/secrets/read', true)).toBe('contained');
    expect(set.membership('n/secrets/read', false)).toBe('absent');
    expect(new PermissionSet([plain]).membership('n/read', true)).toBe('absent');
    expect(new PermissionSet([data]).membership('n/read', false)).toBe('absent');
  });

  test('of nothing holds nothing, whatever is taken away from it', () => {
    expect(new PermissionSet([]).membership('n/read', false)).toBe('absent');
    expect(new PermissionSet([{ ...nothing, notActions: ['*'] }]).membership('n/read', false)).toBe('absent');
  });

  test('holds conditionally only what no other permission holds plainly, in any order', () => {
    for (const set of [new PermissionSet([plain, gated]), new PermissionSet([gated, plain])]) {
      expect(set.membership('n/read', false)).toBe('contained');
      expect(set.membership('n/secrets/read', false)).toBe('conditional');
      expect(set.membership('m/read', false)).toBe('conditional');
      expect(set.contains('m/read', false)).toBe(true);
      expect(set.membership('o/read', false)).toBe('absent');
    }
  });

  test('tells the conditions of those permissions alone that hold the action', () => {
    const other = { ...data, condition: 'Exists @Request[z]' };
    const set = new PermissionSet([plain, gated, other]);
    const texts = (action: string, isData: boolean) =>
      Array.from(set.gates(action, isData), ({ text }) => text);
    expect(texts('m/read', false)).toEqual([gated.condition]);
    expect(texts('n/read', true)).toEqual(['Exists @Request[z]']);
    expect(texts('n/delete', true)).toEqual([]);
    expect(texts('o/read', false)).toEqual([]);
  });

  test('names the notAction that takes an action away, as it is written', () => {
    const set = new PermissionSet([
      { ...gated, notActions: ['M/x'] },
      { ...plain, notActions: ['N/Keys/*'] },
      data,
    ]);
    expect(set.excludedBy('n/keys/read', false)).toBe('N/Keys/*');
    expect(set.excludedBy('m/x', false)).toBe('M/x');
    expect(set.excludedBy('n/delete', true)).toBe('n/delete');
    expect(set.excludedBy('n/read', false)).toBe(null);
    // What was never given is not taken away.
    expect(set.excludedBy('o/keys/read', false)).toBe(null);
    expect(new PermissionSet([plain]).excludedBy('m/secrets/x', false)).toBe(null);
    expect(new PermissionSet([{ ...plain, actions: ['m/*'] }]).excludedBy('n/keys/read', false)).toBe(null);
  });
});
