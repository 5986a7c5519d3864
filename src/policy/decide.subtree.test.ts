import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../lib/ids.ts';
import type { DenyAssignment, PolicyChange, RoleAssignment } from '../store/changes.ts';
import { decide, isAllowed } from './decide.ts';
import { explain } from './explain.ts';
import { renderExplanation } from './render-explanation.ts';
import { PolicySnapshot, type PolicyRows } from './snapshot.ts';
import { changedRows, makesRing } from './testing/changed-rows.ts';
import { decided } from './testing/decided.ts';
import { referenceDecide } from './testing/reference-evaluator.ts';
import { runs } from './testing/runs.ts';
import { accesses, firstWorld, scopes, users } from './testing/world.ts';
import { deniedHistories, small } from './testing/worlds.ts';
import type { Access } from './types.ts';

const [ada, ben] = users as [PrincipalId, PrincipalId];
const group = '/subscriptions/s/resourcegroups/r';
const file = `${group}/providers/n/t/x`;
const read: Access = { action: 'N/t/read', dataAction: false, scope: group };
const readAll: Access = { ...read, subtree: true };

function grantOf(id: string, scope: string, principalId: PrincipalId): RoleAssignment {
  return {
    id,
    scope,
    principalId,
    roleDefinitionId: firstWorld.roleDefinitions[0]?.id ?? '',
    principalType: 'User',
    condition: null,
    description: '',
    createdOn: '2026-01-01T00:00:00Z',
    createdBy: '',
  };
}

function denialOf(id: string, more: Partial<DenyAssignment> = {}): DenyAssignment {
  return {
    id,
    name: `deny ${id}`,
    description: '',
    scope: file,
    permissions: [{ actions: ['N/t/read'], notActions: [], dataActions: [], notDataActions: [] }],
    doNotApplyToChildScopes: false,
    principals: [ada],
    excludePrincipals: [],
    condition: null,
    ...more,
  };
}

/** Everybody may do everything in the subscription, but for what is denied. */
function worldWith(denyAssignments: readonly DenyAssignment[]): PolicyRows {
  const roleAssignments = users.map((user, i) => grantOf(`g${i}`, '/subscriptions/s', user));
  return { ...firstWorld, roleAssignments, denyAssignments };
}

function answer(denials: readonly DenyAssignment[], access: Access, who = ada) {
  return decided(PolicySnapshot.from(worldWith(denials), small), who, access);
}

