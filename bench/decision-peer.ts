import { decide } from '../src/policy/decide.ts';
import { askAll } from './decision-interfaces.ts';
import type { OwnEngine } from './decision-own.ts';
import { questionAt, shifted, uniformStream, type Question, type Stream } from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';
import { coreSeconds, inTurns, latencies, quantile, ratiosOf, repeated, type Repeated } from './measure.ts';

/** Another engine with the same policy, as far as it concerns the first `users` of the tenant. */
export interface Peer {
  readonly name: string;
  readonly users: number;
  /** How many different questions it is asked. */
  readonly questions: number;
  allows(question: Question): boolean;
}

export interface PeerFigures {
  readonly name: string;
  readonly users: number;
  readonly questions: number;
  readonly perSecond: Repeated;
  /** Nanoseconds. */
  readonly p50: number;
  readonly p99: number;
  /** The product's decisions per core second by integers: the same people at the same scopes, no question twice. */
  readonly ownFresh: Repeated;
  /** On the very same questions, over and over. */
  readonly ownSame: Repeated;
  /** What each is of the peer's rate, round by round. */
  readonly freshRatio: Repeated;
  readonly sameRatio: Repeated;
  /** Bytes of the process while it is asked. */
  readonly residentBytes: number;
}

/** Short ones, by turns; in the first it becomes known who asks often, and code is compiled. */
const turns = { rounds: 11, warmUps: 4 };
const roundSeconds = 0.15;
const ownQuestions = 300_000;

/** Throws unless the peer and the engine agree on each of the questions. */
export function measurePeer(workload: Workload, engine: OwnEngine, peer: Peer): PeerFigures {
  const stream = uniformStream(workload, 1_000_000);
  const questions: Question[] = [];
  for (let i = 0; i < stream.length && questions.length < peer.questions; i++) {
    if (stream.users[i]! < peer.users) questions.push(questionAt(workload, stream, i));
  }
  const wrong = questions.filter(
    (question) =>
      peer.allows(question) !== decide(engine.snapshot, question.principal, question.access).allowed,
  ).length;
  if (wrong > 0) throw new Error(`${peer.name} disagrees on ${wrong} of ${questions.length}`);

  const times = latencies(questions.length, (i) => peer.allows(questions[i]!));
  const users = Int32Array.from(questions, ({ principal }) => engine.principalHandle(principal));
  const actions = Int32Array.from(questions, ({ access }) => engine.actionHandle(access.action));
  const scopes = Int32Array.from(questions, ({ access }) => engine.scopeHandle(access.scope));
  const asked = { length: questions.length, users, actions, scopes };
  const passes = Math.ceil(ownQuestions / questions.length);
  let by = 0;
  // Each pass asks everybody about another action at the same scope.
  const fresh = (): Stream[] => Array.from({ length: passes }, () => shifted(asked, (by += 7_919)));
  const again = (): Stream[] => Array.from({ length: passes }, () => asked);
  const rates = inTurns(
    {
      fresh: () => ownRate(engine, fresh()),
      theirs: rate(questions.length, (i) => peer.allows(questions[i]!)),
      same: () => ownRate(engine, again()),
    },
    turns,
  );
  return {
    name: peer.name,
    users: peer.users,
    questions: questions.length,
    perSecond: repeated(rates.theirs),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    ownFresh: repeated(rates.fresh),
    ownSame: repeated(rates.same),
    freshRatio: ratiosOf(rates.fresh, rates.theirs),
    sameRatio: ratiosOf(rates.same, rates.theirs),
    residentBytes: process.memoryUsage.rss(),
  };
}

/** Calls per core second. */
function ownRate(engine: OwnEngine, streams: readonly Stream[]): number {
  const start = coreSeconds();
  let asked = 0;
  for (const stream of streams) asked += askAll(engine, stream);
  return asked / (coreSeconds() - start);
}

/** Calls per core second, one question after the other, over and over. */
function rate(count: number, call: (i: number) => boolean): () => number {
  const batch = Math.max(1, Math.min(count, 200));
  let at = 0;
  return () => {
    const start = coreSeconds();
    let asked = 0;
    do {
      for (let i = 0; i < batch; i++) {
        call(at);
        at = at + 1 === count ? 0 : at + 1;
      }
      asked += batch;
    } while (coreSeconds() - start < roundSeconds);
    return asked / (coreSeconds() - start);
  };
}
