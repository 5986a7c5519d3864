import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { PolicySnapshot } from '../../../policy/snapshot.ts';
import { runs } from '../../../policy/testing/runs.ts';
import { firstWorld, scopes } from '../../../policy/testing/world.ts';
import { histories, worldAfter } from '../../../policy/testing/worlds.ts';
import { scopeRelations } from './scope-relations.ts';

test('scopes lie to each other as the snapshot says, whatever hangs where', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const snapshot = PolicySnapshot.from(worldAfter(history, firstWorld), {
        rightsBytes: 4_096,
        maskBytes: 4_096,
      });
      for (const scope of scopes) {
        const relations = scopeRelations(snapshot, scope);
        for (const other of scopes) {
          expect(relations.isAbove(other)).toBe(snapshot.isWithin(scope, other));
          expect(relations.isBeneath(other)).toBe(snapshot.isWithin(other, scope));
        }
      }
    }),
    { seed: 20_261_125, numRuns: runs(50) },
  );
});
