import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Permission } from '../../store/changes.ts';
import { PermissionSet } from '../permission-set.ts';
import { dice } from '../testing/dice.ts';
import { runs } from '../testing/runs.ts';
import { Actions } from './actions.ts';
import {
  absent,
  conditional,
  contained,
  filterBit,
  groupColumns,
  maskBits,
  maskUnsure,
  Memberships,
} from './memberships.ts';

const nothing: Permission = { actions: [], notActions: [], dataActions: [], notDataActions: [] };
const condition = 'Exists @Request[x]';
const sets = [
  null,
  new PermissionSet([{ ...nothing, actions: ['a/*'] }]),
  new PermissionSet([{ ...nothing, actions: ['b/*'], dataActions: ['a/*'] }]),
  new PermissionSet([{ ...nothing, actions: ['*'], condition }]),
  new PermissionSet([]),
];
const names = ['a/0', 'a/1', 'b/0', 'b/1', 'c/0'];
const codes = { absent, conditional, contained };

function engine(): { readonly actions: Actions; readonly memberships: Memberships } {
  let memberships: Memberships | null = null;
  const actions = new Actions(
    (from) => memberships?.forgetFrom(from),
    (kept) => memberships?.expandRow(kept),
  );
  memberships = new Memberships(actions);
  return { actions, memberships };
}

/** Near one another, in other words, and in other groups. */
const columns = [0, 1, 2, 15, 16, 29, 30, 31, 59, 60, 300];
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      column: fc.constantFrom(...columns),
      set: fc.constantFrom(...sets),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('ask' as const, 'keep' as const),
      name: fc.constantFrom(...names),
      data: fc.boolean(),
    }),
  },
);

