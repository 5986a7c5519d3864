import { expect, it } from 'vitest';
import { readTime } from './time-text.ts';

const now = Date.parse('2027-03-01T12:00:00Z');

it.each([
  ['2h', '2027-03-01T10:00:00.000Z'],
  ['7d', '2027-02-22T12:00:00.000Z'],
  ['90s', '2027-03-01T11:58:30.000Z'],
  ['2027-02-01', '2027-02-01T00:00:00.000Z'],
  ['2027-02-01T08:30', '2027-02-01T08:30:00.000Z'],
  ['2027-02-01 08:30:05Z', '2027-02-01T08:30:05.000Z'],
  ['2027-02-01T08:30+02:00', '2027-02-01T06:30:00.000Z'],
])('reads %s as %s', (text, expected) => {
  expect(readTime('since', text, now)).toBe(expected);
});

it.each(['', 'yesterday', '2y', '-2h', '2027-02-32', '2027', '1e3h', '2027-02-01T08:30 UTC'])(
  'refuses %s',
  (text) => {
    expect(() => readTime('since', text, now)).toThrow('--since');
  },
);
