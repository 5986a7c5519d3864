import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyLog } from '../../src/ledger/sources/copy-log.ts';
import { directorySource } from '../../src/ledger/sources/directory-source.ts';
import { ManualClock } from '../../src/lib/clock.ts';
import { openKeyHouse } from '../../src/ledger/testing/key-house.ts';
import { attribution, decidedFact, LedgerFixture } from '../../src/ledger/testing/ledger-fixture.ts';
import { WitnessHouse } from '../../src/ledger/testing/witness-house.ts';
import { consistencyProof } from '../../src/ledger/tlog/proof.ts';
import { parsePolicy } from '../../src/ledger/verify/policy.ts';
import { subtreesOf } from '../../src/ledger/verify/read-tile.ts';
import { verifyReceipt } from '../../src/ledger/verify/verify-receipt.ts';
import { formatAddCheckpoint } from '../../src/ledger/witness/add-checkpoint.ts';
import { Checks } from './checks.ts';
import { goProgram, run } from './go-program.ts';
import { LineJudge } from './line-judge.ts';
import { Litewitness } from './litewitness.ts';
import { LogOnDisk } from './log-on-disk.ts';
import { pruneLog } from './prune-log.ts';
import type { InteropContext, InteropResult, InteropSuite } from './suite.ts';

const everySizeTo = 1_000;
const largest = 1_000_000;
const randomSizes = 6;

/** Logs, receipts and cosignatures before judges that share no code with us: Tessera, x/mod, torchwood, litewitness. */
export const suite: InteropSuite = {
  name: 'judges (tessera fsck, x/mod, torchwood, litewitness)',
  run: async (context): Promise<InteropResult> => {
    const checks = new Checks(context);
    const judges = join(import.meta.dirname, 'judges');
    const built = {
      judges: await goProgram(judges, context.cacheDirectory),
      xmod: await goProgram(join(import.meta.dirname, 'tlog'), context.cacheDirectory),
      litewitness: await goProgram(judges, context.cacheDirectory, 'filippo.io/torchwood/cmd/litewitness'),
    };
    const missing = Object.entries(built).flatMap(([name, one]) =>
      'missing' in one ? [`skipped: ${name}: ${one.missing}`] : [],
    );
    if ('missing' in built.judges || 'missing' in built.xmod || 'missing' in built.litewitness) {
      return { passed: 0, failed: 0, skipped: missing.length, notes: missing };
    }
    await sizes(checks, context, built.judges.program, built.xmod.program);
    await pruned(checks, built.judges.program, built.xmod.program);
    await witnesses(checks, built.judges.program, built.litewitness.program);
    await exchange(checks, built.judges.program, built.litewitness.program);
    return checks.result();
  },
};

async function sizes(checks: Checks, context: InteropContext, judges: string, xmod: string): Promise<void> {
  const log = new LogOnDisk();
  const key = log.signer.verifierKey;
  const all = [
    ['Tessera’s fsck', new LineJudge(judges, 'fsck', key)],
    ['golang.org/x/mod', new LineJudge(xmod, key, '-')],
  ] as const;
  const refusals = async (wanted: readonly number[]) => {
    const found: string[] = [];
    for (const size of wanted) {
      log.growTo(size, entryOf);
      for (const [name, judge] of all) {
        const answer = await judge.judge(log.directory);
        if (answer !== 'ok') found.push(`${name}, ${size} entries: ${answer}`);
      }
    }
    if (found.length > 0) throw new Error(found.slice(0, 5).join('; '));
  };
  try {
    const every = Array.from({ length: everySizeTo + 1 }, (_, size) => size);
    await checks.check(`every size from 0 to ${everySizeTo} is accepted by both`, () => refusals(every));
    for (const [name, judge] of all) {
      await checks.check(`${name} refuses every file with a byte changed`, async () => {
        for (const path of ['tile/entries/003.p/232', 'tile/0/002', 'tile/1/000.p/3', 'checkpoint']) {
          const file = join(log.directory, path);
          const pristine = readFileSync(file);
          const changed = Buffer.from(pristine);
          // A note is changed in its text: Go lets the unused bits of Base64 pass.
          const at = randomInt(path === 'checkpoint' ? changed.indexOf('\n\n') : changed.length);
          changed[at] = (changed[at] ?? 0) ^ 1;
          writeFileSync(file, changed);
          const answer = await judge.judge(log.directory);
          writeFileSync(file, pristine);
          if (answer === 'ok') throw new Error(`${path} with byte ${at} changed was accepted`);
        }
      });
    }
    const random = Array.from({ length: randomSizes }, () => randomInt(everySizeTo + 1, largest)).sort(
      (a, b) => a - b,
    );
    context.log(`random sizes: ${random.join(', ')}`);
    for (const size of [...random, largest]) {
      await checks.check(`${size} entries are accepted by both`, () => refusals([size]));
    }
  } finally {
    for (const [, judge] of all) judge.end();
    log.remove();
  }
}

