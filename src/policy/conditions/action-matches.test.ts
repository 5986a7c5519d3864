import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileActionPattern } from '../action-pattern.ts';
import { runs } from '../testing/runs.ts';
import { actionMatcher } from './action-matches.ts';

/** Somebody who numbers actions, as an engine does: one object for all that is asked. */
class Asker {
  actionNumber = -1;
  /** How often a pattern has looked at the action. */
  looks = 0;
  #action = '';

  get action(): string {
    this.looks++;
    return this.#action;
  }

  ask(pattern: string, action: string, number: number): boolean {
    this.#action = action;
    this.actionNumber = number;
    return actionMatcher(pattern)(this);
  }
}

describe('whether a pattern stands for an action', () => {
  // These come first, while there is room for their patterns.
  test.each([0, 1, 63, 64, 32_767])('is found once for an action that is number %i', (number) => {
    const asker = new Asker();
    for (const action of ['once/read', 'never/read']) {
      asker.looks = 0;
      // The number tells from then on.
      for (let i = 0; i < 3; i++)
        expect(asker.ask(`once${number}/*`, `once${number}/read`, number)).toBe(true);
      expect(asker.ask(`once${number}/*`, action, number)).toBe(true);
      expect(asker.looks).toBe(action === 'once/read' ? 1 : 0);
    }
    expect([1, 2, 3].map(() => asker.ask('twice/*', 'once/read', number))).toEqual([false, false, false]);
    expect(asker.looks).toBe(1);
  });

  test.each([-1, 32_768, 2 ** 31 - 1])('is found each time for %i, which is no number for one', (number) => {
    const asker = new Asker();
    expect(asker.ask('large/*', 'large/read', number)).toBe(true);
    expect(asker.ask('large/*', 'small/read', number)).toBe(false);
    expect(asker.ask('large/*', 'large/read', number)).toBe(true);
    expect(asker.looks).toBe(3);
  });

  test('is found anew for another who asks, and kept when somebody without numbers asks in between', () => {
    const [one, other] = [new Asker(), new Asker()];
    expect(one.ask('anew/*', 'anew/read', 5)).toBe(true);
    expect(actionMatcher('anew/*')({ action: 'never/read' })).toBe(false);
    expect(one.ask('anew/*', 'anew/read', 5)).toBe(true);
    expect(one.looks).toBe(1);
    expect(other.ask('anew/*', 'never/read', 5)).toBe(false);
    expect(one.ask('anew/*', 'anew/read', 5)).toBe(true);
    expect(one.looks).toBe(2);
  });

  const action = fc.stringMatching(/^[ab/]{0,4}$/);
  const pattern = fc.stringMatching(/^[ab/*]{0,4}$/);

  test('is answered as the pattern answers it, whoever has asked before, with numbers or without', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ pattern, action, who: fc.nat(1), number: fc.constantFrom(-1, 0, 63, 64, 70_000) }),
        ),
        (questions) => {
          const askers = [new Asker(), new Asker()];
          const meant = [new Map<number, string>(), new Map<number, string>()];
          for (const each of questions) {
            const numbers = meant[each.who]!;
            if (each.number >= 0 && !numbers.has(each.number)) numbers.set(each.number, each.action);
            const about = numbers.get(each.number) ?? each.action;
            expect(askers[each.who]!.ask(each.pattern, about, each.number)).toBe(
              compileActionPattern(each.pattern).matches(about),
            );
          }
        },
      ),
      { numRuns: runs(300) },
    );
  });

  test('is answered for more patterns than are remembered', () => {
    const asker = new Asker();
    for (let i = 0; i < 600; i++) {
      expect(asker.ask(`many${i}/*`, `many${i}/read`, i)).toBe(true);
      expect(asker.ask(`many${i}/*`, `many${i + 1}/read`, i + 1)).toBe(false);
    }
    asker.looks = 0;
    for (const action of ['many599/read', 'never/read', 'many599/read']) asker.ask('many599/*', action, 599);
    expect(asker.looks).toBe(3);
  });
});
