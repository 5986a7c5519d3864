// The months that are searched: thousands of people and jobs, of whom a few do most.
import { isDeepStrictEqual } from 'node:util';
import { entryOf } from '../src/ledger/catalogue/entry.ts';
import type { Fact } from '../src/ledger/events.ts';
import { eventFacts, type EventFacts } from '../src/ledger/search/event-facts.ts';
import { EventKeys } from '../src/ledger/search/event-keys.ts';
import { IndexRows } from '../src/ledger/search/index-rows.ts';
import { OpenSegment, type SealedSegment } from '../src/ledger/search/open-segment.ts';
import { segmentWidth } from '../src/ledger/search/postings.ts';
import { TermKeys } from '../src/ledger/search/term-keys.ts';
import { attribution, decidedFact } from '../src/ledger/testing/ledger-fixture.ts';
import type { DecisionId, EventId, PrincipalId, RequestId, SessionId } from '../src/lib/ids.ts';
import type { ActorRef } from '../src/store/changes.ts';
import type { Store } from '../src/store/sqlite.ts';
import type { HashTiles } from './ledger-search-hashes.ts';

export const days = 180;
export const firstTime = Date.UTC(2027, 0, 1);

let seed = 7;
export function random(): number {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return seed / 2_147_483_648;
}

/** Small numbers far more often than large ones. */
export function skewed(below: number): number {
  return Math.floor(below * random() ** 3);
}

export const guid = (letter: string, i: number) =>
  `${letter.repeat(8)}-0000-4000-8000-${String(i).padStart(12, '0')}`;
export const person = (i: number) => guid('a', i) as PrincipalId;
export const job = (i: number) => guid('b', i) as PrincipalId;
export const workspace = (i: number) =>
  `/subscriptions/${guid('c', i % 4)}/resourcegroups/team-${i % 25}/providers/microsoft.machinelearningservices/workspaces/w${i}`;
const verbs = [
  'jobs/read',
  'jobs/write',
  'experiments/runs/write',
  'data/read',
  'models/read',
  'onlineendpoints/score/action',
];
export const action = (i: number) =>
  `Microsoft.MachineLearningServices/workspaces/${verbs[i % verbs.length]}${i < 6 ? '' : `/v${i}`}`;
export const decisionId = (i: number) => `dec_${String(i).padStart(26, '0')}` as DecisionId;
export const people = 5_000;
export const jobs = 20_000;
export const workspaces = 400;
/** Nobody but the robot does this, and the robot does nothing else. */
export const robot = person(999_999);
const robotAction = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';
/** Seen twice in all the months. */
export const stranger = person(888_888);

interface Templates {
  readonly decided: string;
  readonly ended: string;
}

const marks = [
  '@event',
  '@time',
  '@decision',
  '@request',
  '@person',
  '@job',
  '@scope',
  '@action',
  '@policy',
  '@session',
  '@token',
  '@status',
  '@asset',
];

/** An entry of each kind as the catalogue writes it, with marks where events differ: making ten million goes by these. */
function templates(): Templates {
  const chain: ActorRef[] = [
    { kind: 'user', id: '@person', name: 'Some Body' },
    { kind: 'job', id: '@job', name: 'train' },
  ];
  const by = attribution({
    chain,
    decisionId: '@decision' as DecisionId,
    requestId: '@request' as RequestId,
    policyId: 'roleAssignment:@policy',
    sessionId: '@session' as SessionId,
    tokenId: '@token',
  });
  const text = (fact: Fact): string => {
    const context = {
      id: '@event' as EventId,
      time: 0,
      origin: 'lockstep.bench/search',
      productVersion: '1',
      position: null,
    };
    const entry = Buffer.from(entryOf(fact, context).bytes).toString('utf8');
    return entry.replace('"time":0', '"time":@time').replace('"allowed":true', '"allowed":@status');
  };
  const scope = '/@scope/data/@asset';
  return {
    decided: text(
      decidedFact({ attribution: by, scope, action: '@action', operation: '@action', path: scope }),
    ),
    ended: text({
      kind: 'request.ended',
      attribution: by,
      surface: 'arm',
      operation: '@action',
      effect: 'read',
      scope,
      status: 200,
      requestBytes: 0,
      responseBytes: 1_000,
      durationMilliseconds: 3,
      ending: 'completed',
    }),
  };
}

