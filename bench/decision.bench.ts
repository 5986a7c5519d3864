import { decide } from '../src/policy/decide.ts';
import { PolicySnapshot } from '../src/policy/snapshot.ts';
import { referenceDecide } from '../src/policy/testing/reference-evaluator.ts';
import type { PrincipalId } from '../src/lib/ids.ts';
import type { Change } from '../src/store/changes.ts';
import { casbinPeer, caslPeer, cedarPeer, type Peer } from './decision-peers.ts';
import {
  fresh,
  generateWorkload,
  hundredThousand,
  type Question,
  type Workload,
} from './decision-workload.ts';
import type { BenchRow } from './row.ts';

const name = 'decision at 100,000 assignments';

/**
 * Decisions on one thread at 100,000 assignments, asked with strings as a request carries them, against three
 * engines on the same policy, each modelled in its favour (see decision-peers.ts). Nothing is reported unless every
 * engine agrees with the reference evaluator, or with an engine that does, on the questions that it is timed with.
 */
export async function run(): Promise<BenchRow[]> {
  const workload = generateWorkload(hundredThousand);
  const snapshot = PolicySnapshot.from(workload.rows);
  agreeWithReference(workload, snapshot);
  const own = measureOwn(snapshot, workload.questions);

  const rows: BenchRow[] = [
    row(`${name}, p50`, own.p50, 'µs', '≤ 2 µs', own.p50 <= 2),
    row(`${name}, p99`, own.p99, 'µs', '≤ 20 µs', own.p99 <= 20),
    {
      ...row(`${name}, uniform`, own.perSecond, 'decisions per core second', null, null),
      spread: own.spread,
    },
  ];
  for (const [build, count, target] of [
    [caslPeer, 20_000, null],
    [cedarPeer, 500, 100],
    [casbinPeer, 5, 100],
  ] as const) {
    const peer = await build(workload, snapshot);
    const asked = peer.questions.slice(0, count);
    agree(peer, snapshot, asked);
    const perSecond = rate(asked, (question) => peer.allows(question));
    const ownPerSecond = rate(asked, ({ principal, access }) => decide(snapshot, principal, access));
    const ratio = ownPerSecond / perSecond;
    rows.push({
      name: `${name}, the peer's ${asked.length} questions`,
      value: ownPerSecond,
      unit: 'decisions per core second',
      peer: peer.name,
      peerValue: perSecond,
      ratio,
      target: target === null ? null : `≥ ${target} ×`,
      met: target === null ? null : ratio >= target,
    });
  }
  rows.push(...measureMembership(workload, snapshot));
  return rows;
}

function agreeWithReference({ rows, questions }: Workload, snapshot: PolicySnapshot): void {
  for (const { principal, access } of questions.slice(0, 25)) {
    const { allowed, cause } = decide(snapshot, principal, access);
    const reference = referenceDecide(rows, principal, access);
    const id = 'id' in cause ? cause.id : null;
    if (allowed !== reference.allowed || id !== reference.policyId) {
      throw new Error(`the engine disagrees with the reference on ${JSON.stringify({ principal, access })}`);
    }
  }
}

/** Principal and scope are strings never seen before; the action is a constant of an adapter. */
function measureOwn(
  snapshot: PolicySnapshot,
  questions: readonly Question[],
): { p50: number; p99: number; perSecond: number; spread: string } {
  for (const { principal, access } of questions) decide(snapshot, principal, access);
  const rates: number[] = [];
  const medians: number[] = [];
  const tails: number[] = [];
  for (let round = 0; round < 5; round++) {
    const asked = questions.slice(round * 30_000, round * 30_000 + 30_000).map(parsed);
    const start = coreSeconds();
    for (const { principal, access } of asked) decide(snapshot, principal, access);
    rates.push(asked.length / (coreSeconds() - start));
    const times = new Float64Array(30_000);
    for (const [i, question] of questions.slice(round * 30_000, round * 30_000 + 30_000).entries()) {
      const { principal, access } = parsed(question);
      const start = process.hrtime.bigint();
      decide(snapshot, principal, access);
      times[i] = Number(process.hrtime.bigint() - start) / 1_000;
    }
    times.sort();
    medians.push(quantile(times, 0.5));
    tails.push(quantile(times, 0.99));
  }
  rates.sort((a, b) => a - b);
  return {
    p50: median(medians),
    p99: median(tails),
    perSecond: median(rates),
    spread: `${Math.round(rates[0]!).toLocaleString('en-US')}–${Math.round(rates.at(-1)!).toLocaleString('en-US')}`,
  };
}