/** A log that was pruned, under its statement, and what its judges make of it. */
async function pruned(checks: Checks, judges: string, xmod: string): Promise<void> {
  const fixture = new LedgerFixture();
  const key = fixture.signer.verifierKey;
  const { ledger, store } = await fixture.open();
  const [early = null] = await Promise.all(Array.from({ length: 1_100 }, () => ledger.record(decidedFact())));
  const receipts = early === null ? [] : [await ledger.receipt(early)];
  await ledger.close();
  await store.close();
  const copy = join(fixture.home, 'copy');
  await copyLog(directorySource(fixture.logDirectory), copy, key);
  const { kept, size } = await pruneLog(fixture);
  const fsck = new LineJudge(judges, 'fsck', key);
  const policyFile = join(fixture.home, 'log.policy');
  writeFileSync(policyFile, `log ${key}\nquorum none\n`);
  const torchwood = new LineJudge(judges, 'receipt', policyFile);
  try {
    await checks.check(
      `without its first ${kept} of ${size} entries x/mod accepts it under the statement`,
      async () => {
        const { stdout } = await run(xmod, [key, 'pruned', fixture.logDirectory]);
        if (stdout.trim() !== `${kept} ${size}`) throw new Error(stdout);
      },
    );
    await checks.check('Tessera’s fsck calls the first bundle missing', async () => {
      const answer = await fsck.judge(fixture.logDirectory);
      if (!/^refused: .*resource not found: .*tile\/entries\/000: no such file/.test(answer))
        throw new Error(answer);
    });
    await checks.check('in a copy that went on from before, all is there, for fsck too', async () => {
      const copied = await copyLog(directorySource(fixture.logDirectory), copy, key, { whole: true });
      if (!copied.ok || copied.firstIndex !== 0 || copied.retention?.kept !== kept)
        throw new Error(JSON.stringify(copied));
      const answer = await fsck.judge(copy);
      if (answer !== 'ok') throw new Error(answer);
    });
    await checks.check('torchwood takes a receipt of what is gone, and one of what is kept', async () => {
      const file = join(fixture.home, 'receipt.tlog-proof');
      const again = await fixture.open();
      receipts.push(await again.ledger.receiptAt(kept).then(({ text }) => text));
      await again.ledger.close();
      await again.store.close();
      for (const receipt of receipts) {
        writeFileSync(file, receipt);
        const answer = await torchwood.judge(file);
        if (answer !== 'ok') throw new Error(answer);
      }
      if (receipts.length !== 2) throw new Error(`${receipts.length} receipts`);
    });
  } finally {
    fsck.end();
    torchwood.end();
    fixture.remove();
  }
}

/** Short and long, and the empty one. */
function entryOf(index: number): Uint8Array {
  return Buffer.from(index === 7 ? '' : `{"entry":${index},"pad":"${'x'.repeat(index % 61)}"}`);
}

