import { expect, it } from 'vitest';
import { MemoryBudget, type Holding } from './memory-budget.ts';

const bounds = { all: 1000, perCaller: 300 };

it('lets a caller hold their share, in however many things, and no byte more', () => {
  const budget = new MemoryBudget(bounds);
  const [one, two] = [budget.holdingOf('alice'), budget.holdingOf('alice')];
  expect(one.hold(200)).toBeNull();
  expect(two.hold(100)).toBeNull();
  expect(two.hold(101)).toBe('caller');
  expect(budget.holdingOf('bob').hold(300)).toBeNull();
});

it('gives back what is released, once, and what a holding shrinks by', () => {
  const budget = new MemoryBudget(bounds);
  const holding = budget.holdingOf('alice');
  holding.hold(300);
  holding.hold(50);
  const other = budget.holdingOf('alice');
  expect(mostOf(other)).toBe(250);
  other.release();
  holding.release();
  holding.release();
  expect(mostOf(other)).toBe(300);
});

it('holds what it held when more is refused', () => {
  const budget = new MemoryBudget(bounds);
  const holding = budget.holdingOf('alice');
  holding.hold(299);
  expect(holding.hold(301)).toBe('caller');
  expect(mostOf(budget.holdingOf('alice'))).toBe(1);
});

it('keeps room for who comes with little, however many hold all that they can', () => {
  const budget = new MemoryBudget(bounds);
  const greedy = Array.from({ length: 5 }, (_, i) => budget.holdingOf(`greedy-${i}`));
  const most = greedy.map(mostOf);
  expect(most).toEqual([300, 300, 200, 100, 50]);
  expect(greedy[4]?.hold(51)).toBe('process');
  expect(budget.holdingOf('bob').hold(25)).toBeNull();
});

it('forgets no caller who holds something, however many come and go', () => {
  const budget = new MemoryBudget(bounds);
  budget.holdingOf('alice').hold(300);
  for (let i = 0; i < 5000; i++) {
    const holding = budget.holdingOf(`passing-${i}`);
    holding.hold(1);
    holding.release();
  }
  expect(budget.holdingOf('alice').hold(1)).toBe('caller');
  expect(mostOf(budget.holdingOf('bob'))).toBe(300);
});

function mostOf(holding: Holding): number {
  let bytes = 0;
  while (holding.hold(bytes + 1) === null) bytes++;
  return bytes;
}