describe('memberships of actions in sets', () => {
  test('are what the sets say, whatever was asked before they changed', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 25, size: 'max' }), (steps) => {
        const { actions, memberships } = engine();
        // Columns are given out one after the other.
        const give = (upTo: number) => {
          while (known < upTo) memberships.set(++known, null);
        };
        const model = new Map<number, PermissionSet>();
        let known = -1;
        for (const each of steps) {
          if (each.kind === 'set') {
            give(each.column);
            memberships.set(each.column, each.set);
            if (each.set) model.set(each.column, each.set);
            else model.delete(each.column);
          } else if (each.kind === 'keep') actions.keep(each.name, each.data);
          for (const name of each.kind === 'set' ? names.slice(0, 3) : [each.name]) {
            for (const data of [false, true]) {
              const action = actions.number(name, data);
              const bits = (column: number) => codes[model.get(column)?.membership(name, data) ?? 'absent'];
              for (const column of columns) {
                if (column <= known) expect(memberships.bits(action, column)).toBe(bits(column));
              }
              for (const group of [0, 1, 2, 10]) {
                let held = 0;
                let unsure = 0;
                for (let i = 0; i < groupColumns; i++) {
                  const found = bits(group * groupColumns + i);
                  if (found === contained) held |= 1 << i;
                  if (found === conditional) unsure = maskUnsure;
                }
                expect(memberships.mask(action, group) & maskBits).toBe(held);
                expect(memberships.mask(action, group) & maskUnsure).toBe(unsure);
              }
              const filter = memberships.filter(action);
              for (const column of model.keys()) {
                if (bits(column) !== absent) expect(filter & filterBit(column)).not.toBe(0);
              }
            }
          }
        }
      }),
      { seed: 20_261_125, numRuns: runs(60) },
    );
  });

  test('of more sets than have columns in a table are found out each time', () => {
    const { actions, memberships } = engine();
    const kept = actions.keep('a/0', false);
    const passing = actions.number('a/1', false);
    const last = 16_500;
    for (let column = 0; column <= last; column++) memberships.set(column, null);
    memberships.set(0, sets[1] ?? null);
    for (const action of [kept, passing]) expect(memberships.bits(action, 0)).toBe(contained);
    for (const column of [16_382, 16_383, 16_384, 16_385, last]) {
      memberships.set(column, sets[1] ?? null);
      for (const action of [kept, passing]) {
        expect(memberships.bits(action, column)).toBe(contained);
        expect(memberships.bits(action, column - 3)).toBe(absent);
        const bit = 1 << (column % groupColumns);
        expect(memberships.mask(action, Math.floor(column / groupColumns)) & bit).toBe(bit);
      }
      expect(memberships.filter(kept) & filterBit(column)).not.toBe(0);
      memberships.set(column, sets[4] ?? null);
      expect(memberships.bits(kept, column)).toBe(absent);
      expect(memberships.bits(passing, column)).toBe(absent);
    }
  });

  test('have filters that leave out what no set contains', () => {
    const { actions, memberships } = engine();
    const [a, c] = [actions.keep('a/0', false), actions.keep('c/0', false)];
    memberships.set(3, sets[1] ?? null);
    expect(memberships.filter(a)).toBe(filterBit(3));
    expect(memberships.filter(c)).toBe(0);
    // Of an action that is not kept anything may be denied.
    expect(memberships.filter(actions.number('passing', false))).toBe(-1);
    const kept = actions.keep('a/1', false);
    expect(memberships.filter(kept)).toBe(filterBit(3));
    const more = Array.from({ length: 200 }, (_, i) =>
      actions.keep(i % 3 === 0 ? `a/x${i}` : `x${i}`, false),
    );
    for (const [i, action] of more.entries())
      expect([i, memberships.filter(action)]).toEqual([i, i % 3 === 0 ? filterBit(3) : 0]);
    expect(new Set(Array.from({ length: 64 }, (_, i) => filterBit(i))).size).toBe(32);
  });

  test('are in masks that are made once, for each group of columns', () => {
    let looks = 0;
    class Watched extends Memberships {
      override bits(action: number, column: number): number {
        looks++;
        return super.bits(action, column);
      }
    }
    const actions = new Actions(
      () => undefined,
      () => undefined,
    );
    const memberships = new Watched(actions);
    const all = Array.from({ length: 150 }, (_, i) => actions.number(`${'abc'[i % 3]!}/${i}`, false));
    const ask = (group: number): number => {
      looks = 0;
      for (const [i, action] of all.entries()) {
        const held = memberships.mask(action, group) & maskBits;
        expect([i, group, held]).toEqual([i, group, group === i % 3 ? 1 << group : 0]);
      }
      return looks;
    };
    for (const [group, verb] of ['a', 'b', 'c'].entries())
      memberships.set(
        group * groupColumns + group,
        new PermissionSet([{ ...nothing, actions: [`${verb}/*`] }]),
      );
    // Of two groups before there were three.
    for (const group of [0, 1, 2, 1, 0]) ask(group);
    expect([ask(0), ask(1), ask(2)]).toEqual([0, 0, 0]);
    memberships.set(groupColumns + 5, sets[4] ?? null);
    expect([ask(0), ask(2)]).toEqual([0, 0]);
    expect(ask(1)).toBeGreaterThanOrEqual(all.length);
    expect([ask(0), ask(1), ask(2)]).toEqual([0, 0, 0]);
  });

  test('are of the action that a number means now', () => {
    const { actions, memberships } = engine();
    memberships.set(0, sets[1] ?? null);
    actions.keep('kept', false);
    const passing = actions.number('a/0', false);
    expect([memberships.bits(passing, 0), memberships.mask(passing, 0) & maskBits]).toEqual([contained, 1]);
    const kept = actions.keep('z', false);
    expect(kept).toBe(passing);
    expect([memberships.bits(kept, 0), memberships.mask(kept, 0) & maskBits]).toEqual([absent, 0]);
  });

  test('are found out once for each pair, until the set or what the number means is another', () => {
    let asked = 0;
    class Counted extends PermissionSet {
      override membership(action: string, dataAction: boolean) {
        asked++;
        return super.membership(action, dataAction);
      }
    }
    const all: (Counted | null)[] = [];
    /** By column, the actions of which it was found out. */
    const known: Set<number>[] = [];
    const actions: Actions = new Actions(
      (from) => {
        memberships.forgetFrom(from);
        for (const each of known) for (const action of each) if (action >= from) each.delete(action);
      },
      (kept) => {
        memberships.expandRow(kept);
        for (const each of known) each.add(kept);
      },
    );
    const memberships = new Memberships(actions);
    const roll = dice(5);
    const wrong: unknown[] = [];
    for (let i = 0; i < 3_000; i++) {
      const before = asked;
      let expected = 0;
      const what = roll(40);
      if (what === 0) {
        const column = roll(4) === 0 ? roll(all.length + 1) : all.length;
        const set = roll(6) === 0 ? null : new Counted([{ ...nothing, actions: [`n/${roll(9)}*`] }]);
        memberships.set(column, set);
        all[column] = set;
        known[column] = new Set(Array.from({ length: actions.kept }, (__, action) => action));
        expected = set ? actions.kept : 0;
      } else if (what === 1) {
        const { kept } = actions;
        actions.keep(`n/${roll(40)}`, false);
        if (actions.kept > kept) expected = all.filter((set) => set !== null).length;
      } else if (all.length > 0) {
        const action = actions.number(`n/${roll(150)}`, false);
        const column = roll(all.length);
        const first = column - (column % groupColumns);
        const columns = what < 5 ? all.map((__, at) => at).slice(first, first + groupColumns) : [column];
        expected = columns.filter((at) => all[at] && !known[at]!.has(action)).length;
        if (what < 5) memberships.mask(action, first / groupColumns);
        else memberships.bits(action, column);
        for (const at of columns) known[at]!.add(action);
      }
      if (asked - before !== expected) wrong.push({ i, what, asked: asked - before, expected });
    }
    expect(wrong).toEqual([]);
    expect(all.length).toBeGreaterThan(50);
  });
});
