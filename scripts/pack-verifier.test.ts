import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createSigner, generateNoteKey, signTogether } from '../src/ledger/note.ts';
import { entryOf } from '../src/ledger/catalogue/entry.ts';
import { decidedFact } from '../src/ledger/testing/ledger-fixture.ts';
import { toldOf } from '../src/ledger/testing/told.ts';
import { formatDisclosures } from '../src/ledger/verify/disclose.ts';
import { formatRetention } from '../src/ledger/verify/retention.ts';
import { parseCheckpoint } from '../src/ledger/tlog/checkpoint.ts';
import type { EventId } from '../src/lib/ids.ts';
import { memorySource } from '../src/ledger/sources/memory-source.ts';
import { entries, entryNumber, MemoryLog } from '../src/ledger/testing/memory-log.ts';
import { inclusionProof } from '../src/ledger/tlog/proof.ts';
import { formatReceipt } from '../src/ledger/tlog/receipt.ts';
import { formatKeyExchange } from '../src/ledger/verify/key-history.ts';
import { subtreesOf } from '../src/ledger/verify/read-tile.ts';
import { packVerifier } from './pack-verifier.ts';

vi.setConfig({ hookTimeout: 120_000, testTimeout: 60_000 });

const run = promisify(execFile);
const elsewhere = mkdtempSync(join(tmpdir(), 'lockstep-elsewhere-'));
const log = new MemoryLog();
const key = log.signer.verifierKey;

beforeAll(async () => {
  const older = log.grow(entries(0, 200));
  const note = log.grow(entries(200, 600));
  const files = new Map(log.files).set('../kept.checkpoint', Buffer.from(older));
  const proof = await inclusionProof(123, 600, subtreesOf(memorySource(log.files), 600));
  const receipt = formatReceipt({ extra: entryNumber(123), index: 123, proof, checkpoint: note });
  files.set('../event.tlog-proof', Buffer.from(receipt));
  for (const [path, bytes] of files) {
    const target = join(elsewhere, 'log', path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
  }
  const archive = packVerifier(elsewhere);
  writeFileSync(join(elsewhere, 'package.json'), '{ "private": true, "type": "module" }');
  const quiet = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...quiet, archive], { cwd: elsewhere });
});

afterAll(() => rmSync(elsewhere, { recursive: true, force: true }));

const verify = async (...args: readonly string[]) => verifyAlone(...args, '--key', key);

async function verifyAlone(...args: readonly string[]): Promise<readonly [number, string]> {
  const bin = join(elsewhere, 'node_modules', '.bin', 'ledger-verify');
  try {
    const { stdout } = await run(process.execPath, [bin, ...args], { cwd: elsewhere });
    return [0, stdout];
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return [code, stderr];
  }
}

it('verifies a log, a receipt and growth where nothing else of Lockstep is', async () => {
  expect(await verify('log', 'log')).toEqual([0, 'verified: 600 entries of log.test/memory\n']);
  expect(await verify('receipt', 'event.tlog-proof')).toEqual([0, expect.stringContaining('{"entry":123}')]);
  expect(await verify('consistency', 'kept.checkpoint', 'log')).toEqual([
    0,
    expect.stringContaining('from 200 to 600'),
  ]);
});

it('takes the keys from a file, and says the verdict in one line with what was proven beneath it', async () => {
  const other = generateNoteKey(log.signer.name).verifierKey;
  writeFileSync(join(elsewhere, 'log.key'), `${other}\n${key}\n`);
  expect(await verifyAlone('log', 'log', '--key', 'log.key')).toEqual([
    0,
    expect.stringContaining('600 entries'),
  ]);
  expect(await verifyAlone('log', 'log', '--key', `${other}\n${key}`)).toEqual([0, expect.any(String)]);
  expect((await verifyAlone('log', 'log', '--key', other))[0]).toBe(1);
  expect((await verifyAlone('log', 'log', '--key', 'nowhere.key'))[0]).toBe(2);
  const [, receipt] = await verify('receipt', 'event.tlog-proof');
  expect(receipt.split('\n')).toEqual(['verified: entry 123 of log.test/memory', '{"entry":123}', '']);
  expect(await verifyAlone('--help')).toEqual([0, expect.stringContaining('usage: ledger-verify log')]);
});

