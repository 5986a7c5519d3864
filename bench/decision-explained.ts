import { decide } from '../src/policy/decide.ts';
import { explain } from '../src/policy/explain.ts';
import { handlesOf, settle } from './decision-interfaces.ts';
import type { OwnEngine } from './decision-own.ts';
import { questionsOf, uniformStream, type Question } from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';
import { coreSeconds, inTurns, ratiosOf, repeated, type Repeated } from './measure.ts';

/** Nanoseconds of core time each; no question is asked twice in a row of them. */
export interface ExplainedFigures {
  readonly integers: Repeated;
  /** The same, and the id of the policy that decided. */
  readonly named: Repeated;
  /** The verdict by strings. */
  readonly verdictAllowed: Repeated;
  readonly verdictDenied: Repeated;
  /** The whole explanation, by strings. */
  readonly explainedAllowed: Repeated;
  readonly explainedDenied: Repeated;
  /** How many times as long as the one that it is set against, round by round. */
  readonly namedToIntegers: Repeated;
  readonly allowedToVerdict: Repeated;
  readonly deniedToVerdict: Repeated;
}

const rounds = 9;
const timed = 50_000;

export function measureExplained(workload: Workload, engine: OwnEngine): ExplainedFigures {
  const { snapshot } = engine;
  settle(workload, engine);
  const asked = uniformStream(workload, (rounds + 1) * 2 * timed);
  const stream = handlesOf(workload, engine)(asked);
  let named = 0;
  const integers = (i: number): boolean =>
    engine.allows(stream.users[i]!, stream.actions[i]!, stream.scopes[i]!);
  const withName = (i: number): void => {
    const outcome = engine.decideHandles(stream.users[i]!, stream.actions[i]!, stream.scopes[i]!);
    if (engine.policyId(outcome) !== null) named++;
  };
  const verdictOf = ({ principal, access }: Question) => decide(snapshot, principal, access);
  const questions = questionsOf(workload, asked, 0, 60_000);
  const allowed = questions.filter((question) => verdictOf(question).allowed);
  const denied = questions.filter((question) => verdictOf(question).cause.kind === 'missing-grant');
  const whole = ({ principal, access }: Question): void => {
    if (explain(snapshot, [principal], access).authorities.length !== 1)
      throw new Error('nothing is explained');
  };
  const each = (of: readonly Question[], count: number, call: (question: Question) => void) =>
    nanoseconds(count, (i) => call(of[i % of.length]!));
  const times = inTurns(
    {
      integers: nanoseconds(timed, integers),
      named: nanoseconds(timed, (i) => withName(i + (rounds + 1) * timed)),
      verdictAllowed: each(allowed, 5_000, verdictOf),
      explainedAllowed: each(allowed, 2_000, whole),
      verdictDenied: each(denied, 3_000, verdictOf),
      explainedDenied: each(denied, 20, whole),
    },
    { rounds, warmUps: 1 },
  );
  if (named === 0) throw new Error('no decision names a policy');
  return {
    integers: repeated(times.integers),
    named: repeated(times.named),
    verdictAllowed: repeated(times.verdictAllowed),
    explainedAllowed: repeated(times.explainedAllowed),
    verdictDenied: repeated(times.verdictDenied),
    explainedDenied: repeated(times.explainedDenied),
    namedToIntegers: ratiosOf(times.named, times.integers),
    allowedToVerdict: ratiosOf(times.explainedAllowed, times.verdictAllowed),
    deniedToVerdict: ratiosOf(times.explainedDenied, times.verdictDenied),
  };
}

/** Of one call, over the next `count` calls each time. */
function nanoseconds(count: number, call: (i: number) => unknown): () => number {
  let next = 0;
  return () => {
    const start = coreSeconds();
    for (const end = next + count; next < end; next++) call(next);
    return ((coreSeconds() - start) * 1e9) / count;
  };
}