describe('what is done to all beneath a scope', () => {
  test('is denied by what is denied beneath, and the denial is named', () => {
    const denials = [denialOf('d1')];
    expect(answer(denials, read)).toMatchObject({ allowed: true });
    expect(answer(denials, readAll)).toEqual({ allowed: false, reason: 'deny-assignment', policyId: 'd1' });
    expect(isAllowed(PolicySnapshot.from(worldWith(denials), small), ada, readAll)).toBe(false);
    expect(isAllowed(PolicySnapshot.from(worldWith(denials), small), ada, read)).toBe(true);
  });

  test('is denied by a denial of no more than its own scope too, and of every one further down', () => {
    for (const scope of [file, `${file}/u/y`, `${file}/u/y/v/z`]) {
      const denials = [denialOf('d1', { scope, doNotApplyToChildScopes: true })];
      expect(answer(denials, readAll)).toMatchObject({ policyId: 'd1' });
    }
  });

  test('is not denied by what is denied beside it, above it on itself alone, to others, or of another action', () => {
    const others: Partial<DenyAssignment>[] = [
      { scope: `${group}r/providers/n/t/x` },
      { scope: '/subscriptions/s', doNotApplyToChildScopes: true },
      { principals: [ben] },
      { excludePrincipals: [ada] },
      { permissions: [{ actions: ['N/t/write'], notActions: [], dataActions: [], notDataActions: [] }] },
      { permissions: [{ actions: [], notActions: [], dataActions: ['*'], notDataActions: [] }] },
    ];
    for (const other of others)
      expect(answer([denialOf('d1', other)], readAll)).toMatchObject({ allowed: true });
  });

  test('names the denial fewest steps down, and of those the one with the lowest id', () => {
    const far = denialOf('a', { scope: `${file}/u/y` });
    expect(
      answer([far, denialOf('c'), denialOf('b', { scope: `${group}/providers/n/t/w` })], readAll),
    ).toMatchObject({ policyId: 'b' });
    expect(answer([far], readAll)).toMatchObject({ policyId: 'a' });
  });

  test('looks at each of those at one scope, in whatever order they came, and at what came before all else', () => {
    const other = {
      permissions: [{ actions: ['N/t/write'], notActions: [], dataActions: [], notDataActions: [] }],
    };
    for (const denials of [
      [denialOf('b'), denialOf('c'), denialOf('a', other)],
      [denialOf('a', other), denialOf('c'), denialOf('b')],
      [denialOf('c'), denialOf('a', other), denialOf('b')],
    ]) {
      expect(answer(denials, readAll)).toMatchObject({ policyId: 'b' });
      const ungranted = { ...firstWorld, denyAssignments: denials };
      const snapshot = PolicySnapshot.from(ungranted, small);
      const assignment = grantOf('g', '/subscriptions/s', ada);
      snapshot.apply({ sequence: 1, previous: 0, change: { kind: 'role-assignment.put', assignment } });
      expect(decided(snapshot, ada, readAll)).toMatchObject({ policyId: 'b' });
    }
  });

  test('may be all that there is', () => {
    const everything: Access = { ...readAll, scope: '/' };
    const rows = { ...worldWith([denialOf('d1')]), roleAssignments: [grantOf('g', '/', ada)] };
    const snapshot = PolicySnapshot.from(rows, small);
    expect(decided(snapshot, ada, everything)).toMatchObject({ policyId: 'd1' });
    expect(decided(snapshot, ben, everything)).toMatchObject({ allowed: false, reason: 'missing-grant' });
  });

  test('is not denied by what its own scope is denied under a condition that is false there', () => {
    const own = denialOf('d1', { scope: group, condition: "@Resource[n:kind] StringEquals 'red'" });
    const beneath = denialOf('d2', { principals: [ben] });
    const kind = (of: string): Access => ({ ...readAll, attributes: { resource: { 'n:kind': of } } });
    expect(answer([own, beneath], kind('blue'))).toMatchObject({ allowed: true });
    expect(answer([own, beneath], kind('red'))).toMatchObject({ policyId: 'd1' });
  });

  test('counts a denial of which one permission is conditional unless that is false whatever lies there', () => {
    const permission = { actions: ['N/t/read'], notActions: [], dataActions: [], notDataActions: [] };
    const inBlue = { ...readAll, attributes: { environment: { 'n:kind': 'blue' } } };
    const when = (...conditions: (string | null)[]) =>
      answer(
        [denialOf('d1', { permissions: conditions.map((condition) => ({ ...permission, condition })) })],
        inBlue,
      ).allowed;
    const elsewhere = "@Environment[n:kind] StringEquals 'red'";
    expect(when(elsewhere)).toBe(true);
    expect(when(elsewhere, "@Resource[n:kind] StringEquals 'red'")).toBe(false);
    expect(when(elsewhere, 'Exists')).toBe(false);
    expect(when(elsewhere, null)).toBe(false);
  });

  test('counts a denial whose condition cannot be read', () => {
    expect(answer([denialOf('d1', { condition: 'Exists' })], readAll)).toMatchObject({ policyId: 'd1' });
  });

  test('asks of the caller and of the sub-operation what a condition asks of them', () => {
    const team = "@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:a_team] StringEquals 'red'";
    const principals = firstWorld.principals.map((one) => ({
      ...one,
      securityAttributes: { a_team: one.id === ada ? 'red' : 'blue' },
    }));
    const of = (who: PrincipalId) => {
      const rows = {
        ...worldWith([denialOf('d1', { principals: [ada, ben], condition: team })]),
        principals,
      };
      return decided(PolicySnapshot.from(rows, small), who, readAll);
    };
    expect(of(ada)).toMatchObject({ policyId: 'd1' });
    expect(of(ben)).toMatchObject({ allowed: true });
    const part = [denialOf('d1', { condition: "SubOperationMatches{'Blob.List'}" })];
    expect(answer(part, { ...readAll, subOperation: 'Blob.List' })).toMatchObject({ policyId: 'd1' });
    expect(answer(part, { ...readAll, subOperation: 'Blob.Read' })).toMatchObject({ allowed: true });
  });

  test('counts a conditional denial unless it is false whatever lies there', () => {
    const when = (condition: string) => answer([denialOf('d1', { condition })], readAll).allowed;
    expect(when("@Resource[n:kind] StringEquals 'red'")).toBe(false);
    expect(when('Exists @Resource[n:kind]')).toBe(false);
    expect(when('NOT Exists @Request[n:kind]')).toBe(false);
    expect(when("@Resource[n/t/tags:project] StringEquals 'x'")).toBe(false);
    expect(when("ActionMatches{'N/t/write'} AND @Resource[n:kind] StringEquals 'red'")).toBe(true);
    expect(when("ActionMatches{'N/t/read'} AND @Resource[n:kind] StringEquals 'red'")).toBe(false);
    const environment = { 'n:kind': 'blue' };
    const inBlue = { ...readAll, attributes: { environment, resource: { 'n:kind': 'blue' } } };
    const red = (source: string) => denialOf('d1', { condition: `@${source}[n:kind] StringEquals 'red'` });
    expect(answer([red('Environment')], inBlue)).toMatchObject({ allowed: true });
    expect(answer([red('Resource')], inBlue)).toMatchObject({ allowed: false });
  });

  test('is denied by what is denied one step beneath: a subscription, to the management group above it', () => {
    const [above = ''] = (firstWorld.placements ?? []).map(({ parent }) => parent ?? '');
    const denied = denialOf('d1', { scope: '/subscriptions/s' });
    const roleAssignments = [grantOf('g', above, ada)];
    const snapshot = PolicySnapshot.from(
      { ...firstWorld, roleAssignments, denyAssignments: [denied] },
      small,
    );
    expect(decide(snapshot, ada, { ...readAll, scope: above })).toMatchObject({
      allowed: false,
      cause: { id: 'd1' },
    });
    expect(decide(snapshot, ada, { ...read, scope: above }).allowed).toBe(true);
  });

  test('follows where a subscription was placed', () => {
    const top: Access = { ...readAll, scope: '/providers/microsoft.management/managementgroups/b' };
    const roleAssignments = [grantOf('g', top.scope, ada)];
    const snapshot = PolicySnapshot.from(
      { ...firstWorld, roleAssignments, denyAssignments: [denialOf('d1')] },
      small,
    );
    expect(decide(snapshot, ada, top).allowed).toBe(true);
    const placement = { scope: '/subscriptions/s', parent: top.scope, displayName: '' };
    snapshot.apply({ sequence: 1, previous: 0, change: { kind: 'scope.placed', placement } });
    expect(decide(snapshot, ada, top)).toMatchObject({ allowed: false, cause: { id: 'd1' } });
    snapshot.apply({
      sequence: 2,
      previous: 1,
      change: { kind: 'scope.removed', scope: '/subscriptions/s' },
    });
    expect(decide(snapshot, ada, top).allowed).toBe(true);
  });

  test('is explained by the denial beneath', () => {
    const snapshot = PolicySnapshot.from(worldWith([denialOf('d1')]), small);
    const explanation = explain(snapshot, [ada], readAll);
    expect(explanation).toMatchObject({ allowed: false, authorities: [{ policyId: 'denyAssignment:d1' }] });
    expect(renderExplanation(explanation).join('\n')).toContain(
      `at ${group} and all beneath it\n  refused for ${ada}\n\nno   ${ada}   [denyAssignment:d1]\n     the deny assignment 'deny d1' at ${file} refuses it`,
    );
  });

  test('is decided as the reference evaluator does, whatever has changed', () => {
    const counted = { checks: 0, beneath: 0 };
    const questions = fc.array(fc.record({ access: accesses, scope: fc.constantFrom(...scopes) }), {
      minLength: 6,
      maxLength: 6,
    });
    fc.assert(
      fc.property(deniedHistories, questions, (history, asked) => {
        let rows = worldWith([]);
        const snapshot = PolicySnapshot.from(rows, small);
        for (const change of history) {
          if (makesRing(rows, change)) continue;
          rows = changed(snapshot, rows, change);
          for (const { access, scope } of asked) {
            const whole: Access = { ...access, scope, subtree: true };
            for (const user of users.slice(0, 3)) {
              const expected = referenceDecide(rows, user, whole);
              const { subtree: _, ...itself } = whole;
              if (!expected.allowed && referenceDecide(rows, user, itself).allowed) counted.beneath++;
              counted.checks++;
              expect({ whole, user, ...decided(snapshot, user, whole) }).toEqual({
                whole,
                user,
                ...expected,
              });
              expect({ whole, user, isAllowed: isAllowed(snapshot, user, whole) }).toEqual({
                whole,
                user,
                isAllowed: expected.allowed,
              });
            }
          }
        }
      }),
      { seed: 20_261_126, numRuns: runs(25) },
    );
    expect(counted.beneath).toBeGreaterThan(counted.checks / 100);
  });
});

function changed(snapshot: PolicySnapshot, rows: PolicyRows, change: PolicyChange): PolicyRows {
  const sequence = rows.version + 1;
  snapshot.apply({ sequence, previous: sequence - 1, change });
  return changedRows(rows, change, sequence);
}
