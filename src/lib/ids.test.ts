import { expect, test } from 'vitest';
import { newSecret, timeOrderedId } from './ids.ts';

test('ids by time are 26 characters of their own, in the order of their milliseconds', () => {
  const times = [0, 1, 31, 32, 1_770_000_000_000, 1_770_000_000_000, 1_770_000_000_001, 2 ** 48 - 1];
  const ids = times.map(timeOrderedId);
  expect(ids.every((id) => /^[0-9a-hjkmnp-tv-z]{26}$/.test(id))).toBe(true);
  expect(ids.map((id) => id.slice(0, 10))).toEqual(ids.map((id) => id.slice(0, 10)).toSorted());
  expect(timeOrderedId(33).slice(0, 10)).toBe('0000000011');
  const many = Array.from({ length: 5_000 }, () => timeOrderedId(7));
  expect(new Set(many).size).toBe(5_000);
  const used = new Set(many.flatMap((id) => Array.from(id.slice(10))));
  expect(used.size).toBe(32);
});

test('secrets are 43 characters of which the first is no hyphen', () => {
  const secrets = Array.from({ length: 5_000 }, () => newSecret());
  expect(secrets.every((secret) => /^\w[\w-]{42}$/.test(secret))).toBe(true);
  expect(new Set(secrets).size).toBe(5_000);
});