function agree(peer: Peer, snapshot: PolicySnapshot, questions: readonly Question[]): void {
  const wrong = questions.filter(
    (question) => decide(snapshot, question.principal, question.access).allowed !== peer.allows(question),
  );
  if (wrong.length > 0) throw new Error(`${peer.name} disagrees on ${wrong.length} of ${questions.length}`);
}

/** Calls per second of one core, over at least half a second of it, warm. */
function rate(questions: readonly Question[], call: (question: Question) => unknown): number {
  for (const question of questions) call(question);
  const start = coreSeconds();
  let asked = 0;
  do {
    for (const question of questions) call(question);
    asked += questions.length;
  } while (coreSeconds() - start < 0.5);
  return asked / (coreSeconds() - start);
}

/** Processor time of this thread: other programs on the machine do not count. */
function coreSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

/** One user joins and leaves a group; one group of users is nested and taken out: each followed by a decision. */
function measureMembership({ rows, users, questions }: Workload, snapshot: PolicySnapshot): BenchRow[] {
  const groups = rows.principals.filter((row) => row.kind === 'group').map((row) => row.id);
  let sequence = snapshot.version;
  const edit = (
    member: PrincipalId,
    group: PrincipalId,
    kind: 'group.member-added' | 'group.member-removed',
  ): void => {
    const change: Change = { kind, group, member };
    snapshot.apply({ sequence: ++sequence, change });
  };
  const time = (member: (i: number) => PrincipalId, group: (i: number) => PrincipalId): number => {
    const times = timeEach(
      Array.from({ length: 2_000 }, (_, i) => i),
      (i) => {
        edit(member(i >> 1), group(i >> 1), i % 2 === 0 ? 'group.member-added' : 'group.member-removed');
        decide(snapshot, users[i]!, questions[i]!.access);
      },
    );
    return quantile(times, 0.99);
  };
  const user = time(
    (i) => users[i % users.length]!,
    (i) => groups[i % 700]!,
  );
  const nest = time(
    (i) => groups[900 + (i % 50)]!,
    (i) => groups[950 + (i % 50)]!,
  );
  return [
    row('membership change and first decision, one user, p99', user, 'µs', '≤ 1,000 µs', user <= 1_000),
    row('membership change and first decision, nested group, p99', nest, 'µs', '≤ 1,000 µs', nest <= 1_000),
  ];
}

/** The question in strings that were just made, as a parser makes them. */
function parsed({ principal, access }: Question): Question {
  return { principal: fresh(principal) as PrincipalId, access: { ...access, scope: fresh(access.scope) } };
}

/** Microseconds of each call, in order of length. */
function timeEach<T>(items: readonly T[], call: (item: T) => unknown): Float64Array {
  const times = new Float64Array(items.length);
  for (const [i, item] of items.entries()) {
    const start = process.hrtime.bigint();
    call(item);
    times[i] = Number(process.hrtime.bigint() - start) / 1_000;
  }
  return times.sort();
}

function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function row(
  name: string,
  value: number,
  unit: string,
  target: string | null,
  met: boolean | null,
): BenchRow {
  return { name, value, unit, peer: null, peerValue: null, ratio: null, target, met };
}
