import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../../lib/ids.ts';
import { dice } from '../testing/dice.ts';
import { enginePartsOf } from '../testing/engine-parts.ts';
import { assignment, group, person, rows } from '../testing/people.ts';
import type { PrincipalNode, Principals } from './principals.ts';
import { TableMemory, TablePlaces } from './table-memory.ts';

const many = 60;
const ids = Array.from(
  { length: many },
  (_, i) => `44444444-0000-4000-8000-${String(i).padStart(12, '0')}` as PrincipalId,
);

/**
 * People in pairs with the same rights, each pair by a group of its own, and tables that tell whose they are: so many
 * numbers as `lengthOf` says, each of them that of the group; null for none.
 */
function memoryFor(lengthOf: (pair: number) => number | null, bytes: number, compileAfter = 1) {
  const groups = ids.filter((_, i) => i % 2 === 0).map((id) => id.replace('4', '5') as PrincipalId);
  const { principals } = enginePartsOf({
    ...rows,
    principals: [
      ...ids.map((id) => person(id, id)),
      ...groups.map((id) => ({ ...person(id, id), kind: 'group' as const })),
    ],
    memberships: ids.map((member, i) => ({ group: groups[i >> 1]!, member })),
    roleAssignments: groups.map((id, i) => assignment(i, group, 'role', id)),
  });
  const places = new TablePlaces();
  places.grow(principals.capacity);
  const compiled: number[] = [];
  const tables = new TableMemory(
    principals,
    places,
    ({ identities }) => {
      const pair = groups.findIndex((id) => identities.includes(principals.index(id)));
      compiled.push(pair);
      const length = lengthOf(pair);
      return length === null
        ? null
        : { table: new Int32Array(length).fill(pair + 1), size: pair * 2, group: pair * 3 };
    },
    { bytes, compileAfter },
  );
  const nodes = ids.map((id) => nodeOf(principals, id));
  return {
    tables,
    places,
    compiled,
    /** Has somebody ask until there is a table, so many times at most. */
    ask(who: number, times = 1): number {
      const node = nodes[who]!;
      let answer = 0;
      for (let i = 0; i < times && answer === 0; i++) answer = tables.ask(node, principals.reachOf(node));
      return answer;
    },
    /** What somebody finds at its place: null for none; whose, otherwise, when it is whole. */
    found(who: number): string | null {
      const { index } = nodes[who]!;
      const offset = places.at(index);
      if (offset === 0) return null;
      const content = tables.memory.subarray(offset, offset + (lengthOf(who >> 1) ?? 0));
      const [, size, of] = places.columns.subarray(index * 4, index * 4 + 3);
      return [...new Set(content), size, of].join();
    },
    forget: (who: number) => places.forget(nodes[who]!.index),
  };
}

function nodeOf(principals: Principals, id: PrincipalId): PrincipalNode {
  const node = principals.get(id);
  if (!node) throw new Error(`${id} is known`);
  return node;
}

const whole = (who: number): string => [(who >> 1) + 1, (who >> 1) * 2, (who >> 1) * 3].join();

