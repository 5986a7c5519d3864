import { decide, isAllowed } from '../src/policy/decide.ts';
import { coreSeconds, latencies, quantile, repeated, type Repeated } from './measure.ts';
import { fresh } from './decision-names.ts';
import type { OwnEngine } from './decision-own.ts';
import {
  parsed,
  questionAt,
  questionsOf,
  repeatStream,
  shifted,
  skewedStream,
  uniformStream,
  type Question,
  type Stream,
} from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';

const rounds = 5;
/** Questions of a round by integers; strings are made for fewer. */
const timed = 300_000;
const timedStrings = 100_000;

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
 * No question of the uniform stream is asked twice: every round asks about other actions. The repeating stream is
 * nothing but repetition. `integers`: three handles. `handles`: principal and action as handles, the scope a string
 * that was just made. `strings`: three strings that were just made.
 */
export function measureInterfaces(workload: Workload, engine: OwnEngine): InterfaceFigures {
  settle(workload, engine);
  const uniform = uniformStream(workload, timed);
  let passes = 0;
  const another = (): Stream => shifted(uniform, 7_919 * ++passes);
  const made = (): Question[] => questionsOf(workload, another(), 0, timedStrings).map(parsed);

  // Strings come first: only afterwards does the engine know scopes at which nothing is assigned.
  const strings = rates(() => {
    const questions = made();
    return () => {
      for (const { principal, access } of questions) isAllowed(engine.snapshot, principal, access);
      return questions.length;
    };
  });
  const [stringsP50, stringsP99] = quantiles(() => {
    const questions = made();
    return (i) => isAllowed(engine.snapshot, questions[i]!.principal, questions[i]!.access);
  });
  const users = workload.users.map((id) => engine.principalHandle(id));
  const actions = workload.actions.map((action) => engine.actionHandle(action));
  const handles = rates(() => {
    const stream = another();
    const texts = Array.from({ length: timedStrings }, (_, i) => fresh(workload.scopes[stream.scopes[i]!]!));
    const askers = stream.users.map((i) => users[i]!);
    const asked = stream.actions.map((i) => actions[i]!);
    return () => {
      for (let i = 0; i < texts.length; i++) {
        engine.allows(askers[i]!, asked[i]!, engine.place(texts[i]!));
      }
      return texts.length;
    };
  });

  const asNumbers = handlesOf(workload, engine);
  const integers = rates(() => {
    const stream = asNumbers(another());
    return () => askAll(engine, stream);
  });
  const [p50, p99] = quantiles(() => {
    const stream = asNumbers(another());
    return (i) => engine.allows(stream.users[i]!, stream.actions[i]!, stream.scopes[i]!);
  });
  const skewed = skewedStream(workload, timed);
  const repeating = asNumbers(repeatStream(workload, timed));
  return {
    integers,
    handles,
    strings,
    p50,
    p99,
    stringsP50,
    stringsP99,
    allowed: allowedShare(engine, asNumbers(uniform)),
    skewed: rates(() => {
      const stream = asNumbers(shifted(skewed, 7_919 * ++passes));
      return () => askAll(engine, stream);
    }),
    repeat: rates(() => () => askAll(engine, repeating)),
    compiledBytes: engine.compiledBytes(),
  };
}

/** Long enough in service for each user to have asked a few times: what is compiled for frequent askers, is. */
export function settle(workload: Workload, engine: OwnEngine, each = 10): void {
  const stream = uniformStream(workload, workload.users.length * each, 11);
  for (const i of stream.users.keys()) {
    const { access } = questionAt(workload, stream, i);
    const user = workload.users[Math.floor(i / each)]!;
    decide(engine.snapshot, user, access);
    isAllowed(engine.snapshot, user, access);
  }
}

/** The same questions as the engine's handles. */
export function handlesOf(
  { users, actions, scopes }: Workload,
  engine: OwnEngine,
): (stream: Stream) => Stream {
  const userHandles = users.map((id) => engine.principalHandle(id));
  const actionHandles = actions.map((action) => engine.actionHandle(action));
  const scopeHandles = scopes.map((scope) => engine.scopeHandle(scope));
  return (stream) => ({
    length: stream.length,
    users: stream.users.map((i) => userHandles[i]!),
    actions: stream.actions.map((i) => actionHandles[i]!),
    scopes: stream.scopes.map((i) => scopeHandles[i]!),
  });
}

/** How many were asked. */
function askAll(engine: OwnEngine, { users, actions, scopes, length }: Stream): number {
  for (let i = 0; i < length; i++) engine.allows(users[i]!, actions[i]!, scopes[i]!);
  return length;
}

function allowedShare(engine: OwnEngine, { users, actions, scopes, length }: Stream): number {
  let allowed = 0;
  for (let i = 0; i < length; i++) {
    if (engine.allows(users[i]!, actions[i]!, scopes[i]!)) allowed++;
  }
  return allowed / length;
}

/** The first two rounds only warm up. */
function rates(prepare: () => () => number): Repeated {
  const measured: number[] = [];
  for (let round = -2; round < rounds; round++) {
    const run = prepare();
    const start = coreSeconds();
    const asked = run();
    const seconds = coreSeconds() - start;
    if (round >= 0) measured.push(asked / seconds);
  }
  return repeated(measured);
}

/** Without what reading the clock takes. */
function quantiles(prepare: () => (i: number) => unknown): [Repeated, Repeated] {
  const p50: number[] = [];
  const p99: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const call = prepare();
    const clock = quantile(
      latencies(timedStrings, () => 0),
      0.5,
    );
    const times = latencies(timedStrings, call);
    p50.push(quantile(times, 0.5) - clock);
    p99.push(quantile(times, 0.99) - clock);
  }
  return [repeated(p50), repeated(p99)];
}