it('walks from a key that is trusted to the one that signs now', async () => {
  const next = createSigner(generateNoteKey(log.signer.name).signingKey);
  const history = signTogether(next, [log.signer]).sign(
    formatKeyExchange({
      origin: log.signer.name,
      from: key,
      to: next.verifierKey,
      time: 1_770_000_000,
      reason: 'planned',
    }),
  );
  const file = join(elsewhere, 'log', 'checkpoint');
  const pristine = readFileSync(file, 'utf8');
  writeFileSync(file, next.sign(pristine.slice(0, pristine.indexOf('\n\n') + 1)));
  expect(await verify('log', 'log')).toEqual([1, expect.stringContaining('ledger-verify keys')]);
  expect((await verify('keys', 'log'))[0]).toBe(1);
  writeFileSync(join(elsewhere, 'log', 'key-history'), history);
  expect(await verify('keys', 'log')).toEqual([0, expect.stringContaining(next.verifierKey)]);
  // Whoever trusts the new one is not led back to a log that the old one alone has signed.
  const trustingNext = ['keys', 'log', '--key', next.verifierKey];
  expect((await verifyAlone(...trustingNext))[0]).toBe(0);
  writeFileSync(file, pristine);
  expect(await verifyAlone(...trustingNext)).toEqual([1, expect.stringContaining('another key')]);
  writeFileSync(join(elsewhere, 'log', 'key-history'), history.replace('planned', 'compromised'));
  expect((await verify('keys', 'log'))[0]).toBe(1);
  writeFileSync(file, pristine);
});

it('refuses a changed byte, and a command that is not complete', async () => {
  const bundle = join(elsewhere, 'log', 'tile', 'entries', '001');
  const pristine = readFileSync(bundle);
  const changed = Buffer.from(pristine);
  changed[9] = (changed[9] ?? 0) ^ 1;
  writeFileSync(bundle, changed);
  expect(await verify('log', 'log')).toEqual([1, expect.stringContaining('tile/0/001')]);
  writeFileSync(bundle, pristine);
  expect((await verify('log'))[0]).toBe(2);
});

it('prints nothing that a terminal would act on, whatever a file says', async () => {
  const said = '\u001b[2K\rverified: all is well\u009b1m';
  const file = join(elsewhere, 'disclosures.json');
  writeFileSync(file, `${JSON.stringify({ disclosures: [], event: said })}\n`);
  const [code, text] = await verify('receipt', 'event.tlog-proof', '--disclosures', 'disclosures.json');
  expect([code, text]).toEqual([1, expect.stringContaining('all is well')]);
  // eslint-disable-next-line no-control-regex
  expect(text.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
});

it('is a library, with types', async () => {
  const program = `
    import { verifyLog } from '@lockstep/ledger-verify/verify-log';
    import { directorySource } from '@lockstep/ledger-verify/directory-source';
    const verdict = await verifyLog(directorySource('log'), ${JSON.stringify(key)});
    console.log(verdict.ok, verdict.size);`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: elsewhere });
  expect(stdout).toBe('true 600\n');
  const types = join(
    elsewhere,
    'node_modules',
    '@lockstep',
    'ledger-verify',
    'dist',
    'verify',
    'verify-log.d.ts',
  );
  expect(readFileSync(types, 'utf8')).toContain('verifyLog(');
});

it('checks what is disclosed of an entry, and refuses another value', async () => {
  const entry = entryOf(decidedFact(), {
    id: 'evt_1' as EventId,
    time: 1,
    origin: log.signer.name,
    productVersion: '1',
    position: null,
  });
  const own = new MemoryLog(log.signer);
  const checkpoint = own.grow([entry.bytes]);
  const write = (name: string, text: string) => writeFileSync(join(elsewhere, name), text);
  write('bound.tlog-proof', formatReceipt({ extra: entry.bytes, index: 0, proof: [], checkpoint }));
  const [name] = toldOf(entry).disclosures;
  if (name === undefined) throw new Error('nothing is bound');
  write('name.json', formatDisclosures({ event: 'evt_1', disclosures: [name] }));
  write('other.json', formatDisclosures({ event: 'evt_1', disclosures: [{ ...name, value: 'Eve' }] }));
  expect(await verify('receipt', 'bound.tlog-proof', '--disclosures', 'name.json')).toEqual([
    0,
    expect.stringContaining('"name":"Ada"'),
  ]);
  expect(await verify('receipt', 'bound.tlog-proof', '--disclosures', 'other.json')).toEqual([
    1,
    expect.stringContaining('is not what the entry binds'),
  ]);
});

it('accepts a log without its beginning only when the log has stated that', async () => {
  const note = readFileSync(join(elsewhere, 'log', 'checkpoint'), 'utf8');
  const { origin, size, root } = parseCheckpoint(`${note.split('\n\n')[0]}\n`) ?? {};
  if (origin === undefined || size === undefined || root === undefined) throw new Error('no checkpoint');
  for (const level of ['entries', '0']) rmSync(join(elsewhere, 'log', 'tile', level, '000'));
  expect(await verify('log', 'log')).toEqual([1, expect.stringContaining('tile/entries/000 is missing')]);
  const text = formatRetention({ origin, kept: 256, size, root, time: 1_800_000_000, policy: 'a year' });
  writeFileSync(join(elsewhere, 'log', 'retention'), log.signer.sign(text));
  expect(await verify('log', 'log')).toEqual([0, expect.stringContaining('344 entries')]);
});
