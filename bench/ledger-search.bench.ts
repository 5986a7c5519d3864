import { isDeepStrictEqual } from 'node:util';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entryOf } from '../src/ledger/catalogue/entry.ts';
import type { Fact } from '../src/ledger/events.ts';
import type { EventFilter } from '../src/ledger/search/event-filter.ts';
import { eventFacts, type EventFacts } from '../src/ledger/search/event-facts.ts';
import { EventKeys } from '../src/ledger/search/event-keys.ts';
import { IndexRows } from '../src/ledger/search/index-rows.ts';
import { OpenSegment, type SealedSegment } from '../src/ledger/search/open-segment.ts';
import { segmentWidth } from '../src/ledger/search/postings.ts';
import { TermKeys } from '../src/ledger/search/term-keys.ts';
import { Indexer, type SearchIndex } from '../src/ledger/search/indexer.ts';
import { relatedIds } from '../src/ledger/search/related-ids.ts';
import { searchEvents, type SearchOptions } from '../src/ledger/search/search-events.ts';
import { attribution, decidedFact } from '../src/ledger/testing/ledger-fixture.ts';
import type { DecisionId, EventId, PrincipalId, RequestId, SessionId } from '../src/lib/ids.ts';
import { createLog } from '../src/lib/log.ts';
import type { ActorRef } from '../src/store/changes.ts';
import { openSqliteStore, type Store } from '../src/store/sqlite.ts';
import { coreSeconds, quantile } from './measure.ts';
import type { BenchOptions, BenchRow } from './row.ts';

const sizes: Readonly<Record<string, number>> = {
  '100k': 100_000,
  '1m': 1_000_000,
  '10m': 10_000_000,
};
const defaultSizes = ['1m'];
const queriesPerForm = 60;
const days = 180;
const firstTime = Date.UTC(2027, 0, 1);

/** How long it takes to find events among many, by what is asked for; and what the index takes of the disk. */
export async function run({ size }: BenchOptions): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const name of size ?? defaultSizes) {
    const count = sizes[name];
    if (count === undefined) continue;
    const home = mkdtempSync(join(tmpdir(), 'lockstep-bench-search-'));
    try {
      rows.push(...(await measure(home, name, count)));
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  }
  return rows;
}

async function measure(home: string, name: string, count: number): Promise<BenchRow[]> {
  const store = await openSqliteStore({ path: join(home, 'lockstep.db'), dangerouslyNotDurable: true });
  // Ten million are indexed while they are made, from the same facts, which spares reading each of them again.
  const bulk = count > 1_000_000 ? new BulkIndex(store) : null;
  await fill(store, count, bulk);
  const bytesOfRows = bytesOf(store);
  const indexer = new Indexer(store, createLog('error'));
  const started = performance.now();
  const cpu = process.cpuUsage();
  const index = await indexer.caughtUp();
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const bytesOfIndex = bytesOf(store) - bytesOfRows;

  const rows: BenchRow[] =
    bulk === null
      ? [
          row(`ledger search ${name}: events indexed`, count / seconds, 'events/s', null, null),
          row(
            `ledger search ${name}: processor time to index`,
            (user + system) / count,
            'µs/event',
            null,
            null,
          ),
          row(`ledger search ${name}: index on disk`, bytesOfIndex / count, 'bytes/event', null, null),
          row(`ledger search ${name}: rows on disk`, bytesOfRows / count, 'bytes/event', null, null),
        ]
      : [
          row(
            `ledger search ${name}: rows and index on disk`,
            bytesOf(store) / count,
            'bytes/event',
            null,
            null,
          ),
        ];
  const all: number[] = [];
  const allWorked: number[] = [];
  for (const [form, ask] of Object.entries(forms)) {
    const times: number[] = [];
    const worked: number[] = [];
    let found = 0;
    for (let i = 0; i < queriesPerForm; i++) {
      const { filter, options } = ask(count);
      const from = performance.now();
      const before = coreSeconds();
      found += await answer(index, filter, { limit: 100, ...options });
      times.push(performance.now() - from);
      worked.push((coreSeconds() - before) * 1_000);
    }
    all.push(...times);
    allWorked.push(...worked);
    rows.push(
      latencyRow(
        `ledger search ${name}: ${form} (${Math.round(found / queriesPerForm)} found)`,
        times,
        worked,
      ),
    );
  }
  rows.push(latencyRow(`ledger search ${name}: all of them`, all, allWorked));
  await indexer.close();
  await store.close();
  return rows;
}

async function answer(index: SearchIndex, filter: EventFilter, options: SearchOptions): Promise<number> {
  const [id] = filter.ids ?? [];
  const asked = id === undefined ? filter : { ...filter, ids: await relatedIds(index, id) };
  return (await searchEvents(index, asked, options)).events.length;
}

