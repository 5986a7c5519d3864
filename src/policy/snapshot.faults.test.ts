import { describe, expect, test } from 'vitest';
import { decide, isAllowed } from './decide.ts';
import { PolicySnapshot } from './snapshot.ts';
import { ben, cleo, group, person, rows, subscription } from './testing/people.ts';
import { small } from './testing/worlds.ts';
import type { Access } from './types.ts';

const read: Access = { action: 'Contoso.X/y/read', dataAction: false, scope: subscription };

function load(version = 10): PolicySnapshot {
  return PolicySnapshot.from({ ...rows, version }, small);
}

function faultOf({ fault }: PolicySnapshot): string | null {
  return fault?.kind === 'broken' ? String(fault.error) : (fault?.kind ?? null);
}

describe('a snapshot', () => {
  test('that is suspended refuses everything until it is resumed, and then what it has missed', () => {
    const snapshot = load();
    expect(isAllowed(snapshot, ben, read)).toBe(true);
    snapshot.suspend();
    expect(faultOf(snapshot)).toBe('suspended');
    expect(isAllowed(snapshot, ben, read)).toBe(false);
    expect(decide(snapshot, ben, read).cause.kind).toBe('policy-unavailable');
    // A change that it takes in does not end it.
    const change = { kind: 'principal.updated', principal: person(cleo, 'Cleo') } as const;
    snapshot.apply({ sequence: 11, previous: 10, change });
    expect([snapshot.version, faultOf(snapshot)]).toEqual([11, 'suspended']);
    snapshot.apply({ sequence: 13, previous: 12, change });
    expect(snapshot.fault).toEqual({ kind: 'behind', after: 11, upTo: 13 });
    snapshot.resume();
    expect(snapshot.fault).toEqual({ kind: 'behind', after: 11, upTo: 13 });
    snapshot.apply({ sequence: 12, previous: 11, change });
    expect(snapshot.fault).toEqual({ kind: 'behind', after: 12, upTo: 13 });
    snapshot.apply({ sequence: 13, previous: 12, change });
    expect(snapshot.fault).toBeNull();
    expect(isAllowed(snapshot, ben, read)).toBe(true);
  });

  test.each([
    ['no whole sequence', 10.5, 10, 'RangeError: 10.5 is not a sequence of the feed'],
    ['a step that begins where it ends', 12, 12, 'RangeError: 12 does not come before 12'],
    ['a step back', 12, 13, 'RangeError: 13 does not come before 12'],
    ['a step past what it has', 12, 9, 'RangeError: the feed goes from 9 to 12, past 10'],
  ])('is broken by %s, and says so', (_, sequence, previous, message) => {
    const snapshot = load();
    snapshot.apply({ sequence, previous, change: null });
    expect(faultOf(snapshot)).toBe(message);
    // Whatever comes after.
    snapshot.apply({ sequence: 11, previous: 10, change: null });
    expect([snapshot.version, faultOf(snapshot)]).toEqual([10, message]);
  });

  test('takes in what says nothing of policy as a step', () => {
    const snapshot = load();
    snapshot.apply({ sequence: 14, previous: 10, change: null });
    expect([snapshot.version, snapshot.fault]).toEqual([14, null]);
  });

  test('is loaded from rows that are as new as it is, not from older ones', () => {
    const snapshot = load();
    expect(() => snapshot.load({ ...rows, version: 9 })).toThrow('these rows are of 9, older than 10');
    snapshot.apply({ sequence: 12, previous: 11, change: null });
    snapshot.load({ ...rows, version: 10 });
    expect(snapshot.fault).toEqual({ kind: 'behind', after: 10, upTo: 12 });
    snapshot.load({ ...rows, version: 12 });
    expect([snapshot.version, snapshot.fault]).toEqual([12, null]);
  });

  test('tells how much it knows, and what is at scopes that it has never heard of', () => {
    const snapshot = load();
    const { principals, scopes } = snapshot.size;
    expect(principals).toBe(rows.principals.length + 1);
    expect(scopes).toBeGreaterThan(5);
    const ids = (...at: string[]) => Array.from(snapshot.assignmentsAt(at), ({ id }) => id).sort();
    const here = rows.roleAssignments.filter(({ scope }) => scope === group).map(({ id }) => id);
    expect(ids(group)).toEqual(here);
    expect(ids(group, '/nowhere', '/elsewhere')).toEqual(here);
    expect(ids('/nowhere')).toEqual([]);
  });
});
