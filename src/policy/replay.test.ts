import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../lib/ids.ts';
import { decideForAll } from './decide.ts';
import { PolicyReplay, type RecordedDecision, type RecordedStep, type Replayed } from './replay.ts';
import { PolicySnapshot } from './snapshot.ts';
import { runs } from './testing/runs.ts';
import { accesses, changes, firstWorld, users } from './testing/world.ts';
import { small, takenFrom } from './testing/worlds.ts';
import { policyIdOf, type Access } from './types.ts';

/** The first world as changes, so that a log of nothing but changes tells of it. */
const beginning = [
  ...firstWorld.principals.map((principal) => ({ kind: 'principal.created' as const, principal })),
  ...firstWorld.memberships.map((row) => ({ kind: 'group.member-added' as const, ...row })),
  ...firstWorld.roleDefinitions.map((definition) => ({ kind: 'role-definition.put' as const, definition })),
  ...(firstWorld.placements ?? []).map((placement) => ({ kind: 'scope.placed' as const, placement })),
];
const nothing = {
  principals: [],
  memberships: [],
  roleDefinitions: [],
  roleAssignments: [],
  denyAssignments: [],
  version: 0,
};

interface Asked {
  readonly who: readonly PrincipalId[];
  readonly access: Access;
  /** After how many changes it is asked, and how many more come before its record. */
  readonly after: number;
  readonly late: number;
}
const asked: fc.Arbitrary<Asked> = fc.record({
  who: fc.subarray([...users], { minLength: 1, maxLength: 2 }),
  access: accesses,
  after: fc.nat(70),
  late: fc.oneof(fc.constantFrom(0, 0, 1, 3), fc.nat(70)),
});

interface Log {
  readonly items: ({ readonly step: RecordedStep } | { readonly decision: RecordedDecision })[];
  readonly decisions: RecordedDecision[];
}

/** What a house would record of these changes and questions; a filler change stands for the many of a long log. */
function recorded(
  history: Parameters<typeof takenFrom>[0],
  questions: readonly Asked[],
  fillers: number,
): Log {
  const steps: RecordedStep[] = [];
  const filler = Array.from({ length: fillers }, () => null);
  for (const change of [...beginning, ...takenFrom(history).taken, ...filler]) {
    const previous = steps.at(-1)?.sequence ?? 0;
    steps.push({ sequence: previous + 2, previous, change, whole: true });
  }
  const snapshot = PolicySnapshot.from(nothing, small);
  const due = new Map<number, RecordedDecision[]>();
  const decisions: RecordedDecision[] = [];
  const items: Log['items'] = [];
  for (const [i, step] of steps.entries()) {
    snapshot.apply(step);
    items.push({ step });
    for (const [id, { who, access, after, late }] of questions.entries()) {
      if (after + beginning.length !== i) continue;
      const { allowed, cause, decidedFor } = decideForAll(snapshot, who, access);
      const outcome = { allowed, reason: cause.kind, policyId: policyIdOf(cause), decidedFor };
      const decision = {
        id: String(id),
        revision: snapshot.version,
        authorities: who,
        access,
        whole: true,
        outcome,
      };
      decisions.push(decision);
      const at = Math.min(i + late * Math.max(1, Math.floor(fillers / 40)), steps.length - 1);
      due.set(at, [...(due.get(at) ?? []), decision]);
    }
    for (const decision of due.get(i) ?? []) items.push({ decision });
  }
  return { items, decisions };
}

function replayed({ items }: Pick<Log, 'items'>): { told: Replayed[]; passes: number } {
  const told: Replayed[] = [];
  const tell = (one: Replayed) => void told.push(one);
  const first = new PolicyReplay(tell, small);
  for (const item of items) {
    if ('step' in item) first.change(item.step);
    else first.decision(item.decision);
  }
  first.end();
  if (first.late.length === 0) return { told, passes: 1 };
  const second = new PolicyReplay(tell, small);
  for (const decision of first.late) second.decision(decision);
  for (const item of items) if ('step' in item) second.change(item.step);
  second.end();
  return { told, passes: 2 };
}

