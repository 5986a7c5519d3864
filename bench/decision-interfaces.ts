import { decide } from '../src/policy/decide.ts';
import { coreSeconds, latencies, quantile, repeated, type Repeated } from './measure.ts';
import { ownEngine, type OwnEngine } from './decision-own.ts';
import {
  parsed,
  questionsOf,
  repeatStream,
  skewedStream,
  uniformStream,
  type Stream,
} from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';

const rounds = 5;
const warming = 300_000;
const timed = 100_000;

/** Decisions per core second, and nanoseconds of one, by the way of asking; no question is asked twice. */
export interface InterfaceFigures {
  readonly integers: Repeated;
  readonly handles: Repeated;
  readonly strings: Repeated;
  readonly skewed: Repeated;
  readonly repeat: Repeated;
  readonly p50: Repeated;
  readonly p99: Repeated;
  readonly stringsP50: Repeated;
  readonly stringsP99: Repeated;
  readonly allowed: number;
}

/**
 * Each stream is warmed up with its first part and timed on the rest, except the repeating one, which is nothing
 * but repetition. `integers`: three handles. `handles`: principal and action as handles, the scope a string that
 * was just made. `strings`: three strings that were just made.
 */
export function measureInterfaces(workload: Workload, engine: OwnEngine): InterfaceFigures {
  const uniform = uniformStream(workload, 1_000_000);
  const ints = asHandles(workload, engine, uniform);
  const allowed = ask(engine, ints, 0, warming) / warming;
  const integers = rates((round) => {
    const from = warming + round * timed;
    return () => ask(engine, ints, from, from + timed);
  });
  const [p50, p99] = quantiles((round) => {
    const from = warming + (rounds - round - 1) * timed;
    return (i) =>
      engine.decideHandles(ints.users[from + i]!, ints.actions[from + i]!, ints.scopes[from + i]!);
  });

  const made = (round: number) => {
    const from = (round % rounds) * timed + warming;
    return questionsOf(workload, uniform, from, from + timed).map(parsed);
  };
  const byHandles = (round: number) => {
    const texts = made(round).map(({ access }) => access.scope);
    const from = (round % rounds) * timed + warming;
    return (): number => {
      let sum = 0;
      for (let i = 0; i < timed; i++) {
        const scope = engine.scopeHandle(texts[i]!);
        sum += engine.decideHandles(ints.users[from + i]!, ints.actions[from + i]!, scope) >= 0 ? 1 : 0;
      }
      return sum;
    };
  };
  byHandles(0)();
  const handles = rates((round) => byHandles(round + 1));
  const byStrings = (round: number) => {
    const questions = made(round);
    return (): number => {
      let sum = 0;
      for (const { principal, access } of questions)
        sum += decide(engine.snapshot, principal, access).allowed ? 1 : 0;
      return sum;
    };
  };
  byStrings(0)();
  const strings = rates((round) => byStrings(round + 1));
  const [stringsP50, stringsP99] = quantiles((round) => {
    const questions = made(round);
    return (i) => decide(engine.snapshot, questions[i]!.principal, questions[i]!.access);
  });

  const streamed = (stream: Stream): Repeated => {
    const asked = asHandles(workload, engine, stream);
    ask(engine, asked, 0, warming);
    return rates((round) => () => ask(engine, asked, warming + round * timed, warming + (round + 1) * timed));
  };
  const skewed = streamed(skewedStream(workload, warming + rounds * timed));
  const repeat = streamed(repeatStream(workload, warming + rounds * timed));
  return { integers, handles, strings, skewed, repeat, p50, p99, stringsP50, stringsP99, allowed };
}

export function asHandles({ users, actions, scopes }: Workload, engine: OwnEngine, stream: Stream): Stream {
  const userHandles = users.map((id) => engine.principalHandle(id));
  const actionHandles = actions.map((action) => engine.actionHandle(action));
  const scopeHandles = scopes.map((scope) => engine.scopeHandle(scope));
  return {
    length: stream.length,
    users: stream.users.map((i) => userHandles[i]!),
    actions: stream.actions.map((i) => actionHandles[i]!),
    scopes: stream.scopes.map((i) => scopeHandles[i]!),
  };
}

/** How many are allowed. */
function ask(engine: OwnEngine, { users, actions, scopes }: Stream, from: number, to: number): number {
  let allowed = 0;
  for (let i = from; i < to; i++) {
    if (engine.decideHandles(users[i]!, actions[i]!, scopes[i]!) >= 0) allowed++;
  }
  return allowed;
}

function rates(prepare: (round: number) => () => number): Repeated {
  return repeated(
    Array.from({ length: rounds }, (_, round) => {
      const run = prepare(round);
      const start = coreSeconds();
      run();
      return timed / (coreSeconds() - start);
    }),
  );
}

/** Without what reading the clock takes. */
function quantiles(prepare: (round: number) => (i: number) => unknown): [Repeated, Repeated] {
  const p50: number[] = [];
  const p99: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const call = prepare(round);
    const clock = quantile(
      latencies(timed, () => 0),
      0.5,
    );
    const times = latencies(timed, call);
    p50.push(quantile(times, 0.5) - clock);
    p99.push(quantile(times, 0.99) - clock);
  }
  return [repeated(p50), repeated(p99)];
}
