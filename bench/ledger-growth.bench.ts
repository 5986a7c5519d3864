import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ledger } from '../src/ledger/ledger.ts';
import { decidedFact } from '../src/ledger/testing/ledger-fixture.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockstepError } from '../src/lib/errors.ts';
import { type Store } from '../src/store/sqlite.ts';
import { growthPlot, type GrowthPoint } from './ledger-growth-plot.ts';
import { openLedgerHouse } from './ledger-house.ts';
import { coreSeconds, repeated, spreadOf } from './measure.ts';
import type { BenchOptions, BenchRow } from './row.ts';

const defaultSizes = ['10k', '100k', '1m'];
/** A line of fewer says nothing. */
const fewestPlotted = 3;
const appenders = 64;
const rounds = 7;
const eventsPerRound = 2_000;
/** Row, index and the entry in its bundle; the write-ahead log and the file system come on top. */
const bytesPerEvent = 5_500;
/** Of the last size to the first, in processor time: less is called flat. */
const flatBelow = 1.25;

/**
 * What a durable event costs when the log already holds so many: recorded, committed, sequenced, published, indexed. Between
 * the sizes the same code fills the log without waiting for the disk. Draws `docs/ledger-growth.svg` when it has measured
 * three sizes or more.
 */
export async function run({ size }: BenchOptions): Promise<BenchRow[]> {
  const named = size ?? defaultSizes;
  const sizes = named.map(countOf).sort((a, b) => a - b);
  const home = mkdtempSync(join(tmpdir(), 'lockstep-bench-growth-'));
  try {
    const { bavail, bsize } = statfsSync(home);
    const wanted = (sizes.at(-1) ?? 0) * bytesPerEvent * 1.2;
    if (bavail * bsize < wanted) {
      throw new Error(
        `${home} has room for ${Math.floor((bavail * bsize) / 1e9)} GB; ${Math.ceil(wanted / 1e9)} GB are needed`,
      );
    }
    const points = await measure(home, sizes);
    const rows = rowsOf(points);
    if (sizes.length >= fewestPlotted) {
      writeFileSync(
        join(import.meta.dirname, '..', 'docs', 'ledger-growth.svg'),
        growthPlot(points, verdictOf(points)),
      );
    }
    return rows;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function measure(home: string, sizes: readonly number[]): Promise<GrowthPoint[]> {
  const { store, ledger } = await openLedgerHouse(home, 'growth');
  const points: GrowthPoint[] = [];
  try {
    for (const events of sizes) {
      await fill(ledger, store, events - ledger.lastSequence());
      points.push({ events, ...(await costs(ledger)) });
    }
    return points;
  } finally {
    await ledger.close();
    await store.close();
  }
}

async function fill(ledger: Ledger, store: Store, count: number): Promise<void> {
  await store.db.connection().execute(async () => store.raw.exec('pragma synchronous = off'));
  for (let left = count; left > 0; left -= 4_096) {
    await Promise.all(Array.from({ length: Math.min(left, 4_096) }, () => ledger.record(decidedFact())));
  }
  await ledger.integrate();
  await indexed(ledger);
  await store.db.connection().execute(async () => store.raw.exec('pragma wal_checkpoint(truncate)'));
  await store.db.connection().execute(async () => store.raw.exec('pragma synchronous = full'));
}

/** What is left of the fill is not to be paid for by what is measured. */
async function indexed(ledger: Ledger): Promise<void> {
  for (;;) {
    try {
      await ledger.search({ ids: ['evt_none'] }, { limit: 1 });
      return;
    } catch (error) {
      if (!(error instanceof LockstepError) || error.code !== 'ledger_unavailable') throw error;
      await sleep(100);
    }
  }
}

async function costs(ledger: Ledger): Promise<Omit<GrowthPoint, 'events'>> {
  const processor: number[] = [];
  const elapsed: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const [core, started] = [coreSeconds(), performance.now()];
    let left = eventsPerRound;
    await Promise.all(
      Array.from({ length: appenders }, async () => {
        while (left-- > 0) await ledger.record(decidedFact());
      }),
    );
    await ledger.integrate();
    // The first round warms up.
    if (round === 0) continue;
    elapsed.push(((performance.now() - started) * 1_000) / eventsPerRound);
    processor.push(((coreSeconds() - core) * 1e6) / eventsPerRound);
  }
  return { processor: repeated(processor), elapsed: repeated(elapsed) };
}

function rowsOf(points: readonly GrowthPoint[]): BenchRow[] {
  const [first] = points;
  return (['processor', 'elapsed'] as const).flatMap((key) =>
    points.map((point): BenchRow => {
      const isLast = key === 'processor' && point === points.at(-1) && points.length > 1;
      const ratio = first === undefined ? 1 : first[key].median / point[key].median;
      return {
        name: `ledger-growth: ${key} per durable event, ${point.events.toLocaleString('en-US')} events in the log`,
        value: point[key].median,
        unit: 'µs',
        peer:
          first === undefined || point === first ? null : `${first.events.toLocaleString('en-US')} events`,
        peerValue: first === undefined || point === first ? null : first[key].median,
        ratio: point === first ? null : ratio,
        target: isLast ? `flat: < × ${flatBelow} of the first` : null,
        met: isLast ? growthOf(points, key) < flatBelow : null,
        spread: spreadOf(point[key]),
      };
    }),
  );
}

function verdictOf(points: readonly GrowthPoint[]): string {
  const growth = growthOf(points, 'processor');
  const [first, last] = [points[0], points.at(-1)];
  return (
    `${growth < flatBelow ? 'Flat' : 'Not flat'}: at ${last?.events.toLocaleString('en-US')} events × ${growth.toFixed(2)} ` +
    `of the processor time at ${first?.events.toLocaleString('en-US')}, × ${growthOf(points, 'elapsed').toFixed(2)} elapsed`
  );
}

/** Cost at the last size ÷ cost at the first. */
function growthOf(points: readonly GrowthPoint[], key: 'processor' | 'elapsed'): number {
  const [first, last] = [points[0], points.at(-1)];
  return first === undefined || last === undefined ? 1 : last[key].median / first[key].median;
}

/** `10k`, `1m`. */
function countOf(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)([km]?)$/.exec(text) ?? [];
  const count = Number(digits) * (unit === 'm' ? 1e6 : unit === 'k' ? 1e3 : 1);
  if (!(count >= 1_000)) throw new Error(`${text} is not a size such as 10k, 100k, 1m or 10m`);
  return count;
}
