import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PrincipalId } from '../lib/ids.ts';
import type { PolicyChange } from '../store/changes.ts';
import { isAllowed } from './decide.ts';
import { PolicySnapshot, type PolicyRows } from './snapshot.ts';
import { changedRows, makesRing } from './testing/changed-rows.ts';
import { decided, expectSameSize, expectTaken } from './testing/decided.ts';
import { referenceDecide } from './testing/reference-evaluator.ts';
import { runs } from './testing/runs.ts';
import { accesses, changeKinds, firstWorld, groups, users } from './testing/world.ts';
import type { Access } from './types.ts';

/** One engine for each way in which it may come by an answer. */
const room = { rightsBytes: 2 ** 18, maskBytes: 2 ** 18 };
const littleRoom = { rightsBytes: 4_096, maskBytes: 4_096 };
const tiers = {
  'as shipped, in the room of a tiny world': room,
  'on compiled rights alone': { ...room, compileAfter: 1, cachedDecisions: 1 },
  'on rights compiled in little room': { ...littleRoom, compileAfter: 1 },
  "on each one's own assignments alone": { ...littleRoom, compileAfter: 1_000_000, cachedDecisions: 1 },
  'on outcomes of before, and compiled rights': { ...room, compileAfter: 1, cachedDecisions: 2 ** 8 },
};
type Tier = keyof typeof tiers;
const tierNames = Object.keys(tiers) as Tier[];

interface Model {
  rows: PolicyRows;
  readonly asked: readonly Access[];
}

interface Real {
  readonly snapshots: Map<Tier, PolicySnapshot>;
  readonly counted: { checks: number; allowed: number; denied: number };
}

function loaded(rows: PolicyRows): Map<Tier, PolicySnapshot> {
  return new Map(tierNames.map((tier) => [tier, PolicySnapshot.from(rows, tiers[tier])]));
}

/** Every user, a group and a stranger: the decision and the policy named, of every tier, are the reference's. */
function compare(model: Model, { snapshots, counted }: Real): void {
  const principals = [...users, ...groups.slice(0, 1), 'nobody' as PrincipalId];
  for (const principal of principals) {
    for (const access of model.asked) {
      const expected = referenceDecide(model.rows, principal, access);
      counted.checks++;
      if (expected.allowed) counted.allowed++;
      if (expected.reason === 'deny-assignment') counted.denied++;
      for (const [tier, snapshot] of snapshots) {
        const answer = decided(snapshot, principal, access);
        if (answer.policyId !== expected.policyId || answer.reason !== expected.reason) {
          expect({ tier, principal, access, ...answer }).toEqual({ tier, principal, access, ...expected });
        }
        const allowed = isAllowed(snapshot, principal, access);
        if (allowed !== expected.allowed) {
          expect({ tier, principal, access, isAllowed: allowed }).toEqual({
            isAllowed: expected.allowed,
            expected,
          });
        }
      }
    }
  }
}

class Change implements fc.Command<Model, Real> {
  readonly #change: PolicyChange;
  constructor(change: PolicyChange) {
    this.#change = change;
  }
  check({ rows }: Model): boolean {
    return !makesRing(rows, this.#change);
  }
  run(model: Model, real: Real): void {
    const sequence = model.rows.version + 1;
    model.rows = changedRows(model.rows, this.#change, sequence);
    for (const snapshot of real.snapshots.values()) {
      snapshot.apply({ sequence, previous: sequence - 1, change: this.#change });
      expectTaken(snapshot, sequence);
    }
    compare(model, real);
  }
  toString(): string {
    return JSON.stringify(this.#change);
  }
}

/** A deleted principal comes back under the same id: only what still names it counts again. */
class Recreate implements fc.Command<Model, Real> {
  readonly #id: PrincipalId;
  constructor(id: PrincipalId) {
    this.#id = id;
  }
  check({ rows }: Model): boolean {
    return !rows.principals.some((row) => row.id === this.#id);
  }
  run(model: Model, real: Real): void {
    const record = firstWorld.principals.find((row) => row.id === this.#id);
    if (record) new Change({ kind: 'principal.created', principal: record }).run(model, real);
  }
  toString(): string {
    return `recreate ${this.#id}`;
  }
}

class Reload implements fc.Command<Model, Real> {
  check(): boolean {
    return true;
  }
  run(model: Model, { snapshots, counted }: Real): void {
    for (const [tier, snapshot] of loaded(model.rows)) {
      expectSameSize(snapshot, snapshots.get(tier));
      snapshots.set(tier, snapshot);
    }
    compare(model, { snapshots, counted });
  }
  toString(): string {
    return 'reload';
  }
}

/** Many scopes and actions never heard of before, so that whatever is remembered has to make room. */
class Crowd implements fc.Command<Model, Real> {
  readonly #many: number;
  constructor(many: number) {
    this.#many = many;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, real: Real): void {
    for (const snapshot of real.snapshots.values()) {
      for (let i = 0; i < this.#many; i++) {
        const access = model.asked[i % model.asked.length];
        if (!access) return;
        const scope = `${access.scope === '/' ? '' : access.scope}/crowd/${i}`;
        const principal = users[i % users.length] ?? ('nobody' as PrincipalId);
        decided(snapshot, principal, { ...access, scope, action: `${access.action}/${i}/read` });
      }
    }
    compare(model, real);
  }
  toString(): string {
    return `crowd of ${this.#many}`;
  }
}

const commands = fc.commands<Model, Real>(
  [
    fc.oneof(
      ...changeKinds.map(({ weight, arbitrary }) => ({
        weight,
        arbitrary: arbitrary.map((it) => new Change(it)),
      })),
      { weight: 2, arbitrary: fc.constantFrom(...users, ...groups).map((id) => new Recreate(id)) },
      { weight: 2, arbitrary: fc.constant(new Reload()) },
      { weight: 1, arbitrary: fc.constantFrom(300, runs(5_000)).map((many) => new Crowd(many)) },
    ),
  ],
  { maxCommands: 60, size: '+2' },
);
const questions = fc.array(accesses, { minLength: 6, maxLength: 6 });

describe('the engine and the reference evaluator', () => {
  test('agree on the decision and on the policy named, after every single change, whatever tier answers', () => {
    const counted = { checks: 0, allowed: 0, denied: 0 };
    let worlds = 0;
    fc.assert(
      fc.property(commands, questions, (history, asked) => {
        worlds++;
        fc.modelRun(
          () => ({
            model: { rows: firstWorld, asked },
            real: { snapshots: loaded(firstWorld), counted },
          }),
          history,
        );
      }),
      { seed: 20_261_123, numRuns: runs(30) },
    );
    // The worlds are no deserts: grants and denies both decide.
    expect(counted.checks).toBeGreaterThan(worlds * 300);
    expect(Math.min(counted.allowed, counted.denied)).toBeGreaterThan(0);
    if (worlds < 30) return;
    expect(counted.allowed).toBeGreaterThan(counted.checks / 20);
    expect(counted.denied).toBeGreaterThan(counted.checks / 50);
  });
});