/** Two events a request, as the gateway records it. */
export async function fill(
  { raw }: Store,
  count: number,
  tiles: HashTiles,
  bulk: BulkIndex | null,
): Promise<void> {
  const { decided, ended } = templates();
  const texts = [decided, ended];
  const parts = texts.map((text) => text.split(new RegExp(`(${marks.join('|')})`)));
  const facts = texts.map((text) =>
    eventFacts(JSON.parse(text.replace('@time', '0').replace('@status', 'true'))),
  );
  const insert = raw.prepare(
    `insert into ledger_events (event_id, time, class_uid, decision_id, job_id, principal_id, entry)
     values (?, ?, 6003, ?, ?, ?, ?)`,
  );
  const values = new Map<string, string>();
  for (let i = 0; i < count;) {
    raw.exec('begin');
    // Sequences begin at 1.
    for (const end = Math.min(count, i + segmentWidth - ((i + 1) % segmentWidth)); i < end; i++) {
      const request = i >> 1;
      if (i % 2 === 0) describe(values, request, count);
      const id = `evt_${String(i).padStart(26, '0')}`;
      const time = firstTime + Math.floor((i / count) * days * 86_400_000);
      values.set('@event', id).set('@time', String(time));
      let entry = '';
      for (const part of parts[i % 2] ?? [])
        entry += part.startsWith('@') ? (values.get(part) ?? part) : part;
      const bytes = Buffer.from(entry);
      insert.run(
        id,
        time,
        decisionId(request),
        values.get('@job') ?? null,
        values.get('@person') ?? null,
        bytes,
      );
      tiles.add(bytes);
      const own = facts[i % 2];
      if (own !== undefined) bulk?.add(i + 1, time, factsWith(own, values));
    }
    raw.exec('commit');
    if (i < count) await bulk?.seal();
  }
}

/** What the entry says with the marks filled in, without reading it. */
function factsWith(facts: EventFacts, values: ReadonlyMap<string, string>): EventFacts {
  const filled = (texts: readonly string[]) =>
    texts.map((text) => text.replaceAll(/@[a-z]+/g, (mark) => values.get(mark)?.toString() ?? mark));
  const lower = (texts: readonly string[]) => filled(texts).map((text) => text.toLowerCase());
  return {
    eventId: values.get('@event') ?? '',
    kind: facts.kind,
    persons: lower(facts.persons),
    resources: lower(facts.resources),
    actions: lower(facts.actions),
    decision: facts.decision === null ? null : values.get('@status') === 'true' ? 'allow' : 'deny',
    policies: lower(facts.policies),
    jobs: lower(facts.jobs),
    sessions: filled(facts.sessions),
    leases: filled(facts.leases),
    decisions: filled(facts.decisions),
    outcomes: filled(facts.outcomes),
    correlations: filled(facts.correlations),
    isCorrelationSealed: facts.isCorrelationSealed,
  };
}

/** Stores segments as the indexer does, from facts at hand. */
export class BulkIndex {
  readonly #rows: IndexRows;
  readonly #keys: EventKeys;
  #open = new OpenSegment(0);

  constructor(store: Store) {
    this.#rows = new IndexRows(store);
    this.#keys = new EventKeys(new TermKeys(this.#rows.salt()));
  }

  add(sequence: number, time: number, facts: EventFacts): void {
    this.#open.add(sequence, time, this.#keys.of(facts));
  }

  async seal(): Promise<void> {
    const sealed = this.#open.sealed();
    await this.#rows.seal(sealed);
    if (sealed.segment === 0) await this.#compare(sealed);
    this.#open = new OpenSegment(sealed.segment + 1);
  }

  /** Throws unless the first segment is exactly what reading its entries gives. */
  async #compare(first: SealedSegment): Promise<void> {
    const open = new OpenSegment(0);
    const rows = await this.#rows.turn(() => this.#rows.rowsAfter(0, segmentWidth - 1));
    for (const { sequence, time, entry } of rows) {
      open.add(sequence, time, this.#keys.of(eventFacts(JSON.parse(Buffer.from(entry).toString('utf8')))));
    }
    const again = open.sealed();
    if (!isDeepStrictEqual([again.common, again.rare], [first.common, first.rare])) {
      throw new Error('what was indexed is not what the entries say');
    }
  }
}

function describe(values: Map<string, string>, request: number, count: number): void {
  const isRobot = request % 5 === 0;
  const isStranger = request === 1_001 || request === Math.floor(count / 4) + 1;
  values.set('@decision', decisionId(request));
  values.set('@request', `req_${String(request).padStart(26, '0')}`);
  values.set('@person', isStranger ? stranger : isRobot ? robot : person(skewed(people)));
  values.set('@job', job(skewed(jobs)));
  values.set('@scope', workspace(skewed(workspaces)).slice(1));
  values.set('@action', isRobot ? robotAction : action(skewed(60)));
  values.set('@policy', guid('d', skewed(2_000)));
  values.set('@session', `ses_${String(skewed(50_000)).padStart(26, '0')}`);
  values.set('@token', `uti${request >> 4}`);
  values.set('@status', request % 50 === 3 ? 'false' : 'true');
  values.set('@asset', `a${skewed(3_000)}`);
}
