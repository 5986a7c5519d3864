import { expect, it } from 'vitest';
import { Admission } from './admission.ts';

const { signal } = new AbortController();

it('lets in as many as may be, has the next wait in order, and refuses the rest', async () => {
  const admission = new Admission({ requests: 2, waiting: 2, waitMilliseconds: 60_000, perCaller: 9 });
  const leave = [await admission.enter(signal, null), await admission.enter(signal, null)];
  const order: number[] = [];
  const waiting = [1, 2].map(async (number) => {
    const out = await admission.enter(signal, null);
    order.push(number);
    return out;
  });
  await expect(admission.enter(signal, null)).rejects.toMatchObject({
    code: 'upstream_unavailable',
    details: { retryAfterSeconds: 1 },
  });
  expect([admission.inside, admission.waiting]).toEqual([2, 2]);
  leave[0]?.();
  leave[0]?.();
  await waiting[0];
  expect([order, admission.inside, admission.waiting]).toEqual([[1], 2, 1]);
  leave[1]?.();
  for (const out of await Promise.all(waiting)) out();
  expect([order, admission.inside, admission.waiting]).toEqual([[1, 2], 0, 0]);
});

it('refuses who has waited long enough, and forgets who has gone', async () => {
  const admission = new Admission({ requests: 1, waiting: 5, waitMilliseconds: 20, perCaller: 9 });
  const leave = await admission.enter(signal, null);
  const gone = new AbortController();
  const going = admission.enter(gone.signal, null);
  gone.abort(new Error('gone'));
  await expect(going).rejects.toThrow('gone');
  expect(admission.waiting).toBe(0);
  await expect(admission.enter(signal, null)).rejects.toMatchObject({ code: 'upstream_unavailable' });
  expect(admission.waiting).toBe(0);
  leave();
  (await admission.enter(signal, null))();
  expect(admission.inside).toBe(0);
});

it('lets no caller have more than a share, waiting or not, so that others find room', async () => {
  const admission = new Admission({ requests: 2, waiting: 9, waitMilliseconds: 60_000, perCaller: 3 });
  const enter = (caller: string | null) => admission.enter(signal, caller);
  const greedy = [enter('greedy'), enter('greedy'), enter('greedy')];
  await expect(enter('greedy')).rejects.toMatchObject({
    code: 'too_many_requests',
    details: { retryAfterSeconds: 1 },
  });
  const modest = enter('modest');
  const own = enter(null);
  expect([admission.inside, admission.waiting]).toEqual([2, 3]);
  const leave = await Promise.all(greedy.slice(0, 2));
  leave[0]?.();
  leave[0]?.();
  // One that has left makes room for one, however often it says so.
  const next = enter('greedy');
  await expect(enter('greedy')).rejects.toMatchObject({ code: 'too_many_requests' });
  leave[1]?.();
  for (const entered of [greedy[2], modest, own, next]) (await entered)?.();
  expect([admission.inside, admission.waiting]).toEqual([0, 0]);
});

it('gives the share back of who was refused, has waited long enough, or has gone', async () => {
  const admission = new Admission({ requests: 1, waiting: 1, waitMilliseconds: 20, perCaller: 2 });
  const leave = await admission.enter(signal, 'other');
  const gone = new AbortController();
  const going = admission.enter(gone.signal, 'one');
  // Nobody else may wait.
  for (let i = 0; i < 5; i++) {
    await expect(admission.enter(signal, 'one')).rejects.toMatchObject({ code: 'upstream_unavailable' });
  }
  gone.abort(new Error('gone'));
  await expect(going).rejects.toThrow('gone');
  for (let i = 0; i < 5; i++) {
    await expect(admission.enter(signal, 'one')).rejects.toThrow('too busy for too long');
  }
  leave();
  const both = [await admission.enter(signal, 'one')];
  both[0]?.();
});
