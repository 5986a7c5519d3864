import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FeedStep } from '../ledger/change-feed.ts';
import { ManualClock } from '../lib/clock.ts';
import type { PrincipalId } from '../lib/ids.ts';
import { createLog } from '../lib/log.ts';
import { decide } from '../policy/decide.ts';
import { PolicySnapshot, type PolicyRows } from '../policy/snapshot.ts';
import { changedRows, makesRing } from '../policy/testing/changed-rows.ts';
import { decided, named } from '../policy/testing/decided.ts';
import { referenceDecide } from '../policy/testing/reference-evaluator.ts';
import { runs } from '../policy/testing/runs.ts';
import { accesses, changes, firstWorld, users } from '../policy/testing/world.ts';
import type { Access } from '../policy/types.ts';
import type { PolicyChange } from '../store/changes.ts';
import { CurrentPolicy } from './current-policy.ts';

const staleMilliseconds = 1_000;
const log = createLog('silent');
const tiny = { rightsBytes: 2 ** 14, maskBytes: 2 ** 14, cachedDecisions: 2 ** 6, compileAfter: 2 };

/** What becomes of the word of a commit on its way to a follower. */
type Fate = 'delivered' | 'lost' | 'doubled' | 'delayed' | 'garbled';

interface Committed {
  readonly change: PolicyChange;
  /** Events before it that change nothing. */
  readonly others: number;
  readonly fate: Fate;
  /** Whether the feed holds all of it. */
  readonly whole: boolean;
}

/** A store with its feed: what it holds at every revision is kept, so that any answer can be checked. */
class ModelStore {
  rows: PolicyRows = firstWorld;
  newest = 0;
  readonly steps: FeedStep[] = [];
  readonly at = new Map<number, PolicyRows>([[0, firstWorld]]);

  /** Null for a change that the store would refuse. */
  commit({ change, others, whole }: Committed): FeedStep | null {
    if (makesRing(this.rows, change)) return null;
    const sequence = this.newest + others + 1;
    const step = { sequence, previous: this.rows.version, change, whole };
    this.newest = sequence;
    this.rows = changedRows(this.rows, change, sequence);
    this.steps.push(step);
    this.at.set(sequence, this.rows);
    return step;
  }

  after(revision: number, limit: number) {
    const steps = this.steps.filter(({ sequence }) => sequence > revision).slice(0, limit);
    // What is withheld is gone: whoever applied it all the same would decide otherwise.
    const seen = steps.map((step) => (step.whole ? step : { ...step, change: null }));
    return { steps: seen, through: this.newest };
  }
}

/** A change that no snapshot can take in. */
const garbage: PolicyChange = {
  kind: 'deny-assignment.put',
  assignment: {
    id: 'garbled',
    name: 'garbled',
    description: '',
    scope: 'nowhere',
    permissions: [],
    doNotApplyToChildScopes: false,
    principals: [],
    excludePrincipals: [],
  },
};

const fates: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 3, arbitrary: fc.constant('delivered' as const) },
  { weight: 3, arbitrary: fc.constant('lost' as const) },
  { weight: 1, arbitrary: fc.constant('doubled' as const) },
  { weight: 2, arbitrary: fc.constant('delayed' as const) },
  { weight: 1, arbitrary: fc.constant('garbled' as const) },
);
const commits: fc.Arbitrary<Committed> = fc.record({
  change: changes,
  others: fc.constantFrom(0, 0, 1, 3),
  fate: fates,
  whole: fc.constantFrom(true, true, true, true, false),
});
interface Asked {
  readonly who: PrincipalId;
  readonly access: Access;
  readonly demands: boolean;
}
const asks: fc.Arbitrary<Asked> = fc.record({
  who: fc.constantFrom(...users),
  access: accesses,
  demands: fc.boolean(),
});
const script = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: commits.map((commit) => ({ kind: 'commit' as const, commit })) },
    { weight: 4, arbitrary: asks.map((ask) => ({ kind: 'ask' as const, ask })) },
    { weight: 2, arbitrary: fc.constant({ kind: 'poll' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'outage' as const }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(100, 1_500).map((milliseconds) => ({ kind: 'time' as const, milliseconds })),
    },
  ),
  { minLength: 10, maxLength: 50 },
);