async function witnesses(checks: Checks, judges: string, program: string): Promise<void> {
  const fixture = new LedgerFixture();
  const own = new WitnessHouse('own');
  await own.start([fixture.signer.verifierKey]);
  const lite = await checks.check('litewitness starts, with its key in an ssh-agent', () =>
    Litewitness.start(program, fixture.signer.name, fixture.signer.verifierKey),
  );
  if (lite === null) return;
  try {
    const policyText = [
      `log ${fixture.signer.verifierKey}`,
      `witness lite ${lite.verifierKey} ${lite.url}`,
      `witness own ${own.verifierKey} ${own.url}`,
      'group both all lite own',
      'quorum both',
      '',
    ].join('\n');
    const policyFile = join(fixture.home, 'log.policy');
    writeFileSync(policyFile, policyText);
    const parsed = parsePolicy(policyText);
    if (!parsed.ok) throw new Error(parsed.reason);
    const { policy } = parsed;
    const judge = new LineJudge(judges, 'receipt', policyFile);
    const receipt = join(fixture.home, 'receipt.tlog-proof');
    const verdictOf = async (text: string) => {
      writeFileSync(receipt, text);
      return judge.judge(receipt);
    };

    const { ledger, store } = await fixture.open({ witnesses: policy });
    for (const more of [1, 254, 2, 600]) {
      await checks.check(`growth by ${more} is cosigned by litewitness and by ours, in time`, async () => {
        const ids = await Promise.all(Array.from({ length: more }, () => ledger.record(decidedFact())));
        const began = performance.now();
        const text = await ledger.receipt(ids[randomInt(ids.length)] ?? ids[0]!);
        const took = performance.now() - began;
        if (took > 2_000) throw new Error(`it took ${Math.round(took)} ms`);
        const verdict = verifyReceipt(text, null, policy);
        if (!verdict.ok || verdict.cosignatures.length !== 2) throw new Error(JSON.stringify(verdict));
        const foreign = await verdictOf(text);
        if (foreign !== 'ok') throw new Error(`torchwood says ${foreign}`);
      });
    }
    await checks.check(
      'torchwood refuses a receipt without a cosignature, and one of another entry',
      async () => {
        const text = await ledger.receipt(await ledger.record(decidedFact()));
        if ((await verdictOf(text)) !== 'ok') throw new Error('the receipt itself is refused');
        const lacking = text.replace(/^— witness\.test\/own .*\n/m, '');
        const other = text.replace(
          /^extra (.)/m,
          (_line, first: string) => `extra ${first === 'A' ? 'B' : 'A'}`,
        );
        for (const bad of [lacking, other]) {
          if (bad === text) throw new Error('nothing was changed');
          if ((await verdictOf(bad)) === 'ok') throw new Error('it was accepted');
          if (verifyReceipt(bad, null, policy).ok) throw new Error('we accepted it');
        }
      },
    );
    const before = readFileSync(join(fixture.logDirectory, 'checkpoint'), 'utf8');
    const at = Number(before.split('\n')[1]);
    await ledger.receipt(await ledger.record(decidedFact()));
    const now = readFileSync(join(fixture.logDirectory, 'checkpoint'), 'utf8');
    const size = Number(now.split('\n')[1]);
    await ledger.close();
    await store.close();
    judge.end();

    const source = directorySource(fixture.logDirectory);
    const fork = new LogOnDisk(fixture.signer);
    const forked = fork.growTo(size + 9, entryOf);
    const forkedProof = await consistencyProof(
      size,
      size + 9,
      subtreesOf(directorySource(fork.directory), size + 9),
    );
    const proof = await consistencyProof(at, size, subtreesOf(source, size));
    for (const [name, url] of [
      ['litewitness', lite.url],
      ['our witness', own.url],
    ] as const) {
      const post = async (body: string) => {
        const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
        return `${answer.status} ${(await answer.text()).trim()}`;
      };
      const expectAnswer = (what: string, body: string, wanted: RegExp) =>
        checks.check(`${name}: ${what}`, async () => {
          const answer = await post(body);
          if (!wanted.test(answer)) throw new Error(`it answers ${answer}`);
        });
      const rollback = formatAddCheckpoint({ oldSize: at, proof: [], checkpoint: before });
      await expectAnswer('a rollback is refused with the size held', rollback, new RegExp(`^409 ${size}$`));
      const stale = formatAddCheckpoint({ oldSize: at, proof, checkpoint: now });
      await expectAnswer('a proof from an older size is refused', stale, new RegExp(`^409 ${size}$`));
      const forged = formatAddCheckpoint({ oldSize: size, proof: forkedProof, checkpoint: forked });
      await expectAnswer('another history is refused', forged, /^422 /);
      const unknown = formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: new LogOnDiskOnce().note });
      await expectAnswer('an unknown log is refused', unknown, /^404 /);
      const tampered = formatAddCheckpoint({
        oldSize: size,
        proof: [],
        checkpoint: now.replace(`\n${size}\n`, `\n${size + 1}\n`),
      });
      await expectAnswer('a bad signature is refused', tampered, /^403 /);
    }
    fork.remove();
  } finally {
    await lite.stop();
    await own.remove();
    fixture.remove();
  }
}

