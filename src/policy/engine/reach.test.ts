import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../../lib/ids.ts';
import { roleIds } from '../built-in-roles.ts';
import { assignment, deny, group as scope, person } from '../testing/people.ts';
import { runs } from '../testing/runs.ts';
import { Engine } from './engine.ts';
import type { PrincipalNode } from './principals.ts';

const people = ['p0', 'p1', 'p2'] as PrincipalId[];
const groups = ['g0', 'g1', 'g2', 'g3', 'g4'] as PrincipalId[];

/** What may happen in a directory: groups go round in circles too. */
const one = fc.constantFrom(...people, ...groups);
const step = fc.record({
  what: fc.constantFrom(
    'add',
    'add',
    'take',
    'enable',
    'disable',
    'remove',
    'grant',
    'deny',
    'ask',
    'ask',
    'ask',
  ),
  who: one,
  into: fc.constantFrom(...groups),
});

function newEngine(): Engine {
  return new Engine({ rightsBytes: 4_096, maskBytes: 4_096, compileAfter: 1_000, cachedDecisions: 1 });
}

/** A principal and its groups, found anew: all of them, or those by way of enabled groups only. */
function closure(start: PrincipalNode, onlyEnabled: boolean): number[] {
  const found = new Set([start]);
  for (const node of found)
    for (const group of node.groups)
      if (!onlyEnabled || (group.record?.kind === 'group' && group.record.enabled)) found.add(group);
  return Array.from(found, ({ index }) => index).sort((a, b) => a - b);
}

function put({ principals }: Engine, id: PrincipalId, enabled: boolean): void {
  principals.put({ ...person(id, id), kind: groups.includes(id) ? 'group' : 'user', enabled });
}

describe('the reach of a principal', () => {
  test('is the closure over groups, whatever was remembered before the directory changed', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 90, size: 'max' }), (steps) => {
        const engine = newEngine();
        const { principals, assignments } = engine;
        for (const id of [...people, ...groups]) put(engine, id, true);
        for (const [i, { what, who, into }] of steps.entries()) {
          engine.tick();
          if (what === 'add') principals.addMember(into, who);
          else if (what === 'take') principals.removeMember(into, who);
          else if (what === 'enable') put(engine, who, true);
          else if (what === 'disable') put(engine, who, false);
          else if (what === 'remove') principals.remove(who);
          else if (what === 'grant') {
            assignments.putGrant(assignment(i, scope, roleIds.reader, who));
          } else if (what === 'deny') {
            assignments.putDenial(deny(i, { scope, principals: [who] }));
          } else {
            const node = principals.get(who);
            if (!node) continue;
            const reach = principals.reachOf(node);
            expect(reach.identities[0]).toBe(node.index);
            expect(closure(node, false)).toEqual(reach.identities.toSorted((a, b) => a - b));
            expect(closure(node, true)).toEqual(reach.active.toSorted((a, b) => a - b));
            const assigned = (of: readonly number[], denials: 0 | 1) =>
              of.map((index) => principals.tables[index * 2 + denials]).filter((at) => at !== 0);
            expect(reach.grants).toEqual(assigned(reach.active, 0));
            expect(reach.denials).toEqual(assigned(reach.identities, 1));
            // One list where there is no other way.
            if (reach.active.length === reach.identities.length) expect(reach.active).toBe(reach.identities);
          }
        }
      }),
      { seed: 20_261_125, numRuns: runs(200) },
    );
  });
});
