import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../lib/ids.ts';
import { roleIds } from './built-in-roles.ts';
import { decide, isAllowed } from './decide.ts';
import { PolicySnapshot, type PolicyRows } from './snapshot.ts';
import { assignment, deny, group, person, rows, subscription, workspace } from './testing/people.ts';
import { runs } from './testing/runs.ts';

const team = '/providers/microsoft.management/managementgroups/team';
/** Each above the next; one less where the same tests are run again and again. */
const levels = ['/', team, subscription, group, workspace].slice(runs(10) < 10 ? 1 : 0);
const beneath = `${workspace}/jobs/j`;
const all = Array.from({ length: 2 ** levels.length }, (_, bits) => bits);

/** Somebody who is granted and denied the same at some of the levels, as two sets of bits. */
function somebody(grants: number, denials: number): PrincipalId {
  return `99999999-0000-4000-8000-${String(grants * 100 + denials).padStart(12, '0')}` as PrincipalId;
}

function chosen(bits: number): number[] {
  return levels.flatMap((_, level) => (((bits >> level) & 1) === 1 ? [level] : []));
}

/** Which of two is assigned first: it must not matter. */
function order(level: number): number[] {
  return level % 2 === 0 ? [0, 1] : [1, 0];
}

function numbered(grants: number, denials: number, level: number): number {
  return grants * 100_000 + denials * 1_000 + level * 10;
}

/** One for every way to be granted and denied at these levels; two assignments each, of which the lower id is named. */
function worldOf(exact: boolean): PolicyRows {
  const everyone = all.flatMap((grants) =>
    all.map((denials) => ({ grants, denials, id: somebody(grants, denials) })),
  );
  return {
    ...rows,
    principals: everyone.map(({ id }) => person(id, id)),
    memberships: [],
    placements: [{ scope: subscription, parent: team, displayName: '' }],
    roleAssignments: everyone.flatMap(({ grants, denials, id }) =>
      chosen(grants).flatMap((level) =>
        order(level).map((i) =>
          assignment(numbered(grants, denials, level) + i, levels[level] ?? '/', roleIds.reader, id),
        ),
      ),
    ),
    denyAssignments: everyone.flatMap(({ grants, denials, id }) =>
      chosen(denials).flatMap((level) =>
        order(level).map((i) =>
          deny(numbered(grants, denials, level) + i, {
            scope: levels[level] ?? '/',
            principals: [id],
            doNotApplyToChildScopes: exact,
          }),
        ),
      ),
    ),
  };
}

/** The nearest level at or above the one asked about. */
function nearest(bits: number, asked: number): number | undefined {
  return chosen(bits).findLast((level) => level <= asked);
}

describe.each([
  ['compiled', { compileAfter: 1, cachedDecisions: 1 }],
  ['not compiled', { compileAfter: 1_000_000, cachedDecisions: 1 }],
])('a denial at any level wins over grants at any other, %s', (_, options) => {
  const room = { rightsBytes: 2 ** 23, maskBytes: 2 ** 23, ...options };

  test.each([
    ['and all beneath it', false],
    ['alone', true],
  ])('at its scope %s; the nearest with the lowest id is named', (__, exact) => {
    const snapshot = PolicySnapshot.from(worldOf(exact), room);
    const wrong: unknown[] = [];
    for (const grants of all) {
      for (const denials of all) {
        for (const [asked, scope] of [...levels, beneath].entries()) {
          const who = somebody(grants, denials);
          const access = { action: 'Contoso.X/read', dataAction: false, scope };
          const denied = exact ? chosen(denials).find((level) => level === asked) : nearest(denials, asked);
          const granted = nearest(grants, asked);
          const expected =
            denied !== undefined
              ? deny(numbered(grants, denials, denied), {}).id
              : granted !== undefined
                ? assignment(numbered(grants, denials, granted), '', '', who).id
                : null;
          const allowed = denied === undefined && granted !== undefined;
          const { cause, ...verdict } = decide(snapshot, who, access);
          const named = 'id' in cause ? cause.id : null;
          if (
            verdict.allowed !== allowed ||
            named !== expected ||
            isAllowed(snapshot, who, access) !== allowed
          ) {
            wrong.push({ grants: chosen(grants), denials: chosen(denials), scope, named, expected });
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