describe('the memory of compiled tables', () => {
  test('has for each principal its own table or none, however they drive each other out', () => {
    // In the room of 1,024 numbers there are a few tables at a time.
    const memory = memoryFor((pair) => 1 + ((pair * 53) % 300), 4_096);
    const roll = dice(5);
    const held = new Set<string | null>();
    for (let i = 0; i < 2_000; i++) {
      const who = roll(many);
      if (roll(20) === 0) memory.forget(who);
      expect(memory.ask(who, 200)).toBeGreaterThan(0);
      for (const other of [who, who ^ 1, roll(many), roll(many)]) {
        const found = memory.found(other);
        if (found !== null && found !== whole(other)) expect(found).toBe(whole(other));
        if (other !== who) held.add(found);
      }
    }
    // Some stayed while others came.
    expect(held.size).toBeGreaterThan(many / 4);
    expect(held).toContain(null);
    expect(memory.tables.bytes).toBe(4_096);
  });

  test('tells what it takes, and begins anew when all is forgotten', () => {
    const memory = memoryFor(() => 17, 2 ** 16);
    const empty = memory.tables.bytes;
    expect([memory.ask(0), memory.ask(2), memory.ask(4)]).toEqual([16, 48, 80]);
    expect(memory.tables.bytes - empty).toBe(3 * 32 * 4);
    expect([0, 2, 4].map((who) => memory.found(who))).toEqual([0, 2, 4].map(whole));
    memory.tables.forgetAll();
    expect(memory.tables.bytes).toBe(empty);
    expect([0, 2, 4].map((who) => memory.found(who))).toEqual([null, null, null]);
    expect(memory.ask(4)).toBe(16);
    expect(memory.found(4)).toBe(whole(4));
  });

  test('makes one table for all whose rights are the same', () => {
    const memory = memoryFor(() => 20, 2 ** 16);
    expect(memory.ask(1)).toBe(memory.ask(0));
    expect(memory.ask(2)).not.toBe(memory.ask(0));
    expect(memory.compiled).toEqual([0, 1]);
    expect([memory.found(0), memory.found(1)]).toEqual([whole(0), whole(1)]);
  });

  test('makes none before a principal has asked often enough, and more often once it is crowded', () => {
    const memory = memoryFor(() => 500, 4_096, 3);
    expect([memory.ask(0), memory.ask(0), memory.found(0)]).toEqual([0, 0, null]);
    expect(memory.ask(0)).toBe(16);
    // There is room for one only, beside the line at the beginning.
    expect(memory.ask(2, 3)).toBe(16);
    expect([memory.ask(4, 199), memory.ask(4)]).toEqual([0, 16]);
    const patient = memoryFor(() => 500, 4_096, 300);
    for (const who of [0, 2, 4]) expect([patient.ask(who, 299), patient.ask(who)]).toEqual([0, 16]);
  });

  test('keeps the newest when there is no room for all', () => {
    const memory = memoryFor(() => 320, 4_096);
    for (const who of [0, 2, 4]) memory.ask(who);
    expect(memory.tables.bytes).toBe((16 + 3 * 320) * 4);
    // Of the fourth there is only a part that would fit.
    memory.ask(6);
    expect([0, 2, 4, 6].map((who) => memory.found(who))).toEqual([null, ...[2, 4, 6].map(whole)]);
    expect(memory.tables.bytes).toBe(4_096);
    // From now on tables are made for those who ask two hundred times.
    expect(memory.ask(8, 199)).toBe(0);
    expect(memory.ask(8)).toBe(16 + 320);
    expect([2, 4, 6, 8].map((who) => memory.found(who))).toEqual([null, ...[4, 6, 8].map(whole)]);
    expect(memory.ask(0, 198)).toBe(0);
    expect(memory.ask(0, 2)).toBe(16 + 640);
    expect([4, 6, 8, 0].map((who) => memory.found(who))).toEqual([null, ...[6, 8, 0].map(whole)]);
    expect(memory.compiled).toEqual([0, 1, 2, 3, 4, 0]);
  });

  test('takes one that fills it, none that is larger, and does not try again', () => {
    const memory = memoryFor((pair) => (pair === 0 ? 1_008 : pair === 1 ? 1_009 : null), 4_096);
    expect([memory.ask(2), memory.ask(2)]).toEqual([0, 0]);
    expect([memory.ask(4), memory.ask(4)]).toEqual([0, 0]);
    expect(memory.compiled).toEqual([1, 2]);
    expect(memory.ask(0)).toBe(16);
    expect(memory.found(0)).toBe(whole(0));
    expect(memory.tables.bytes).toBe(4_096);
    memory.forget(4);
    expect(memory.ask(4)).toBe(0);
    expect(memory.compiled).toEqual([1, 2, 0, 2]);
  });

  test('is a thousand numbers at least', () => {
    expect(memoryFor(() => 1, 0).tables.memory).toHaveLength(1_024);
    expect(memoryFor(() => 1, 10_002).tables.memory).toHaveLength(2_500);
  });
});
