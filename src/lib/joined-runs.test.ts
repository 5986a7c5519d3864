import { describe, expect, it } from 'vitest';
import { JoinedRuns } from './joined-runs.ts';

/** Runs that end when they are told to. */
function heldRuns() {
  const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
  let atOnce = 0;
  let most = 0;
  const runs = new JoinedRuns(async () => {
    most = Math.max(most, ++atOnce);
    try {
      await new Promise<void>((resolve, reject) => ends.push({ resolve, reject }));
    } finally {
      atOnce -= 1;
    }
  });
  const begun = async (count: number) => {
    while (ends.length < count) await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(ends).toHaveLength(count);
    return ends[count - 1]!;
  };
  return { runs, begun, most: () => most };
}

describe('joined runs', () => {
  it('share the run after the one that is under way, and never overlap', async () => {
    const { runs, begun, most } = heldRuns();
    const ended: string[] = [];
    const ask = (who: string) => runs.request().then(() => ended.push(who));
    const first = ask('first');
    const run = await begun(1);
    const others = [ask('second'), ask('third')];
    await begun(1);
    run.resolve();
    await first;
    expect(ended).toEqual(['first']);
    (await begun(2)).resolve();
    await Promise.all(others);
    expect(ended).toEqual(['first', 'second', 'third']);
    expect(most()).toBe(1);
  });

  it('tell a failure to those who asked for that run, and go on with the next', async () => {
    const { runs, begun } = heldRuns();
    const first = runs.request();
    const failing = await begun(1);
    const second = runs.request();
    failing.reject(new Error('the disk is full'));
    await expect(first).rejects.toThrow('the disk is full');
    (await begun(2)).resolve();
    await expect(second).resolves.toBeUndefined();
  });

  it('tell a failure that comes before anything is awaited', async () => {
    const runs = new JoinedRuns(() => {
      throw new Error('at once');
    });
    await expect(runs.request()).rejects.toThrow('at once');
    await expect(runs.request()).rejects.toThrow('at once');
    await runs.idle();
  });

  it('are idle only when nothing runs and nothing waits', async () => {
    const { runs, begun } = heldRuns();
    await runs.idle();
    let idle = false;
    const [first, second] = [runs.request(), begun(1).then(() => runs.request())];
    const run = await begun(1);
    await Promise.resolve();
    const waiting = runs.idle().then(() => (idle = true));
    run.resolve();
    await first;
    expect(idle).toBe(false);
    (await begun(2)).reject(new Error('it fails'));
    await expect(second).rejects.toThrow('it fails');
    await waiting;
    expect(idle).toBe(true);
  });
});
