import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '../testing/runs.ts';
import { scopeAndAncestors } from '../scope.ts';
import { chainSize, Scopes } from './scopes.ts';

const team = '/providers/microsoft.management/managementgroups/team';
const company = '/providers/microsoft.management/managementgroups/company';
const subscription = '/subscriptions/s';
const group = `${subscription}/resourcegroups/r`;
const texts = [
  '/',
  '/a',
  '/a/b',
  subscription,
  group,
  `${group}/x`,
  `${group}/x/y/z`,
  `${subscription}/x`,
  team,
  company,
];

const steps = fc.array(
  fc.record({ at: fc.constantFrom(...texts), what: fc.constantFrom('assign', 'release', 'pin', 'unpin') }),
  { minLength: 10, maxLength: 60, size: 'max' },
);

/** A scope's chain, and what is assigned above its key, are what going up step by step finds. */
function expectChain(scopes: Scopes, number: number): void {
  const key = scopes.key(number);
  const beneath: number[] = [];
  for (let at = number; at !== key; at = scopes.parent(at)) if (scopes.isAssigned(at)) beneath.push(at + 1);
  const told = [...beneath, -1, -1, -1].slice(0, 3);
  if (beneath.length > 3) told[2] = -(told[2] ?? 0) - 1;
  let up = scopes.parent(key);
  while (up >= 0 && !scopes.isAssigned(up)) up = scopes.parent(up);
  const expected = [key, ...told, up].join();
  const first = scopes.chain(number);
  const found = [...scopes.chains.subarray(first, first + chainSize), scopes.aboveKey(number)].join();
  if (found !== expected) expect(found).toBe(expected);
}

