import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventFilter } from '../src/ledger/search/event-filter.ts';
import { LoggedEntries } from '../src/ledger/logged-entries.ts';
import { SubjectKeys } from '../src/ledger/privacy/subject-keys.ts';
import { Teller } from '../src/ledger/privacy/teller.ts';
import { directorySource } from '../src/ledger/sources/directory-source.ts';
import { Indexer, type SearchIndex } from '../src/ledger/search/indexer.ts';
import { relatedIds } from '../src/ledger/search/related-ids.ts';
import { searchEvents, type SearchOptions } from '../src/ledger/search/search-events.ts';
import { createLog } from '../src/lib/log.ts';
import { openSqliteStore, type Store } from '../src/store/sqlite.ts';
import {
  action,
  BulkIndex,
  days,
  decisionId,
  fill,
  firstTime,
  guid,
  job,
  jobs,
  people,
  person,
  random,
  robot,
  skewed,
  stranger,
  workspace,
  workspaces,
} from './ledger-search-months.ts';
import { coreSeconds, quantile } from './measure.ts';
import { HashTiles } from './ledger-search-hashes.ts';
import { lone, type BenchOptions, type BenchRow } from './row.ts';

const sizes: Readonly<Record<string, number>> = {
  '100k': 100_000,
  '1m': 1_000_000,
  '10m': 10_000_000,
};
const defaultSizes = ['1m'];
const queriesPerForm = 60;

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
  const directory = join(home, 'ledger');
  const tiles = new HashTiles(directory);
  await fill(store, count, tiles, bulk);
  const published = tiles.finish(store);
  const bytesOfRows = bytesOf(store);
  const logged = new LoggedEntries({
    store,
    source: directorySource(directory),
    published: () => published,
    onAltered: ({ sequence }) => {
      throw new Error(`row ${sequence} is not what was written`);
    },
  });
  const indexer = new Indexer(
    store,
    createLog('error'),
    logged.of,
    new Teller(store, new SubjectKeys(store)).rows,
  );
  const started = performance.now();
  const cpu = process.cpuUsage();
  const index = await indexer.caughtUp();
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const bytesOfIndex = bytesOf(store) - bytesOfRows;

  const rows: BenchRow[] =
    bulk === null
      ? [
          lone(`ledger search ${name}: events indexed`, count / seconds, 'events/s'),
          lone(`ledger search ${name}: processor time to index`, (user + system) / count, 'µs/event'),
          lone(`ledger search ${name}: index on disk`, bytesOfIndex / count, 'bytes/event'),
          lone(`ledger search ${name}: rows on disk`, bytesOfRows / count, 'bytes/event'),
        ]
      : [lone(`ledger search ${name}: rows and index on disk`, bytesOf(store) / count, 'bytes/event')];
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
  return { ...lone(`${name}, p95`, p95, 'ms', '≤ 200 ms', p95 <= 200), spread };
}

function bytesOf({ raw }: Store): number {
  raw.exec('pragma wal_checkpoint(truncate)');
  const [count, size] = ['page_count', 'page_size'].map((name) =>
    Number(raw.prepare(`pragma ${name}`).get()?.[name]),
  );
  return (count ?? 0) * (size ?? 0);
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