/** What the clock says has the target; what the processor did of it is told beside it, since the machine may be shared. */
function latencyRow(name: string, times: readonly number[], worked: readonly number[]): BenchRow {
  const [clock, processor] = [times, worked].map((values) => Float64Array.from(values).sort());
  const of = (sorted: Float64Array | undefined, q: number) =>
    sorted === undefined ? 0 : Number(quantile(sorted, q).toPrecision(3));
  const p95 = of(clock, 0.95);
  const spread = `p50 ${of(clock, 0.5)}, p99 ${of(clock, 0.99)}; processor p95 ${of(processor, 0.95)}`;
  return { ...row(`${name}, p95`, p95, 'ms', '≤ 200 ms', p95 <= 200), spread };
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

function bytesOf({ raw }: Store): number {
  raw.exec('pragma wal_checkpoint(truncate)');
  const [count, size] = ['page_count', 'page_size'].map((name) =>
    Number(raw.prepare(`pragma ${name}`).get()?.[name]),
  );
  return (count ?? 0) * (size ?? 0);
}

// The months that are searched: a few hundred people and as many jobs, of whom a few do most.

let seed = 7;
function random(): number {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return seed / 2_147_483_648;
}

/** Small numbers far more often than large ones. */
function skewed(below: number): number {
  return Math.floor(below * random() ** 3);
}

const guid = (letter: string, i: number) =>
  `${letter.repeat(8)}-0000-4000-8000-${String(i).padStart(12, '0')}`;
const person = (i: number) => guid('a', i) as PrincipalId;
const job = (i: number) => guid('b', i) as PrincipalId;
const workspace = (i: number) =>
  `/subscriptions/${guid('c', i % 4)}/resourcegroups/team-${i % 25}/providers/microsoft.machinelearningservices/workspaces/w${i}`;
const verbs = [
  'jobs/read',
  'jobs/write',
  'experiments/runs/write',
  'data/read',
  'models/read',
  'onlineendpoints/score/action',
];
const action = (i: number) =>
  `Microsoft.MachineLearningServices/workspaces/${verbs[i % verbs.length]}${i < 6 ? '' : `/v${i}`}`;
const decisionId = (i: number) => `dec_${String(i).padStart(26, '0')}` as DecisionId;
const people = 5_000;
const jobs = 20_000;
const workspaces = 400;
/** Nobody but the robot does this, and the robot does nothing else. */
const robot = person(999_999);
const robotAction = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';
/** Seen twice in all the months. */
const stranger = person(888_888);

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
async function fill({ raw }: Store, count: number, bulk: BulkIndex | null): Promise<void> {
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
      insert.run(
        id,
        time,
        decisionId(request),
        values.get('@job') ?? null,
        values.get('@person') ?? null,
        Buffer.from(entry),
      );
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
    persons: lower(facts.persons),
    resources: lower(facts.resources),
    actions: lower(facts.actions),
    decision: facts.decision === null ? null : values.get('@status') === 'true' ? 'allow' : 'deny',
    policies: lower(facts.policies),
    jobs: lower(facts.jobs),
    sessions: filled(facts.sessions),
    leases: filled(facts.leases),
    decisions: filled(facts.decisions),
    correlations: filled(facts.correlations),
  };
}

/** Stores segments as the indexer does, from facts at hand. */
class BulkIndex {
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

interface Question {
  readonly filter: EventFilter;
  readonly options?: Partial<SearchOptions>;
}

/** A day of the first third of the months. */
function oldDay(): { since: number; until: number } {
  const since = firstTime + Math.floor((random() * days) / 3) * 86_400_000;
  return { since, until: since + 86_400_000 };
}

const forms: Readonly<Record<string, (count: number) => Question>> = {
  'a busy person': () => ({ filter: { person: person(skewed(20)) } }),
  'any person': () => ({ filter: { person: person(Math.floor(random() * people)) } }),
  'a workspace and beneath': () => ({ filter: { resource: workspace(Math.floor(random() * workspaces)) } }),
  'a subscription, denied': () => ({
    filter: { resource: `/subscriptions/${guid('c', skewed(4))}`, decision: 'deny' },
  }),
  'an action by its beginning': () => ({
    filter: { action: 'Microsoft.MachineLearningServices/workspaces/jobs/*' },
  }),
  'a policy, a person and an action': () => ({
    filter: { policy: guid('d', skewed(50)), person: person(skewed(50)), action: action(skewed(6)) },
  }),
  'a job': () => ({ filter: { job: job(skewed(jobs)) } }),
  'a session, allowed': () => ({
    filter: { session: `ses_${String(skewed(50_000)).padStart(26, '0')}`, decision: 'allow' },
  }),
  'common and rare': () => ({ filter: { person: stranger, decision: 'allow' } }),
  'two common ones that never meet': () => ({
    filter: { person: robot, action: 'Microsoft.MachineLearningServices/*' },
  }),
  'three common ones that never meet': () => ({
    filter: { resource: '/subscriptions', person: robot, action: action(0), decision: 'allow' },
  }),
  nobody: () => ({ filter: { person: guid('f', Math.floor(random() * 1e6)) } }),
  'an old day': () => ({ filter: oldDay() }),
  'an old day of a person': () => ({ filter: { ...oldDay(), person: person(skewed(100)) } }),
  'an old day, denied at a workspace': () => ({
    filter: { ...oldDay(), decision: 'deny', resource: workspace(skewed(50)) },
  }),
  'all months of what never met': () => ({
    filter: { since: firstTime, until: firstTime + days * 86_400_000, person: robot, action: action(1) },
  }),
  'a page from the middle': (count) => ({
    filter: { person: person(skewed(100)), decision: 'allow' },
    options: { before: Math.floor(random() * count) },
  }),
  'a request id': (count) => ({
    filter: { correlation: `req_${String(Math.floor((random() * count) / 2)).padStart(26, '0')}` },
  }),
  'a token id': (count) => ({ filter: { correlation: `uti${Math.floor((random() * count) / 32)}` } }),
  'a decision id alone': (count) => ({ filter: { ids: [decisionId(Math.floor((random() * count) / 2))] } }),
  'an event id alone': (count) => ({
    filter: { ids: [`evt_${String(Math.floor(random() * count)).padStart(26, '0')}`] },
  }),
  'a job id alone': () => ({ filter: { ids: [job(skewed(jobs))] } }),
};
