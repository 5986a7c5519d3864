import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes a minute or more begins first, so that no worker is left alone with it in the end. */
const longest = ['test/e2e/kill.test.ts', 'src/cli/cli.test.ts', 'src/ledger/crash.test.ts'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => longest.some((name) => moduleId.endsWith(name));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    include: [
      'src/**/*.test.ts',
      'test/{e2e,security,conformance,mutation}/**/*.test.ts',
      'scripts/**/*.test.ts',
      'deploy/middleware/node/src/**/*.test.ts',
    ],
    // For what hangs: on a machine with other work, what takes a second by itself may well take twenty.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    globalSetup: 'test/temporary-directory.ts',
    pool: 'forks',
    // No test replaces a module, and no module keeps what changes: each is read once by a worker, not by every file.
    isolate: false,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Tests start hundreds of processes: each finds compiled what one before it has compiled.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'compiled-for-tests') },
    // How much longer than usual properties are searched, e.g. LOCKSTEP_TEST_THOROUGHNESS=20 for a night.
    provide: { thoroughness: Number(process.env['LOCKSTEP_TEST_THOROUGHNESS'] ?? 1) },
  },
});
