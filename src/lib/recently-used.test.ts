import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentlyUsed } from './recently-used.ts';

test('the half that was used last is there, with its newest values, and never more than all of it', () => {
  const uses = fc.array(
    fc.record({ key: fc.integer({ min: 0, max: 12 }), act: fc.constantFrom('set', 'get', 'delete') }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(uses, fc.integer({ min: 2, max: 8 }), (steps, most) => {
      const recent = new RecentlyUsed<number, string>(most);
      /** The last is the one that was used last. */
      let used: { readonly key: number; readonly value: string }[] = [];
      for (const [i, { key, act }] of steps.entries()) {
        const before = used.find((one) => one.key === key);
        const rank = before === undefined ? Infinity : used.length - used.indexOf(before);
        const others = used.filter((one) => one.key !== key);
        if (act === 'delete') {
          recent.delete(key);
          used = others;
        } else if (act === 'set') {
          recent.set(key, `v${i}`);
          used = [...others, { key, value: `v${i}` }];
        } else {
          const found = recent.get(key);
          if (rank <= Math.floor(most / 2)) expect(found).toBe(before?.value);
          else expect([undefined, before?.value]).toContain(found);
          used = found === undefined ? others : [...others, { key, value: found }];
        }
      }
      let kept = 0;
      for (let key = 0; key <= 12; key++) if (recent.get(key) !== undefined) kept++;
      expect(kept).toBeLessThanOrEqual(most);
    }),
  );
});
