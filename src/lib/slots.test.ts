import { expect, test } from 'vitest';
import { Slots } from './slots.ts';

test('what was taken out is there no more, and its slot is another’s', () => {
  const slots = new Slots<{ name: string }>();
  const [ada, ben, cleo] = ['ada', 'ben', 'cleo'].map((name) => ({ name })) as [
    { name: string },
    { name: string },
    { name: string },
  ];
  const [first, second] = [slots.add(ada), slots.add(ben)];
  expect([...slots]).toEqual([ada, ben]);
  expect(slots.remove(first, ada)).toBe(true);
  expect(slots.add(cleo)).toBe(first);
  expect(slots.remove(first, ada)).toBe(false);
  expect(new Set(slots)).toEqual(new Set([ben, cleo]));
  expect(slots.size).toBe(2);
  expect(slots.remove(second, ben)).toBe(true);
  expect(slots.remove(second, ben)).toBe(false);
  expect(slots.size).toBe(1);
});

test('members may be taken out while they are looked through', () => {
  const slots = new Slots<object>();
  const members = Array.from({ length: 5 }, () => ({}));
  const at = members.map((member) => slots.add(member));
  let seen = 0;
  for (const _member of slots) {
    if (seen++ === 0) for (const [i, member] of members.entries()) slots.remove(at[i] ?? -1, member);
  }
  expect([seen, slots.size]).toEqual([1, 0]);
});
