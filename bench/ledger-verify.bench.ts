import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hash } from 'node:crypto';
import { createSigner, generateNoteKey } from '../src/ledger/note.ts';
import { GrowingLog } from '../src/ledger/sequence/growing-log.ts';
import { directorySource } from '../src/ledger/sources/directory-source.ts';
import { formatCheckpoint } from '../src/ledger/tlog/checkpoint.ts';
import { Frontier } from '../src/ledger/tlog/frontier.ts';
import { leafHash, rootOf } from '../src/ledger/tlog/hash.ts';
import { inclusionProof, rangeHash } from '../src/ledger/tlog/proof.ts';
import { formatReceipt } from '../src/ledger/tlog/receipt.ts';
import { parseTilePath, tilePath } from '../src/ledger/tlog/tile.ts';
import { subtreesOf } from '../src/ledger/verify/read-tile.ts';
import type { TileSource } from '../src/ledger/verify/tile-source.ts';
import { verifyLog } from '../src/ledger/verify/verify-log.ts';
import { verifyReceipt } from '../src/ledger/verify/verify-receipt.ts';
import type { BenchRow } from './row.ts';

/** What the event of a decision takes (`ledger-peer` tells it). */
const entryBytes = 2_131;
const verifiedEntries = 200_000;
const receiptSize = 10_000_000;
const receipts = 200;
const rounds = 5;

/** How fast a log is verified from its directory, and what a receipt costs in a log of ten million entries. */
export async function run(): Promise<BenchRow[]> {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-bench-verify-'));
  try {
    return [await verification(join(home, 'log')), ...(await receiptCost(join(home, 'large')))];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function verification(directory: string): Promise<BenchRow> {
  const signer = createSigner(generateNoteKey('lockstep.bench/verify').signingKey);
  const log = new GrowingLog(new Frontier(), []);
  for (let i = 0; i < verifiedEntries; i++) log.append(Buffer.alloc(entryBytes, String(i)));
  for (const { path, bytes } of log.takeFiles().files) place(directory, path, bytes);
  const text = formatCheckpoint({ origin: signer.name, size: log.size, root: log.root() });
  place(directory, 'checkpoint', Buffer.from(signer.sign(text)));
  const rates: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = process.cpuUsage();
    const verdict = await verifyLog(directorySource(directory), signer.verifierKey);
    if (!verdict.ok) throw new Error(verdict.reason);
    rates.push(perSecond(verifiedEntries, began));
    floors.push(bareHashing());
  }
  const [rate, floor] = [median(rates), median(floors)];
  return {
    name: `ledger: verify a whole log, entries of ${entryBytes} bytes`,
    value: rate,
    unit: 'entries/s',
    peer: 'one SHA-256 of each entry and one of 65 bytes, nothing else',
    peerValue: floor,
    ratio: rate / floor,
    target: '≥ 200,000 entries/s',
    met: rate >= 200_000,
    spread: `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`,
  };
}

/** The least that can be done: every entry is hashed, and there are about as many nodes. */
function bareHashing(): number {
  const entry = Buffer.alloc(entryBytes + 1);
  const node = Buffer.alloc(65);
  const began = process.cpuUsage();
  for (let i = 0; i < verifiedEntries; i++) {
    hash('sha256', entry, 'binary');
    hash('sha256', node, 'binary');
  }
  return perSecond(verifiedEntries, began);
}

/** All entries are the same, so a tile is known without those below it; what a receipt reads lies on the disk. */
async function receiptCost(directory: string): Promise<BenchRow[]> {
  const signer = createSigner(generateNoteKey('lockstep.bench/receipt').signingKey);
  const entry = Buffer.alloc(entryBytes, 'x');
  const levels = [leafHash(entry)];
  for (let level = 1; level < 4; level++) {
    const below = levels[level - 1] ?? entry;
    levels.push(rootOf(Array.from({ length: 256 }, () => below)));
  }
  const written = new Set<string>();
  const onDisk = directorySource(directory);
  const source: TileSource = {
    read: async (path) => {
      const tile = parseTilePath(path);
      if (tile === null || tile.level === 'entries') return null;
      if (!written.has(path)) {
        place(
          directory,
          tilePath(tile),
          Buffer.concat(Array<Uint8Array>(tile.width).fill(levels[tile.level] ?? entry)),
        );
        written.add(path);
      }
      return onDisk.read(path);
    },
  };
  const root = await rangeHash(0, receiptSize, subtreesOf(source, receiptSize));
  const checkpoint = signer.sign(formatCheckpoint({ origin: signer.name, size: receiptSize, root }));
  const indices = Array.from({ length: receipts }, (_, i) => (i * 7_919_993) % receiptSize);
  const make = async (index: number): Promise<string> => {
    const proof = await inclusionProof(index, receiptSize, subtreesOf(source, receiptSize));
    return formatReceipt({ extra: entry, index, proof, checkpoint });
  };
  for (const index of indices) await make(index);
  const made: number[] = [];
  const checked: number[] = [];
  for (const index of indices) {
    const began = performance.now();
    const receipt = await make(index);
    const between = performance.now();
    const verdict = verifyReceipt(receipt, null, signer.verifierKey);
    checked.push(performance.now() - between);
    made.push(between - began);
    if (!verdict.ok) throw new Error(verdict.reason);
  }
  const row = (name: string, values: readonly number[]): BenchRow => ({
    name,
    value: median(values),
    unit: 'ms',
    peer: null,
    peerValue: null,
    ratio: null,
    target: '≤ 5 ms',
    met: median(values) <= 5,
    spread: `p99 ${quantile(values, 0.99).toFixed(2)}`,
  });
  return [
    row('ledger: make a receipt among 10,000,000 entries', made),
    row('ledger: check a receipt among 10,000,000 entries', checked),
  ];
}

function place(directory: string, path: string, bytes: Uint8Array): void {
  const target = join(directory, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, bytes);
}

/** Per second of processor time, so that what else the machine does counts less. */
function perSecond(count: number, began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (count * 1e6) / (user + system);
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}
