import * as fc from 'fast-check';
import type { PrincipalId } from '../../lib/ids.ts';
import type { PolicyChange } from '../../store/changes.ts';
import { decide } from '../decide.ts';
import { PolicySnapshot, type PolicyRows } from '../snapshot.ts';
import type { Access, Verdict } from '../types.ts';
import { changedRows, makesRing } from './changed-rows.ts';
import { runs } from './runs.ts';
import { accesses, changes, denyPuts, firstWorld, groupsDisabled, users } from './world.ts';

export const histories = fc.array(changes, { minLength: 25, maxLength: 70 });
/** Where denials are as common as grants, and disabled groups are too. */
export const deniedHistories = fc.array(
  fc.oneof(
    { weight: 9, arbitrary: changes },
    { weight: 2, arbitrary: denyPuts },
    { weight: 1, arbitrary: groupsDisabled },
  ),
  { minLength: 25, maxLength: 70 },
);
export const questions = fc.array(accesses, { minLength: 4, maxLength: 4 });

/** Room for a tiny world: thousands of engines are made. */
export const small = { rightsBytes: 2 ** 16, maskBytes: 2 ** 16, cachedDecisions: 2 ** 8 };

/** The rows after every change that the store would take. */
export function worldAfter(history: readonly PolicyChange[], start = firstWorld): PolicyRows {
  return takenFrom(history, start).rows;
}

/** Those changes of a history that the store would take, and the rows after them. */
export function takenFrom(
  history: readonly PolicyChange[],
  start = firstWorld,
): {
  readonly taken: readonly PolicyChange[];
  readonly rows: PolicyRows;
} {
  const taken: PolicyChange[] = [];
  let rows = start;
  for (const change of history) {
    if (makesRing(rows, change)) continue;
    taken.push(change);
    rows = changedRows(rows, change, taken.length);
  }
  return { taken, rows };
}

/** Every user's verdict on every access. */
export function answers(
  rows: PolicyRows,
  asked: readonly Access[],
  who: readonly PrincipalId[] = users,
): Verdict[] {
  const snapshot = PolicySnapshot.from(rows, small);
  return who.flatMap((user) => asked.map((access) => decide(snapshot, user, access)));
}

/** Holds in every world, and not for want of worlds in which it says something. */
export function expectInEveryWorld(
  law: (rows: PolicyRows, asked: readonly Access[]) => boolean | 'says nothing',
  usual = 60,
): void {
  let told = 0;
  let worlds = 0;
  fc.assert(
    fc.property(histories, questions, (history, asked) => {
      worlds++;
      const answer = law(worldAfter(history), asked);
      if (answer !== 'says nothing') told++;
      return answer !== false;
    }),
    { seed: 20_261_122, numRuns: runs(usual) },
  );
  if (told * 10 < worlds) throw new Error(`the law spoke in ${told} of ${worlds} worlds only`);
}
