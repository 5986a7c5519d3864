import { decide } from '../src/policy/decide.ts';
import { coreSeconds, latencies, quantile, repeated, type Repeated } from './measure.ts';
import type { OwnEngine } from './decision-own.ts';
import {
  parsed,
  questionAt,
  questionsOf,
  repeatStream,
  skewedStream,
  uniformStream,
  type Question,
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
  /** Share of the uniform stream that is allowed. */
  readonly allowed: number;
  /** Bytes of compiled rights once all users have asked. */
  readonly compiledBytes: number;
}

/**
 * Each stream is warmed up with its first part and timed on the rest, except the repeating one, which is nothing
 * but repetition. `integers`: three handles. `handles`: principal and action as handles, the scope a string that
 * was just made. `strings`: three strings that were just made.
 */
export function measureInterfaces(workload: Workload, engine: OwnEngine): InterfaceFigures {
  const uniform = uniformStream(workload, warming + rounds * timed);
  const startOf = (round: number): number => warming + round * timed;
  const users = workload.users.map((id) => engine.principalHandle(id));
  const actions = workload.actions.map((action) => engine.actionHandle(action));
  const made = (from: number): Question[] => questionsOf(workload, uniform, from, from + timed).map(parsed);
  const byStrings = (from: number) => {
    const questions = made(from);
    return (): number => {
      let sum = 0;
      for (const { principal, access } of questions) {
        if (decide(engine.snapshot, principal, access).allowed) sum++;
      }
      return sum;
    };
  };
  const byHandles = (from: number) => {
    const texts = made(from).map(({ access }) => access.scope);
    return (): number => {
      let sum = 0;
      for (let i = 0; i < timed; i++) {
        const user = users[uniform.users[from + i]!]!;
        const action = actions[uniform.actions[from + i]!]!;
        if (engine.decideHandles(user, action, engine.place(texts[i]!)) >= 0) sum++;
      }
      return sum;
    };
  };
  settle(workload, engine);
  // Strings come first: only afterwards does the engine know scopes at which nothing is assigned.
  for (let from = 0; from < warming; from += timed) byStrings(from)();
  const strings = rates((round) => byStrings(startOf(round)));
  const [stringsP50, stringsP99] = quantiles((round) => {
    const questions = made(startOf(round));
    return (i) => decide(engine.snapshot, questions[i]!.principal, questions[i]!.access);
  });
  for (let from = 0; from < warming; from += timed) byHandles(from)();
  const handles = rates((round) => byHandles(startOf(round)));

  const streamed = (stream: Stream): Repeated => {
    ask(engine, stream, 0, warming);
    return rates((round) => () => ask(engine, stream, startOf(round), startOf(round + 1)));
  };
  const ints = asHandles(workload, engine, uniform);
  const allowed = ask(engine, ints, 0, warming) / warming;
  const integers = streamed(ints);
  const [p50, p99] = quantiles((round) => {
    const from = startOf(round);
    return (i) =>
      engine.decideHandles(ints.users[from + i]!, ints.actions[from + i]!, ints.scopes[from + i]!);
  });
  const length = warming + rounds * timed;
  const skewed = streamed(asHandles(workload, engine, skewedStream(workload, length)));
  const repeat = streamed(asHandles(workload, engine, repeatStream(workload, length)));
  return {
    integers,
    handles,
    strings,
    skewed,
    repeat,
    p50,
    p99,
    stringsP50,
    stringsP99,
    allowed,
    compiledBytes: engine.compiledBytes(),
  };
}

/** Long enough in service for each user to have asked a few times: what is compiled for frequent askers, is. */
export function settle(workload: Workload, engine: OwnEngine, each = 10): void {
  const stream = uniformStream(workload, workload.users.length * each, 11);
  for (const i of stream.users.keys()) {
    const { access } = questionAt(workload, stream, i);
    decide(engine.snapshot, workload.users[Math.floor(i / each)]!, access);
  }
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
