// npm run test:interop [-- NAME]: every suite of this folder, one after the other, with one closing line.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { InteropSuite } from './suite.ts';

const cacheDirectory = join(import.meta.dirname, '..', '..', '.cache', 'interop');
mkdirSync(cacheDirectory, { recursive: true });
const wanted = process.argv[2];
const totals = { passed: 0, failed: 0, skipped: 0 };

for (const file of readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.interop.ts'))
  .sort()) {
  const { suite } = (await import(`./${file}`)) as { suite: InteropSuite };
  if (wanted !== undefined && !suite.name.includes(wanted)) continue;
  console.log(`\n${suite.name}`);
  try {
    const log = (line: string) => console.log(`  ${line}`);
    const result = await suite.run({ cacheDirectory, asked: wanted !== undefined, log });
    totals.passed += result.passed;
    totals.failed += result.failed;
    totals.skipped += result.skipped;
    for (const note of result.notes) console.log(`  ! ${note}`);
    console.log(`  ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`);
  } catch (error) {
    totals.failed += 1;
    console.log(
      `  ! the suite itself failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
}

console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1);