/** The log gets another key while it is cosigned: with both keys, then by the new one alone, and what each judge makes of it. */
async function exchange(checks: Checks, judges: string, program: string): Promise<void> {
  const fixture = new LedgerFixture();
  const clock = new ManualClock(Date.now());
  const by = attribution();
  const before = await openKeyHouse(fixture.home, { clock });
  const first = before.ledger.verifierKey;
  await before.close();
  const own = new WitnessHouse('own');
  await own.start([first]);
  const lite = await Litewitness.start(program, before.keys.name, first);
  const policyOf = (key: string) =>
    [
      `log ${key}`,
      `witness lite ${lite.verifierKey} ${lite.url}`,
      `witness own ${own.verifierKey} ${own.url}`,
      'group both all lite own',
      'quorum both',
      '',
    ].join('\n');
  const parsed = parsePolicy(policyOf(first));
  if (!parsed.ok) throw new Error(parsed.reason);
  const house = await openKeyHouse(fixture.home, { clock, ledger: { witnesses: parsed.policy } });
  const receiptNow = async () => house.ledger.receipt(await house.ledger.record(decidedFact()));
  const torchwood = async (receipt: string, key: string) => {
    const policyFile = join(fixture.home, 'log.policy');
    writeFileSync(policyFile, policyOf(key));
    const file = join(fixture.home, 'receipt.tlog-proof');
    writeFileSync(file, receipt);
    const judge = new LineJudge(judges, 'receipt', policyFile);
    const answer = await judge.judge(file);
    judge.end();
    return answer;
  };
  const fsck = async (key: string) => {
    const judge = new LineJudge(judges, 'fsck', key);
    const answer = await judge.judge(fixture.logDirectory);
    judge.end();
    return answer;
  };
  const expectAll = (answers: readonly string[]) => {
    const refused = answers.filter((answer) => answer !== 'ok');
    if (refused.length > 0) throw new Error(refused.join('; '));
  };
  try {
    const early = await receiptNow();
    await house.exchange.begin(by, { kind: 'planned', overlapMilliseconds: 1_000 });
    const second = house.ledger.verifierKey;
    await checks.check(
      'while both keys sign, each of them is enough for torchwood and for fsck',
      async () => {
        const receipt = await receiptNow();
        expectAll([await torchwood(receipt, first), await torchwood(receipt, second)]);
        expectAll([await fsck(first), await fsck(second)]);
      },
    );
    await checks.check(
      'the overlap goes on while litewitness refuses what the new key alone has signed',
      async () => {
        clock.advance(2_000);
        await house.exchange.advance(by);
        const { lackingWitnesses } = house.exchange;
        if (house.ledger.verifierKeys.length !== 2 || lackingWitnesses.join(' ') !== 'lite own') {
          throw new Error(`the old key has ended, or nobody is missing: ${lackingWitnesses.join(' ')}`);
        }
        expectAll([await torchwood(await receiptNow(), first)]);
      },
    );
    await checks.check(
      'litewitness and ours take the new key beside the old one and go on cosigning',
      async () => {
        lite.alsoKnow(before.keys.name, second);
        await own.stop();
        await own.start([first, second]);
        expectAll([await torchwood(await receiptNow(), second)]);
      },
    );
    await checks.check('they cosign what the new key alone has signed', async () => {
      clock.advance(2_000);
      await house.exchange.advance(by);
      if (house.ledger.verifierKeys.length !== 1) throw new Error('the old key still signs');
      expectAll([await torchwood(await receiptNow(), second), await fsck(second)]);
    });
    await checks.check(
      'torchwood and fsck refuse it by the old key, and take older receipts by it',
      async () => {
        expectAll([await torchwood(early, first)]);
        for (const answer of [await torchwood(await receiptNow(), first), await fsck(first)]) {
          if (answer === 'ok') throw new Error('the old key was enough');
        }
      },
    );
    await house.close();
  } finally {
    await lite.stop();
    await own.remove();
    fixture.remove();
  }
}

/** A log that nobody watches. */
class LogOnDiskOnce {
  readonly note: string;

  constructor() {
    const log = new LogOnDisk();
    this.note = log.growTo(3, entryOf);
    log.remove();
  }
}
