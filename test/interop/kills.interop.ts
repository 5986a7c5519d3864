import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Checks } from './checks.ts';
import type { InteropResult, InteropSuite } from './suite.ts';

const kills = 50;
const root = join(import.meta.dirname, '..', '..');

/** The long form of `test/e2e/kill.test.ts`: `npm test` kills the gateway a dozen times, this some dozens. */
export const suite: InteropSuite = {
  name: `kills (${kills} × kill -9 of the gateway while people, jobs and CI runs use it)`,
  async run(context): Promise<InteropResult> {
    const checks = new Checks(context);
    await checks.check('nothing that was acknowledged is forgotten, and no job', async () => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/e2e/kill.test.ts', '--maxWorkers=1'],
        {
          cwd: root,
          env: { ...process.env, LOCKSTEP_KILLS: String(kills) },
          timeout: 900_000,
          maxBuffer: 2 ** 26,
        },
      );
      const told = stdout.split('\n').find((line) => line.startsWith(`${kills} kills, `));
      if (told === undefined) throw new Error(`it does not say that it killed: ${stdout.slice(-2_000)}`);
      context.log(told);
    });
    return checks.result();
  },
};
