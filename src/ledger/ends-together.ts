import type { Clock } from '../lib/clock.ts';
import type { EventId } from '../lib/ids.ts';
import type { Outcome, RecordFact, RequestFact } from './events.ts';

type Ended = Extract<RequestFact, { kind: 'request.ended' }>;

interface Waiting {
  readonly fact: Ended;
  readonly outcome: Outcome;
  readonly resolve: (id: EventId | Promise<EventId>) => void;
}

interface Group {
  /** When the first of them ended, milliseconds since the epoch. */
  readonly since: number;
  readonly ends: Waiting[];
}

/** So long the end of a read waits for others that are like it. */
const gatherMilliseconds = 100;
/** So many share a record at least. Fewer are recorded each by itself, as all else is. */
const fewest = 8;
/** So many share one at most: it fits into an entry of the log with room to spare. */
const most = 256;

/**
 * Where a caller reads much, the ends of those reads share records: the decision of each has been recorded by itself, and
 * is durable; what is left to say of it is a line. Nothing is waited for by anybody but the record.
 */
export class EndsTogether {
  readonly #record: RecordFact;
  readonly #clock: Clock;
  /** By what they have in common. */
  #waiting = new Map<string, Group>();
  #timer: NodeJS.Timeout | null = null;

  constructor(record: RecordFact, clock: Clock) {
    this.#record = record;
    this.#clock = clock;
  }

  /** Records it, or lets it wait to be recorded with others. Resolves with the id of its record once that is durable. */
  readonly record: RecordFact = (fact) => {
    // What ended before a stop is not told behind it.
    if (fact.kind === 'lifecycle') this.flush();
    const outcome = fact.kind === 'request.ended' ? sharedOutcome(fact) : null;
    if (fact.kind !== 'request.ended' || outcome === null) return this.#record(fact);
    return new Promise<EventId>((resolve) => this.#wait({ fact, outcome, resolve }));
  };

  /** All that waits is recorded now. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const groups = this.#waiting;
    this.#waiting = new Map();
    for (const group of groups.values()) this.#end(group);
  }

  #wait(waiting: Waiting): void {
    const alike = whatIsAlike(waiting.fact);
    let group = this.#waiting.get(alike);
    if (group === undefined) this.#waiting.set(alike, (group = { since: this.#clock.now(), ends: [] }));
    group.ends.push(waiting);
    if (group.ends.length >= most) {
      this.#waiting.delete(alike);
      this.#end(group);
    }
    this.#timer ??= setTimeout(() => this.flush(), gatherMilliseconds);
  }

  #end({ since, ends }: Group): void {
    const [first] = ends;
    if (first === undefined) return;
    if (ends.length < fewest) {
      for (const { fact, resolve } of ends) resolve(this.#recorded(fact));
      return;
    }
    const { attribution, surface, operation } = first.fact;
    const recorded = this.#recorded({
      kind: 'requests.ended',
      attribution: { ...attribution, ...ofNoSingleOne },
      surface,
      operation,
      scope: commonScope(ends.map(({ fact }) => fact.scope)),
      since,
      outcomes: ends.map(({ outcome }) => outcome),
    });
    for (const { resolve } of ends) resolve(recorded);
  }

  /** The ledger may refuse by throwing. */
  async #recorded(fact: RequestFact): Promise<EventId> {
    return this.#record(fact);
  }
}

/** As far as the segments of all of them are the same; the root where none is. */
export function commonScope([first = '/', ...others]: readonly string[]): string {
  let common = first.split('/');
  for (const other of others) {
    const segments = other.split('/');
    const end = common.findIndex((segment, i) => segment !== segments[i]);
    if (end >= 0) common = common.slice(0, end);
  }
  return common.join('/') || '/';
}

const ofNoSingleOne = {
  requestId: null,
  correlationId: null,
  decisionId: null,
  policyId: null,
  snapshotVersion: null,
} as const;

/** Of a read that ended as reads do, and of which nothing else is to be said; null for all others. */
function sharedOutcome(fact: Ended): Outcome | null {
  const { decisionId } = fact.attribution;
  if (decisionId === null || fact.effect !== 'read' || fact.ending !== 'completed') return null;
  if (fact.sentAgain !== undefined || fact.webSocket !== undefined) return null;
  const { status, requestBytes, responseBytes, durationMilliseconds } = fact;
  return { decisionId, status, requestBytes, responseBytes, durationMilliseconds };
}

/** Everything that the record says once for all of them. */
function whatIsAlike({ attribution, surface, operation, status }: Ended): string {
  const { chain, sourceAddress, sessionId, leaseId, tokenId } = attribution;
  const links = chain.map(({ kind, id, name }) => [kind, id, name]);
  return JSON.stringify([
    links,
    sourceAddress,
    sessionId,
    leaseId,
    tokenId,
    surface,
    operation,
    status < 400,
  ]);
}
