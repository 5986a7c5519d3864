import { decide, isAllowed } from '../src/policy/decide.ts';
import { coreSeconds, inTurns, latencies, quantile, ratiosOf, repeated, type Repeated } from './measure.ts';
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

const rounds = 9;
const turns = { rounds, warmUps: 2 };
/** Questions of a round by integers; strings are made for fewer. */
const timed = 300_000;
const timedStrings = 102_400;
/**
 * Strings made at a time, just before they are asked about: whoever parses a request has what it says in the cache, and
 * not a hundred thousand requests in memory.
 */
const madeAtOnce = 256;

/** Decisions per core second, and nanoseconds of one, by the way of asking; no question is asked twice. */
export interface InterfaceFigures {
  readonly integers: Repeated;
  readonly handles: Repeated;
  readonly strings: Repeated;
  /** Of the rates, round by round. */
  readonly handlesToIntegers: Repeated;
  readonly stringsToIntegers: Repeated;
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
  const users = workload.users.map((id) => engine.principalHandle(id));
  const actions = workload.actions.map((action) => engine.actionHandle(action));
  const asNumbers = placesOf(workload, engine);
  const inStrings = (): Made<Question> => {
    const stream = another();
    return {
      make: (from, to) => questionsOf(workload, stream, from, to).map(parsed),
      ask: ({ principal, access }) => isAllowed(engine.snapshot, principal, access),
    };
  };
  const inHandles = (): Made<HandleQuestion> => {
    const stream = another();
    return {
      make: (from, to) =>
        Array.from({ length: to - from }, (_, i) => ({
          user: users[stream.users[from + i]!]!,
          action: actions[stream.actions[from + i]!]!,
          scope: fresh(workload.scopes[stream.scopes[from + i]!]!),
        })),
      ask: ({ user, action, scope }) => engine.allows(user, action, engine.place(scope)),
    };
  };
  const rates = inTurns(
    {
      integers: () => rateOf(engine, asNumbers(another())),
      handles: () => rateOfMade(inHandles()),
      strings: () => rateOfMade(inStrings()),
    },
    turns,
  );
  const [p50, p99] = quantiles(() => {
    const stream = asNumbers(another());
    return (i) => engine.allows(stream.users[i]!, stream.actions[i]!, stream.scopes[i]!);
  });
  const [stringsP50, stringsP99] = quantilesOfMade(inStrings);
  const skewed = skewedStream(workload, timed);
  const repeating = asNumbers(repeatStream(workload, timed));
  return {
    integers: repeated(rates.integers),
    handles: repeated(rates.handles),
    strings: repeated(rates.strings),
    handlesToIntegers: ratiosOf(rates.handles, rates.integers),
    stringsToIntegers: ratiosOf(rates.strings, rates.integers),
    p50,
    p99,
    stringsP50,
    stringsP99,
    allowed: allowedShare(engine, asNumbers(uniform)),
    skewed: rounded(() => rateOf(engine, asNumbers(shifted(skewed, 7_919 * ++passes)))),
    repeat: rounded(() => rateOf(engine, repeating)),
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

/** The same questions as the engine's handles; it knows all their scopes from now on. */
export function handlesOf(workload: Workload, engine: OwnEngine): (stream: Stream) => Stream {
  return inNumbers(workload, engine, (scope) => engine.scopeHandle(scope));
}

/** The same, but the engine goes on knowing only the scopes at which something is assigned. */
function placesOf(workload: Workload, engine: OwnEngine): (stream: Stream) => Stream {
  return inNumbers(workload, engine, (scope) => engine.place(scope));
}

function inNumbers(
  { users, actions, scopes }: Workload,
  engine: OwnEngine,
  numberOf: (scope: string) => number,
): (stream: Stream) => Stream {
  const userNumbers = users.map((id) => engine.principalHandle(id));
  const actionNumbers = actions.map((action) => engine.actionHandle(action));
  const scopeNumbers = scopes.map(numberOf);
  return (stream) => ({
    length: stream.length,
    users: stream.users.map((i) => userNumbers[i]!),
    actions: stream.actions.map((i) => actionNumbers[i]!),
    scopes: stream.scopes.map((i) => scopeNumbers[i]!),
  });
}

/** How many were asked. */
export function askAll(engine: OwnEngine, { users, actions, scopes, length }: Stream): number {
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

interface HandleQuestion {
  readonly user: number;
  readonly action: number;
  readonly scope: string;
}

interface Made<T> {
  readonly make: (from: number, to: number) => readonly T[];
  readonly ask: (question: T) => unknown;
}

function rateOf(engine: OwnEngine, stream: Stream): number {
  const start = coreSeconds();
  const asked = askAll(engine, stream);
  return asked / (coreSeconds() - start);
}

/** Making is not timed. */
function rateOfMade<T>({ make, ask }: Made<T>): number {
  let seconds = 0;
  for (let from = 0; from < timedStrings; from += madeAtOnce) {
    const questions = make(from, from + madeAtOnce);
    const start = coreSeconds();
    for (let i = 0; i < questions.length; i++) ask(questions[i]!);
    seconds += coreSeconds() - start;
  }
  return timedStrings / seconds;
}

function rounded(measure: () => number): Repeated {
  return repeated(inTurns({ only: measure }, turns).only);
}

/** Without what reading the clock takes. */
function quantiles(prepare: () => (i: number) => unknown): [Repeated, Repeated] {
  return quantilesOf(() => latencies(timedStrings, prepare()));
}

function quantilesOfMade<T>(prepare: () => Made<T>): [Repeated, Repeated] {
  return quantilesOf(() => {
    const { make, ask } = prepare();
    const times = new Float64Array(timedStrings);
    for (let from = 0; from < timedStrings; from += madeAtOnce) {
      const questions = make(from, Math.min(from + madeAtOnce, timedStrings));
      for (const [i, question] of questions.entries()) {
        const start = process.hrtime.bigint();
        ask(question);
        times[from + i] = Number(process.hrtime.bigint() - start);
      }
    }
    return times.sort();
  });
}

function quantilesOf(measure: () => Float64Array): [Repeated, Repeated] {
  const p50: number[] = [];
  const p99: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const clock = quantile(
      latencies(timedStrings, () => 0),
      0.5,
    );
    const times = measure();
    p50.push(quantile(times, 0.5) - clock);
    p99.push(quantile(times, 0.99) - clock);
  }
  return [repeated(p50), repeated(p99)];
}
