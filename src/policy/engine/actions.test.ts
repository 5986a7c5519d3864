import { describe, expect, test } from 'vitest';
import { Actions } from './actions.ts';

function noted() {
  const forgotten: number[] = [];
  const kept: number[] = [];
  const actions = new Actions(
    (from) => forgotten.push(from),
    (number) => kept.push(number),
  );
  return { actions, forgotten, kept };
}

describe('actions as numbers', () => {
  test('are the same in any case, and others as data actions', () => {
    const { actions } = noted();
    const read = actions.number('N/Read', false);
    expect(actions.number('n/read', false)).toBe(read);
    expect(actions.number('N/READ', false)).toBe(read);
    expect(actions.number('N/Read', false)).toBe(read);
    const data = actions.number('n/read', true);
    expect(data).not.toBe(read);
    expect([actions.name(read), actions.isDataAction(read)]).toEqual(['n/read', false]);
    expect([actions.name(data), actions.isDataAction(data)]).toEqual(['n/read', true]);
    expect([actions.name(99), actions.isDataAction(99)]).toEqual(['', false]);
  });

  test('that are kept come first, and tell so', () => {
    const { actions, forgotten, kept } = noted();
    const read = actions.keep('N/Read', false);
    const write = actions.keep('N/Write', true);
    expect([read, write, actions.kept]).toEqual([0, 1, 2]);
    expect(actions.keep('n/read', false)).toBe(read);
    expect(actions.number('N/WRITE', true)).toBe(write);
    expect(kept).toEqual([0, 1]);
    expect(forgotten).toEqual([]);
  });

  test('that are kept later keep their meaning, and what was passing before is forgotten', () => {
    const { actions, forgotten, kept } = noted();
    actions.keep('a', false);
    const passing = actions.number('P', false);
    expect(passing).toBe(1);
    const later = actions.keep('p', false);
    expect([later, actions.kept]).toEqual([1, 2]);
    expect(forgotten).toEqual([1]);
    expect(kept).toEqual([0, 1]);
    expect(actions.number('P', false)).toBe(later);
    expect(actions.number('q', false)).toBe(2);
  });

  test('are forgotten together when there are too many passing ones, in either plane', () => {
    for (const plane of [false, true]) {
      const { actions, forgotten } = noted();
      const kept = actions.keep('kept', plane);
      for (let i = 0; i < 4_096; i++) expect(actions.number(`n/${i}`, plane)).toBe(i + 1);
      expect(forgotten).toEqual([]);
      expect(actions.number('n/7', plane)).toBe(8);
      expect(actions.number('new', plane)).toBe(1);
      expect(forgotten).toEqual([1]);
      expect([actions.name(1), actions.name(2), actions.isDataAction(2)]).toEqual(['new', '', false]);
      expect(actions.number('n/7', plane)).toBe(2);
      expect(actions.number('KEPT', plane)).toBe(kept);
      expect(actions.name(kept)).toBe('kept');
    }
  });

  test('spelt in thousands of ways take no more room than others', () => {
    const { actions, forgotten } = noted();
    const kept = actions.keep('abcdefghijklm', false);
    for (let i = 0; i < 8_000; i++) {
      const spelt = Array.from('abcdefghijklm', (letter, at) =>
        ((i >> at) & 1) === 0 ? letter : letter.toUpperCase(),
      );
      expect(actions.number(spelt.join(''), false)).toBe(kept);
    }
    // Nothing was numbered, so nothing began to mean anything else.
    expect(forgotten).toEqual([]);
    expect(actions.number('other', false)).toBe(1);
  });
});
