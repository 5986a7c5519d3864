import { decide } from '../src/policy/decide.ts';
import { explain } from '../src/policy/explain.ts';
import { handlesOf, settle } from './decision-interfaces.ts';
import type { OwnEngine } from './decision-own.ts';
import { questionsOf, uniformStream, type Question } from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';
import { coreSeconds, repeated, type Repeated } from './measure.ts';

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
}

const rounds = 5;
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
  const figures = {
    integers: nanoseconds(timed, integers),
    named: nanoseconds(timed, (i) => withName(i + (rounds + 1) * timed)),
  };
  if (named === 0) throw new Error('no decision names a policy');
  const verdictOf = ({ principal, access }: Question) => decide(snapshot, principal, access);
  const questions = questionsOf(workload, asked, 0, 60_000);
  const allowed = questions.filter((question) => verdictOf(question).allowed);
  const denied = questions.filter((question) => verdictOf(question).cause.kind === 'missing-grant');
  const whole = ({ principal, access }: Question): void => {
    if (explain(snapshot, [principal], access).authorities.length !== 1)
      throw new Error('nothing is explained');
  };
  const each = (of: readonly Question[], count: number, call: (question: Question) => void): Repeated =>
    nanoseconds(count, (i) => call(of[i % of.length]!));
  return {
    ...figures,
    verdictAllowed: each(allowed, 5_000, verdictOf),
    explainedAllowed: each(allowed, 2_000, whole),
    verdictDenied: each(denied, 3_000, verdictOf),
    explainedDenied: each(denied, 20, whole),
  };
}

/** Of one call, over `count` calls a round, the first round not counted. */
function nanoseconds(count: number, call: (i: number) => unknown): Repeated {
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const start = coreSeconds();
    for (let i = round * count; i < (round + 1) * count; i++) call(i);
    if (round > 0) times.push(((coreSeconds() - start) * 1e9) / count);
  }
  return repeated(times);
}
