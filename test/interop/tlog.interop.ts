import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { decidedFact, LedgerFixture } from '../../src/ledger/testing/ledger-fixture.ts';
import { goProgram, reasonOf, run } from './go-program.ts';
import { pruneLog } from './prune-log.ts';
import type { InteropResult, InteropSuite } from './suite.ts';

/** The log that openLedger writes, read by the transparency log code of the Go toolchain. */
export const suite: InteropSuite = {
  name: 'tlog (golang.org/x/mod)',
  run: async (context): Promise<InteropResult> => {
    const built = await goProgram(join(import.meta.dirname, 'tlog'), context.cacheDirectory);
    if ('missing' in built) return { passed: 0, failed: 0, skipped: 1, notes: [`skipped: ${built.missing}`] };
    const { program } = built;
    const notes: string[] = [];
    let passed = 0;
    const expectThat = (what: string, holds: boolean): void => {
      if (holds) passed += 1;
      else notes.push(`failed: ${what}`);
    };
    const accepts = async (...args: string[]): Promise<string | null> => {
      try {
        return (await run(program, args)).stdout.trim();
      } catch (error) {
        context.log(`refused: ${reasonOf(error)}`);
        return null;
      }
    };

    const fixture = new LedgerFixture();
    const key = fixture.signer.verifierKey;
    let total = 0;
    for (const more of [1, 254, 1, 1, 1_243]) {
      const { ledger, store } = await fixture.open();
      const ids = await Promise.all(Array.from({ length: more }, () => ledger.record(decidedFact())));
      total += more;
      const receipt = join(fixture.home, 'receipt.tlog-proof');
      writeFileSync(receipt, await ledger.receipt(ids[randomInt(ids.length)] ?? ids[0]!));
      await ledger.close();
      await store.close();
      expectThat(
        `a log of ${total} is accepted`,
        (await accepts(key, fixture.logDirectory)) === String(total),
      );
      expectThat(
        `a receipt at ${total} is accepted`,
        (await accepts(key, fixture.logDirectory, receipt)) !== null,
      );
      flip(receipt, randomInt(40, 400));
      expectThat(
        'a receipt with one byte changed is refused',
        (await accepts(key, fixture.logDirectory, receipt)) === null,
      );
      context.log(`${total} entries checked`);
    }

    const keyFile = join(fixture.logDirectory, 'key');
    for (const file of currentFiles(fixture.logDirectory, total)) {
      const pristine = readFileSync(file);
      // Go lets the unused bits of a base64 group's last character pass, so a note is changed in its text.
      const textEnd = file === keyFile ? '\n' : '\n\n';
      const isText = file === keyFile || file.endsWith('checkpoint');
      flip(file, randomInt(isText ? pristine.indexOf(textEnd) : pristine.length));
      // Who verifies brings the key; the copy beside the log is wrong for whoever takes it from there.
      const trusted = file === keyFile ? readFileSync(file, 'utf8').trim() : key;
      expectThat(
        `one byte changed in ${relative(fixture.home, file)} is refused`,
        (await accepts(trusted, fixture.logDirectory)) === null,
      );
      writeFileSync(file, pristine);
    }
    expectThat('the log put back is accepted', (await accepts(key, fixture.logDirectory)) === String(total));

    // The rest under the statement; a program that does not know of it finds the first bundle missing.
    const { kept, size } = await pruneLog(fixture);
    const pruned = async () => accepts(key, 'pruned', fixture.logDirectory);
    expectThat(`without ${kept} of ${size} entries it is accepted`, (await pruned()) === `${kept} ${size}`);
    const whole = await run(program, [key, fixture.logDirectory]).then(() => 'accepted', reasonOf);
    expectThat(
      `whoever takes it for whole is told what is missing: ${whole}`,
      whole.includes('tile/0/000: no such file') || whole.includes('tile/entries/000: no such file'),
    );
    const needed = currentFiles(fixture.logDirectory, size).filter(
      (file) => !/key|private/.test(relative(fixture.logDirectory, file)),
    );
    for (const file of needed) {
      const name = relative(fixture.logDirectory, file);
      const pristine = readFileSync(file);
      const isNote = name === 'checkpoint' || name === 'retention';
      flip(file, randomInt(isNote ? pristine.indexOf('\n\n') : pristine.length));
      expectThat(`one byte changed in what is kept, ${name}, is refused`, (await pruned()) === null);
      rmSync(file);
      expectThat(`what is kept without ${name} is refused`, (await pruned()) === null);
      writeFileSync(file, pristine);
    }
    expectThat('what is kept, put back, is accepted', (await pruned()) !== null);
    fixture.remove();
    return { passed, failed: notes.length, skipped: 0, notes };
  },
};

/** The files that the newest checkpoint needs: no partial tile of an earlier size. */
function currentFiles(directory: string, size: number): string[] {
  const widths = new Set([size % 256, Math.floor(size / 256) % 256].map(String));
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.includes('.p/') || widths.has(name.slice(name.lastIndexOf('/') + 1)))
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}
