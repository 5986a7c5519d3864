import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Ledger } from '../src/ledger/ledger.ts';
import { decidedFact } from '../src/ledger/testing/ledger-fixture.ts';
import { openLedgerHouse } from './ledger-house.ts';
import { lone, type BenchRow } from './row.ts';

/** Requests that wait for their event at once: what one busy gateway holds; and a few, whose transactions are small. */
const appenders = 256;
const fewAppenders = 64;
const wantedPerSecond = 10_000;
const repetitions = 3;
const windowMilliseconds = 2_000;
/** Long enough that nothing which follows the append can be put off until it is over. */
const sustainedMilliseconds = 12_000;

/** What it costs to make an event durable, and how soon it is under a signed checkpoint. */
export async function run(): Promise<BenchRow[]> {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-bench-ledger-'));
  try {
    return await measure(home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function measure(home: string): Promise<BenchRow[]> {
  const { store, ledger, directory } = await openLedgerHouse(home, 'ledger');
  await appendFor(ledger, appenders, 500);
  const sample = await ledger.eventsAfter(0, 1);
  const entry = sample[0]?.entry ?? new Uint8Array();

  const rates: number[] = [];
  const fewRates: number[] = [];
  const floors: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    rates.push(await appendFor(ledger, appenders, windowMilliseconds));
    fewRates.push(await appendFor(ledger, fewAppenders, windowMilliseconds));
    floors.push(bareSqlite(join(home, `floor-${i}.db`), entry, windowMilliseconds));
  }
  const rate = median(rates);
  const floor = median(floors);
  const sustained = await appendFor(ledger, appenders, sustainedMilliseconds);
  await ledger.integrate();
  const [asked, half] = [wantedPerSecond / 2, sustained / 2];
  const paced = await pacedQuantiles(ledger, asked);
  const pacedHalf = await pacedQuantiles(ledger, half);
  const delays = await checkpointDelays(ledger, directory, 8);
  await ledger.integrate();

  await ledger.close();
  await store.close();

  return [
    {
      name: `ledger: durable events, ${appenders} concurrent appenders, publishing`,
      value: rate,
      unit: 'events/s',
      peer: `bare node:sqlite, same rows, one transaction per ${appenders}`,
      peerValue: floor,
      ratio: rate / floor,
      target: '≥ 10,000 events/s',
      met: rate >= wantedPerSecond,
      spread: spreadOf(rates),
    },
    {
      ...lone(`ledger: durable events, ${fewAppenders} concurrent appenders`, median(fewRates), 'events/s'),
      spread: spreadOf(fewRates),
    },
    lone(
      `ledger: durable events, ${appenders} concurrent appenders, ${sustainedMilliseconds / 1_000} s without a pause`,
      sustained,
      'events/s',
      '≥ 10,000 events/s',
      sustained >= wantedPerSecond,
    ),
    quantileRow('p50', asked, paced),
    {
      ...quantileRow('p99', asked, paced),
      target: '≤ 20 ms',
      met: median(paced.map(({ p99 }) => p99)) <= 20,
    },
    quantileRow('p50', half, pacedHalf),
    quantileRow('p99', half, pacedHalf),
    lone('ledger: event to signed checkpoint, p50', quantile(delays, 0.5), 'ms'),
    lone(
      'ledger: event to signed checkpoint, worst',
      Math.max(...delays),
      'ms',
      '≤ 1,000 ms',
      Math.max(...delays) <= 1_000,
    ),
  ];
}

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

function quantileRow(of: keyof Quantiles, perSecond: number, paced: readonly Quantiles[]): BenchRow {
  const values = paced.map((one) => one[of]);
  const load = Math.round(perSecond).toLocaleString('en-US');
  return {
    ...lone(`ledger: acknowledgement at ${load} events/s, ${of}`, median(values), 'ms'),
    spread: `${Math.min(...values).toFixed(1)}–${Math.max(...values).toFixed(1)}`,
  };
}

/** Events per second acknowledged to closed loops that each wait for one event before the next. */
async function appendFor(ledger: Ledger, loops: number, milliseconds: number): Promise<number> {
  const started = performance.now();
  let count = 0;
  await Promise.all(
    Array.from({ length: loops }, async () => {
      while (performance.now() - started < milliseconds) {
        await ledger.record(decidedFact());
        count += 1;
      }
    }),
  );
  return (count * 1_000) / (performance.now() - started);
}

/** The floor: the same bytes and columns into the same kind of table, nothing else. */
function bareSqlite(path: string, entry: Uint8Array, milliseconds: number): number {
  const database = new DatabaseSync(path);
  database.exec('pragma journal_mode = wal; pragma synchronous = full');
  database.exec(`create table events (sequence integer primary key autoincrement, event_id text not null unique,
    time integer not null, class_uid integer not null, decision_id text, entry blob not null) strict`);
  const insert = database.prepare(
    'insert into events (event_id, time, class_uid, decision_id, entry) values (?, ?, ?, ?, ?)',
  );
  const started = performance.now();
  let count = 0;
  while (performance.now() - started < milliseconds) {
    database.exec('begin');
    for (let i = 0; i < appenders; i++) insert.run(`evt_${count++}`, Date.now(), 6003, 'dec_bench', entry);
    database.exec('commit');
  }
  database.close();
  return (count * 1_000) / (performance.now() - started);
}

async function pacedQuantiles(ledger: Ledger, perSecond: number): Promise<Quantiles[]> {
  const paced: Quantiles[] = [];
  for (let i = 0; i < repetitions; i++) {
    const latencies = await pacedLatencies(ledger, perSecond, windowMilliseconds);
    paced.push({ p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) });
    await ledger.integrate();
  }
  return paced;
}

/** Latency in milliseconds of arrivals that do not wait for one another. */
async function pacedLatencies(ledger: Ledger, perSecond: number, milliseconds: number): Promise<number[]> {
  const latencies: number[] = [];
  const waiting: Promise<void>[] = [];
  const started = performance.now();
  let sent = 0;
  for (let elapsed = 0; elapsed < milliseconds; elapsed = performance.now() - started) {
    for (const due = (elapsed * perSecond) / 1_000; sent < due; sent++) {
      const arrived = started + (sent * 1_000) / perSecond;
      waiting.push(
        ledger.record(decidedFact()).then(() => {
          latencies.push(performance.now() - arrived);
        }),
      );
    }
    await new Promise(setImmediate);
  }
  await Promise.all(waiting);
  return latencies;
}

/** From a call of `record` until the published checkpoint covers the event, in milliseconds. */
async function checkpointDelays(ledger: Ledger, directory: string, times: number): Promise<number[]> {
  const delays: number[] = [];
  for (let i = 0; i < times; i++) {
    const started = performance.now();
    await ledger.record(decidedFact());
    const wanted = ledger.lastSequence();
    while (publishedSize(directory) < wanted) {
      await new Promise((resolve) => {
        setTimeout(resolve, 2);
      });
    }
    delays.push(performance.now() - started);
  }
  return delays;
}

function publishedSize(directory: string): number {
  return Number(readFileSync(join(directory, 'checkpoint'), 'utf8').split('\n')[1]);
}

function spreadOf(rates: readonly number[]): string {
  return `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