const histories = fc.array(changes, { minLength: 20, maxLength: 60 });
const questions = fc.array(asked, { minLength: 8, maxLength: 25 });

describe('a replay', () => {
  test.each([
    ['recorded soon after it was made', 0, 1, 40],
    ['recorded thousands of changes later', 4_000, 2, 8],
  ])('makes every decision the same again when it was %s', (_what, fillers, most, usual) => {
    let passes = 1;
    let allowed = 0;
    fc.assert(
      fc.property(histories, questions, (history, all) => {
        const log = recorded(history, all, fillers);
        const result = replayed(log);
        passes = Math.max(passes, result.passes);
        allowed += log.decisions.filter(({ outcome }) => outcome.allowed).length;
        expect(result.told.map(({ kind }) => kind)).toEqual(log.decisions.map(() => 'same'));
        expect(result.told.map(({ decision }) => decision.id).sort()).toEqual(
          log.decisions.map(({ id }) => id).sort(),
        );
      }),
      { seed: 20_261_125, numRuns: runs(usual) },
    );
    expect(passes).toBe(most);
    expect(allowed).toBeGreaterThan(0);
  });

  const member = users[0] ?? ('' as PrincipalId);
  const assignment = {
    id: 'a',
    scope: '/',
    roleDefinitionId: firstWorld.roleDefinitions[0]?.id ?? '',
    principalId: member,
    principalType: 'User' as const,
    description: '',
    createdOn: '',
    createdBy: '',
  };
  const ask: Asked = {
    who: [member],
    access: { action: 'N/t/read', dataAction: false, scope: '/subscriptions/s' },
    after: 0,
    late: 0,
  };
  const log = recorded([{ kind: 'role-assignment.put', assignment }], [ask], 3);
  const outcome = {
    allowed: true,
    reason: 'role-assignment',
    policyId: 'roleAssignment:a',
    decidedFor: member,
  };
  const with_ = (edit: (item: Log['items'][number]) => Log['items']): Replayed | undefined =>
    replayed({ items: log.items.flatMap(edit) }).told[0];
  const withDecision = (more: Partial<RecordedDecision>) =>
    with_((item) => ['decision' in item ? { decision: { ...item.decision, ...more } } : item]);

  test('knows the grant that decided', () => {
    expect(log.decisions[0]?.outcome).toEqual(outcome);
    expect(withDecision({})).toMatchObject({ kind: 'same' });
  });

  test.each([
    { ...outcome, allowed: false },
    { ...outcome, policyId: 'roleAssignment:b' },
    { ...outcome, reason: 'missing-grant' },
    { ...outcome, decidedFor: null },
  ])('says what policy says where something else was recorded: %j', (forged) => {
    expect(withDecision({ outcome: forged })).toMatchObject({ kind: 'differs', again: outcome });
  });

  test('one revision earlier there was no such grant', () => {
    const revision = (log.decisions[0]?.revision ?? 0) - 1;
    expect(withDecision({ revision })).toMatchObject({ kind: 'differs', again: { reason: 'missing-grant' } });
  });

  test('does not guess where the log lacks a change, withholds a part of one, or of the question', () => {
    const isGrant = (item: Log['items'][number]) =>
      'step' in item && item.step.change?.kind === 'role-assignment.put';
    const [first] = log.items;
    expect(with_((item) => (item === first ? [] : [item]))).toMatchObject({
      kind: 'cannot-be-told',
      why: 'the log does not hold all changes after 0',
    });
    const blank = with_((item) =>
      'step' in item && isGrant(item) ? [{ step: { ...item.step, change: null, whole: false } }] : [item],
    );
    expect(blank).toMatchObject({ kind: 'cannot-be-told' });
    expect(withDecision({ whole: false })).toMatchObject({ kind: 'cannot-be-told' });
  });

  test('leaves alone what was not decided by policy', () => {
    const rule = { ...outcome, reason: 'public', policyId: 'rule:public-ledger' };
    expect(withDecision({ outcome: rule })).toMatchObject({ kind: 'not-by-policy' });
  });
});
