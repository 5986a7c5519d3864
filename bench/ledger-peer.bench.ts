import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Ledger } from '../src/ledger/ledger.ts';
import { decidedFact } from '../src/ledger/testing/ledger-fixture.ts';
import { goProgram } from '../test/interop/go-program.ts';
import { openLedgerHouse } from './ledger-house.ts';
import { repeated, spreadOf } from './measure.ts';
import { lone, type BenchOptions, type BenchRow } from './row.ts';

const rounds = 3;
const windowMilliseconds = 3_000;
const warmUpMilliseconds = 500;
const publishMilliseconds = 200;
/** Tessera waits so long for a batch to fill; ours waits for nothing. Longer and shorter were slower there. */
const batchAge = '10ms';
const plainEntryBytes = 500;

const measuredSchema = z.object({
  perSecond: z.number(),
  p50Milliseconds: z.number(),
  p99Milliseconds: z.number(),
});
type Measured = z.infer<typeof measuredSchema>;

interface Contender {
  readonly name: string;
  readonly measure: (home: string, appenders: number) => Promise<Measured>;
}

const execute = promisify(execFile);

/**
 * Durable events a second beside Tessera's POSIX storage, which writes its files with O_SYNC: closed loops that each wait for
 * one event before the next, the same number of them, checkpoints equally often, turn by turn on the same disk.
 */
export async function run({ size }: BenchOptions): Promise<BenchRow[]> {
  const cache = join(import.meta.dirname, '..', '.cache', 'bench');
  mkdirSync(cache, { recursive: true });
  const built = await goProgram(join(import.meta.dirname, 'tessera'), cache);
  if ('missing' in built) throw new Error(`Tessera cannot be measured: ${built.missing}`);
  const entryBytes = await lengthOfAnEvent();
  const tessera = (bytes: number, ...more: readonly string[]) => tesseraOf(built.program, bytes, more);
  const ours: Contender = {
    name: `events of ${entryBytes} bytes, made, cleaned and indexed`,
    measure: measureOurs,
  };
  const peers: readonly Contender[] = [
    { name: `Tessera POSIX, ${entryBytes} bytes`, measure: tessera(entryBytes) },
    { name: `Tessera POSIX, ${plainEntryBytes} bytes`, measure: tessera(plainEntryBytes) },
    {
      name: `Tessera POSIX, ${plainEntryBytes} bytes, antispam`,
      measure: tessera(plainEntryBytes, '-antispam'),
    },
  ];
  const rows: BenchRow[] = [];
  for (const appenders of (size ?? ['64', '1024']).map(Number)) {
    rows.push(...(await compare(ours, peers, appenders)));
  }
  return rows;
}

async function compare(ours: Contender, peers: readonly Contender[], appenders: number): Promise<BenchRow[]> {
  const contenders = [ours, ...peers];
  const results = new Map(contenders.map((contender): [Contender, Measured[]] => [contender, []]));
  for (let round = 0; round < rounds; round++) {
    // Who goes first changes, so that nobody always has the disk that another has just filled.
    const order = contenders.map((_, i) => contenders[(i + round) % contenders.length]!);
    for (const contender of order) {
      const home = mkdtempSync(join(tmpdir(), 'lockstep-bench-peer-'));
      try {
        results.get(contender)?.push(await contender.measure(home, appenders));
      } finally {
        rmSync(home, { recursive: true, force: true });
      }
    }
  }
  const rateOf = (contender: Contender) =>
    repeated((results.get(contender) ?? []).map(({ perSecond }) => perSecond));
  const p99Of = (contender: Contender) =>
    repeated((results.get(contender) ?? []).map(({ p99Milliseconds }) => p99Milliseconds)).median;
  const own = rateOf(ours);
  return [
    ...peers.map((peer): BenchRow => {
      const rate = rateOf(peer);
      return {
        name: `ledger-peer: durable ${ours.name}, ${appenders} appenders`,
        value: own.median,
        unit: 'events/s',
        peer: `${peer.name} (${spreadOf(rate)})`,
        peerValue: rate.median,
        ratio: own.median / rate.median,
        target: null,
        met: null,
        spread: spreadOf(own),
      };
    }),
    ...contenders.map((contender) =>
      lone(
        `ledger-peer: acknowledgement p99, ${appenders} appenders: ${contender === ours ? 'ours' : contender.name}`,
        p99Of(contender),
        'ms',
      ),
    ),
  ];
}

function tesseraOf(program: string, bytes: number, more: readonly string[]): Contender['measure'] {
  return async (home, appenders) => {
    const options = {
      directory: join(home, 'log'),
      appenders,
      bytes,
      'batch-size': Math.min(appenders, 256),
      'batch-age': batchAge,
      'checkpoint-interval': `${publishMilliseconds}ms`,
      'warm-up': `${warmUpMilliseconds}ms`,
      window: `${windowMilliseconds}ms`,
    };
    const named = Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)]);
    const { stdout } = await execute(program, [...named, ...more]);
    return measuredSchema.parse(JSON.parse(stdout));
  };
}

async function measureOurs(home: string, appenders: number): Promise<Measured> {
  return withLedger(home, async (ledger) => {
    await load(ledger, appenders, warmUpMilliseconds);
    return load(ledger, appenders, windowMilliseconds);
  });
}

async function load(ledger: Ledger, appenders: number, milliseconds: number): Promise<Measured> {
  const times: number[] = [];
  const started = performance.now();
  await Promise.all(
    Array.from({ length: appenders }, async () => {
      while (performance.now() - started < milliseconds) {
        const asked = performance.now();
        await ledger.record(decidedFact());
        times.push(performance.now() - asked);
      }
    }),
  );
  const took = performance.now() - started;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? 0;
  return { perSecond: (times.length * 1_000) / took, p50Milliseconds: at(0.5), p99Milliseconds: at(0.99) };
}

async function lengthOfAnEvent(): Promise<number> {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-bench-peer-'));
  try {
    return await withLedger(home, async (ledger) => {
      await ledger.record(decidedFact());
      const [event] = await ledger.eventsAfter(0, 1);
      return event?.entry.length ?? 0;
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function withLedger<T>(home: string, act: (ledger: Ledger) => Promise<T>): Promise<T> {
  const { store, ledger } = await openLedgerHouse(home, 'peer', {
    publishIntervalMilliseconds: publishMilliseconds,
  });
  try {
    return await act(ledger);
  } finally {
    await ledger.close();
    await store.close();
  }
}
