import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../../lib/ids.ts';
import { decide, isAllowed } from '../decide.ts';
import { everyone, PolicySnapshot } from '../snapshot.ts';
import { dice } from '../testing/dice.ts';
import { enginePartsOf } from '../testing/engine-parts.ts';
import { assignment, deny, group, person, rows } from '../testing/people.ts';
import { roleDefinition } from '../testing/world.ts';

const nobody = { ...rows, principals: [], memberships: [], roleAssignments: [], denyAssignments: [] };
const ids = (prefix: string, count: number): PrincipalId[] =>
  Array.from(
    { length: count },
    (_, i) => `${prefix.repeat(8)}-0000-4000-8000-${String(i).padStart(12, '0')}` as PrincipalId,
  );

describe('the principals of a directory', () => {
  test('are those that it knows, those with memberships, and those that are assigned something; no others', () => {
    const { principals, assignments } = enginePartsOf(nobody);
    const all = ids('6', 6);
    const roll = dice(11);
    const known = new Set<PrincipalId>();
    const edges = new Map<string, readonly [group: PrincipalId, member: PrincipalId]>();
    const grants = new Map<string, PrincipalId>();
    const denials = new Map<string, readonly PrincipalId[]>();
    for (let i = 0; i < 500; i++) {
      const [one, other] = [all[roll(6)]!, all[roll(6)]!];
      const what = roll(8);
      if (what === 0) {
        principals.put({ ...person(one, one), kind: 'group' });
        known.add(one);
      } else if (what === 1) {
        principals.remove(one);
        known.delete(one);
        for (const [key, edge] of edges) if (edge.includes(one)) edges.delete(key);
      } else if (what === 2) {
        principals.addMember(one, other);
        edges.set(`${one} ${other}`, [one, other]);
      } else if (what === 3 || what === 4) {
        principals.removeMember(one, other);
        edges.delete(`${one} ${other}`);
      } else if (what === 5) {
        const given = assignment(roll(3), group, 'role', one);
        assignments.putGrant(given);
        grants.set(given.id, one);
      } else if (what === 6) {
        const denied = deny(roll(3), { principals: [one], excludePrincipals: [other] });
        assignments.putDenial(denied);
        denials.set(denied.id, [one, other]);
      } else {
        const n = roll(3);
        assignments.deleteGrant(assignment(n, group, 'role', one).id);
        grants.delete(assignment(n, group, 'role', one).id);
        assignments.deleteDenial(deny(n, {}).id);
        denials.delete(deny(n, {}).id);
      }
      const expected = new Set([...known, ...[...edges.values()].flat(), ...grants.values()]);
      for (const named of denials.values()) for (const id of named) expected.add(id);
      const found = Array.from(principals.values(), ({ id }) => id).sort();
      const wanted = [everyone as PrincipalId, ...expected].sort();
      if (found.join() !== wanted.join()) expect([i, found]).toEqual([i, wanted]);
      if (principals.size !== wanted.length) expect([i, principals.size]).toEqual([i, wanted.length]);
      for (const id of all) {
        const node = principals.get(id);
        const index = principals.index(id);
        const groups = [...edges.values()].flatMap(([into, member]) => (member === id ? [into] : []));
        const members = [...edges.values()].flatMap(([into, member]) => (into === id ? [member] : []));
        const state = {
          known: node?.record?.id ?? null,
          groups: (node?.groups ?? []).map((it) => it.id).sort(),
          members: (node?.members ?? []).map((it) => it.id).sort(),
          at: principals.at(index) === (node ?? null),
        };
        const right = {
          known: known.has(id) ? id : null,
          groups: groups.sort(),
          members: members.sort(),
          at: true,
        };
        if (JSON.stringify(state) !== JSON.stringify(right)) expect([i, id, state]).toEqual([i, id, right]);
      }
    }
    expect(principals.get(ids('7', 1)[0]!)).toBeUndefined();
  });

  test('have room each in every column', () => {
    const { principals } = enginePartsOf(nobody);
    for (const id of ids('6', 200)) {
      const { index } = principals.mention(id);
      expect(principals.states.length).toBeGreaterThan(index);
      expect(principals.changedAt.length).toBeGreaterThan(index);
      expect(principals.tables.length).toBeGreaterThan(index * 2 + 1);
      for (const { columns } of [principals.rights, principals.masks])
        expect(columns.length).toBeGreaterThan(index * 4 + 3);
    }
  });

  test('have their own rights each, and lose them at once, however many there are', () => {
    const read = { actions: ['N/t/read'], notActions: [], dataActions: [], notDataActions: [] };
    const role = roleDefinition('33333333-0000-4000-8000-000000000001', [read]);
    const people = ids('6', 150);
    const access = { action: 'N/t/read', dataAction: false, scope: group };
    const granted = people.map((id, i) => assignment(i, group, role.id, id));
    const snapshot = PolicySnapshot.from(
      { ...nobody, roleDefinitions: [role] },
      { rightsBytes: 2 ** 18, maskBytes: 2 ** 18, cachedDecisions: 2 ** 16, compileAfter: 2 },
    );
    const step = (change: Parameters<PolicySnapshot['apply']>[0]['change']): void =>
      snapshot.apply({ previous: snapshot.version, sequence: snapshot.version + 1, change });
    const wrong: unknown[] = [];
    const check = (i: number, expected: string): void => {
      for (let times = 0; times < 3; times++) {
        const { cause, allowed } = decide(snapshot, people[i]!, access);
        if (cause.kind !== expected || isAllowed(snapshot, people[i]!, access) !== allowed)
          wrong.push({ i, times, expected, kind: cause.kind });
      }
    };
    for (const [i, id] of people.entries()) {
      check(i, 'unknown-principal');
      step({ kind: 'principal.created', principal: person(id, id) });
      check(i, 'missing-grant');
      step({ kind: 'role-assignment.put', assignment: granted[i]! });
      check(i, 'role-assignment');
    }
    for (const i of people.keys()) check(i, 'role-assignment');
    for (const [i, id] of people.entries()) {
      step({ kind: 'deny-assignment.put', assignment: deny(i, { principals: [id] }) });
      check(i, 'deny-assignment');
      step({ kind: 'deny-assignment.deleted', assignment: deny(i, {}) });
      check(i, 'role-assignment');
      step({ kind: 'principal.updated', principal: { ...person(id, id), enabled: false } });
      check(i, 'disabled-principal');
      step({ kind: 'principal.updated', principal: person(id, id) });
      step({ kind: 'role-assignment.deleted', assignment: granted[i]! });
      check(i, 'missing-grant');
      step({ kind: 'principal.deleted', id, principalKind: 'user' });
      check(i, 'unknown-principal');
    }
    expect(wrong).toEqual([]);
    expect(snapshot.fault).toBeNull();
  });
});