describe('the tree of known scopes', () => {
  test('holds what is assigned or kept, with all above it, and lets go of the rest', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const scopes = new Scopes();
        const assigned = new Map<string, number[]>();
        const pinned = new Map<string, number[]>();
        for (const { at, what } of all) {
          const counted = what === 'assign' || what === 'release' ? assigned : pinned;
          const numbers = counted.get(at) ?? [];
          counted.set(at, numbers);
          const known = (): Set<string> => {
            const used = [...assigned, ...pinned].flatMap(([text, { length }]) => (length > 0 ? [text] : []));
            return new Set(['/', ...used.flatMap(scopeAndAncestors)]);
          };
          const before = known().size;
          if (what === 'assign') numbers.push(scopes.assign(at));
          else if (what === 'pin') numbers.push(scopes.pin(at));
          else {
            const number = numbers.pop();
            if (number === undefined) continue;
            expect(number).toBe(scopes.find(at));
            const gaveUp = what === 'release' ? scopes.release(number) : scopes.unpin(number);
            expect(gaveUp).toBe(known().size < before);
          }
          expect(scopes.size).toBe(known().size);
          for (const text of new Set(texts.flatMap(scopeAndAncestors))) {
            const number = scopes.find(text);
            expect(number >= 0).toBe(known().has(text));
            if (number < 0) continue;
            expect(scopes.text(number)).toBe(text);
            expect(scopes.isAssigned(number)).toBe((assigned.get(text)?.length ?? 0) > 0);
            const [, ...above] = scopeAndAncestors(text);
            expect(scopes.depth(number)).toBe(above.length);
            expect(scopes.parent(number)).toBe(above[0] === undefined ? -1 : scopes.find(above[0]));
            const next = above.find((each) => (assigned.get(each)?.length ?? 0) > 0);
            expect(scopes.above(number)).toBe(next === undefined ? -1 : scopes.find(next));
            expectChain(scopes, number);
          }
        }
      }),
      { seed: 20_261_125, numRuns: runs(60) },
    );
  });

  test('resolves a text to the nearest known scope at or above it, in any case', () => {
    const scopes = new Scopes();
    const number = scopes.assign(group);
    const resolved = (text: string) => {
      const found = scopes.resolve(text);
      return found < 0 ? null : [scopes.text(found), scopes.exact];
    };
    expect(scopes.find(group)).toBe(number);
    expect(resolved(group)).toEqual([group, true]);
    expect(resolved(group.toUpperCase())).toEqual([group, true]);
    expect(resolved(`${group}/`)).toEqual([group, true]);
    expect(resolved(`${group}/X/y`)).toEqual([group, false]);
    expect(resolved(`${group}x`)).toEqual([`${subscription}/resourcegroups`, false]);
    expect(resolved('/')).toEqual(['/', true]);
    expect(resolved('/elsewhere')).toEqual(['/', false]);
    expect(resolved('/subscriptionsx/s')).toEqual(['/', false]);
    for (const none of [
      '',
      'x',
      '//',
      `${group}//x`,
      `${group}/../x`,
      `${group}/x y`,
      `/${'a'.repeat(4_096)}`,
    ]) {
      expect(resolved(none)).toBe(null);
    }
    expect(resolved(`/${'a'.repeat(4_095)}`)).toEqual(['/', false]);
    expect(resolved(`${group}/é`)).toEqual([group, false]);
    // Texts of other letters than a byte holds are never mixed up.
    const letter = scopes.assign('/\u0141');
    expect(scopes.find('/A')).toBe(-1);
    expect(scopes.find('/\u0141')).toBe(letter);
    expect(resolved('/\u0241')).toEqual(['/', false]);
  });

  test('files rights under resource groups and the like, and under subscriptions and the like above those', () => {
    const scopes = new Scopes();
    const filed = (text: string) => {
      const number = scopes.assign(text);
      const textOf = (other: number | undefined) =>
        other === undefined || other < 0 ? null : scopes.text(other);
      return [textOf(scopes.anchors[number]), textOf(scopes.crowns[number]), textOf(scopes.key(number))];
    };
    expect(filed('/')).toEqual([null, null, '/']);
    expect(filed('/a')).toEqual([null, null, '/a']);
    expect(filed(subscription)).toEqual([null, subscription, subscription]);
    expect(filed(`${subscription}/x`)).toEqual([null, subscription, `${subscription}/x`]);
    expect(filed(group)).toEqual([group, subscription, group]);
    expect(filed(`${group}/x/y`)).toEqual([group, subscription, group]);
    expect(filed(team)).toEqual([null, null, team]);
    expect(filed('/providers/microsoft.management')).toEqual([null, null, '/providers/microsoft.management']);
    expect(filed('/providers/microsoft.managementx/y')).toEqual([
      null,
      '/providers/microsoft.managementx',
      '/providers/microsoft.managementx/y',
    ]);
    expect(filed(`${team}/x`)).toEqual([`${team}/x`, null, `${team}/x`]);
    expect(scopes.lengths[scopes.find(group)]).toBe(group.length);
  });

  test('hangs where it was placed, until that is undone', () => {
    const scopes = new Scopes();
    const at = scopes.assign(group);
    scopes.assign(company);
    const { size } = scopes;
    const above = () => scopes.text(scopes.above(at));
    scopes.assign('/');
    expect(above()).toBe('/');
    scopes.place({ scope: team, parent: company, displayName: '' });
    scopes.place({ scope: subscription, parent: team, displayName: '' });
    expect(above()).toBe(company);
    expect(scopes.depth(at)).toBe(scopes.depth(scopes.find(company)) + 4);
    scopes.place({ scope: subscription, parent: null, displayName: '' });
    expect(above()).toBe('/');
    expect(scopes.depth(at)).toBe(3);
    scopes.displace(subscription);
    scopes.displace(subscription);
    scopes.displace(team);
    expect(scopes.depth(at)).toBe(4);
    expect(scopes.size).toBe(size);
  });

  test('tells of a chain of any length which scopes are assigned', () => {
    const scopes = new Scopes();
    const chain = Array.from({ length: 24 }, (_, i) => `${group}${'/x'.repeat(i)}`);
    for (const [i, text] of chain.entries()) if (i % 3 !== 1) scopes.assign(text);
    const deepest = scopes.pin(chain.at(-1) ?? '/');
    const found: string[] = [];
    for (let at = deepest; at >= 0; at = scopes.above(at)) found.unshift(scopes.text(at));
    expect(found).toEqual(chain.filter((_, i) => i % 3 !== 1));
    for (const text of chain) expectChain(scopes, scopes.find(text));
  });

  test('has chains that are of now, however often it has changed', () => {
    const scopes = new Scopes();
    const at = scopes.pin(`${group}/x/y/z`);
    for (let changes = 0; changes < 300; changes++) {
      expectChain(scopes, at);
      for (let i = 0; i < changes; i++) scopes.release(scopes.assign('/elsewhere'));
      if (changes % 2 === 0) scopes.assign(`${group}/x`);
      else scopes.release(scopes.find(`${group}/x`));
    }
    expectChain(scopes, at);
    const above = scopes.aboveKey(at);
    scopes.assign(team);
    scopes.place({ scope: subscription, parent: team, displayName: '' });
    expect(scopes.aboveKey(at)).not.toBe(above);
    expectChain(scopes, at);
    scopes.displace(subscription);
    expect(scopes.aboveKey(at)).toBe(above);
  });
});
