import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { PacedTasks } from './paced-tasks.ts';

function busy(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

it('runs a few tasks before it returns', () => {
  const tasks = new PacedTasks();
  const done: number[] = [];
  for (const i of [1, 2, 3]) tasks.add(() => done.push(i));
  tasks.run();
  expect(done).toEqual([1, 2, 3]);
  tasks.run();
  expect(done).toEqual([1, 2, 3]);
});

it('leaves turns to everything else where there are many, and runs each once and in order', async () => {
  const tasks = new PacedTasks();
  const done: number[] = [];
  const task = (i: number) => () => {
    busy(4);
    done.push(i);
  };
  for (let i = 0; i < 20; i++) tasks.add(task(i));
  tasks.run();
  expect(done.length).toBeLessThanOrEqual(3);
  // What comes while some wait has its place behind them.
  tasks.add(task(20));
  tasks.run();
  let turns = 0;
  while (done.length < 21) {
    await setImmediate();
    turns++;
  }
  expect(turns).toBeGreaterThanOrEqual(5);
  expect(done).toEqual(Array.from({ length: 21 }, (_, i) => i));
});