describe('a policy that follows a feed', () => {
  test('decides on exactly the revision that it says, never on less than was demanded, and comes to the end', async () => {
    const seen = { answers: 0, refusals: 0, demands: 0, loads: 0, allowed: 0, healed: 0 };
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), script, async (scheduler, steps) => {
        const store = new ModelStore();
        const clock = new ManualClock(1_000_000);
        let outages = 0;
        const read = async <T>(what: string, act: () => T): Promise<T> => {
          // When the store is read, and when the answer arrives, are two different times.
          await scheduler.schedule(Promise.resolve(), `${what}: reads`);
          if (outages > 0) {
            outages--;
            throw new Error('the connection is gone');
          }
          const answer = act();
          await scheduler.schedule(Promise.resolve(), `${what}: arrives`);
          return answer;
        };
        const loading = CurrentPolicy.load({
          feed: { after: (revision, limit) => read('feed', () => store.after(revision, limit)) },
          loadRows: () => read('rows', () => (seen.loads++, store.rows)),
          clock,
          log,
          staleMilliseconds,
          waitMilliseconds: 500,
          engine: tiny,
          sleep: () => scheduler.schedule(Promise.resolve(), 'time passes'),
        });
        await scheduler.waitFor(loading);
        const policy = await loading;
        policy.watch({ caughtUp: () => seen.healed++, stale: () => undefined });
        const { snapshot } = policy;

        /** Whoever decides, at whatever moment, decides as the reference does on the rows of that revision. */
        const check = (who: PrincipalId, access: Access): void => {
          if (snapshot.fault !== null) {
            expect(decide(snapshot, who, access).cause.kind).toBe('policy-unavailable');
            return;
          }
          const rows = store.at.get(snapshot.version);
          if (rows === undefined) throw new Error(`${snapshot.version} is no revision of the store`);
          const answer = decided(snapshot, who, access);
          expect(answer).toEqual(referenceDecide(rows, who, access));
          if (answer.allowed) seen.allowed++;
        };
        const ask = async ({ who, access, demands }: Asked): Promise<void> => {
          const demanded = demands ? store.newest : 0;
          if (demands) seen.demands++;
          await policy.reach(demanded);
          if (!policy.isCurrent || policy.through < demanded) {
            seen.refusals++;
            return;
          }
          // An event that changes nothing is contained when every change before it is.
          const needed = store.steps.findLast(({ sequence }) => sequence <= demanded)?.sequence ?? 0;
          expect(snapshot.version).toBeGreaterThanOrEqual(needed);
          check(who, access);
          seen.answers++;
        };
        const deliver = ({ fate, ...commit }: Committed): void => {
          const step = store.commit({ fate, ...commit });
          if (step === null) return;
          const { sequence, previous } = step;
          const change = fate === 'garbled' ? garbage : commit.change;
          const arrives = (): void => policy.take([{ sequence, previous, change }]);
          if (fate === 'lost') return;
          if (fate === 'delivered' || fate === 'garbled') arrives();
          if (fate === 'doubled' || fate === 'delayed') {
            for (let i = 0; i < (fate === 'doubled' ? 2 : 1); i++) {
              void scheduler.schedule(Promise.resolve(), 'word arrives').then(arrives);
            }
          }
        };

        const waiting: Promise<void>[] = [];
        const asked = steps.flatMap((step) => (step.kind === 'ask' ? [step.ask] : []));
        const told = scheduler.scheduleSequence(
          steps.map((step) => ({
            label: step.kind,
            builder: () => {
              switch (step.kind) {
                case 'commit':
                  deliver(step.commit);
                  break;
                case 'ask':
                  waiting.push(ask(step.ask));
                  break;
                case 'poll':
                  waiting.push(policy.poll());
                  break;
                case 'outage':
                  outages++;
                  break;
                case 'time':
                  clock.advance(step.milliseconds);
                  break;
              }
              for (const { who, access } of asked.slice(0, 3)) check(who, access);
              return Promise.resolve();
            },
          })),
        );
        const checked = async (act: () => Promise<void>): Promise<void> => {
          await act();
          for (const { who, access } of asked.slice(0, 2)) check(who, access);
        };
        await scheduler.waitFor(told.task, checked);
        await scheduler.waitFor(Promise.all(waiting), checked);
        await scheduler.waitIdle(checked);

        // Quiet: one look at the feed, and all is as if it had been loaded now.
        outages = 0;
        const settled = policy.check();
        await scheduler.waitFor(settled);
        expect(snapshot.fault).toBeNull();
        expect(snapshot.version).toBe(store.rows.version);
        const rebuilt = PolicySnapshot.from(store.rows, tiny);
        expect(snapshot.size).toEqual(rebuilt.size);
        for (const who of users) {
          for (const { access } of asked) {
            const answer = named(decide(snapshot, who, access));
            expect(answer).toEqual(decided(rebuilt, who, access));
            expect(answer).toEqual(referenceDecide(store.rows, who, access));
          }
        }
      }),
      { seed: 20_261_125, numRuns: runs(150) },
    );
    // The test is worth nothing if the worlds are quiet.
    expect(seen.answers).toBeGreaterThan(seen.refusals);
    expect(seen.demands).toBeGreaterThan(0);
    expect(seen.loads).toBeGreaterThan(runs(150) * 1.2);
    expect(seen.healed).toBeGreaterThan(runs(150) / 2);
    expect(seen.allowed).toBeGreaterThan(0);
  });
});
