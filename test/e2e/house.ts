// A whole Lockstep on this machine, as `npm start` makes one: a fresh home, a free port, the example's environment.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LockstepClient } from '../../examples/four-day-training-job/lockstep-client.ts';
import type { Stage, Scale } from '../../examples/four-day-training-job/story.ts';
import { openStage } from '../../examples/four-day-training-job/stage.ts';
import { loadConfig, type Config } from '../../src/config/load.ts';
import { initialise } from '../../src/init.ts';
import { createLog } from '../../src/lib/log.ts';
import { startLockstep, type Lockstep } from '../../src/main.ts';

export interface House {
  readonly url: string;
  /** PEM of the authority to trust. */
  readonly ca: string;
  readonly home: string;
  readonly lockstep: Lockstep;
  /** The administrator's stage; its CLI is signed in. */
  readonly stage: Stage;
  /** The administrator at every API. */
  readonly admin: LockstepClient;
  /** What the story has printed. */
  readonly lines: readonly string[];
  close(): Promise<void>;
}

const nodeModules = join(import.meta.dirname, '..', '..', 'node_modules');

/** `environments` are offered to jobs besides the example's; `over` takes the place of settings. */
export async function openHouse(
  scale: Scale,
  environments: Config['local']['environments'] = {},
  over: Partial<Pick<Config, 'connections' | 'workspace'>> = {},
): Promise<House> {
  const temporary = mkdtempSync(join(tmpdir(), 'lockstep-e2e-'));
  const home = join(temporary, 'home');
  const defaults = loadConfig({ home, environment: {} });
  const path = [dirname(process.execPath), '/usr/bin', '/bin'];
  const config = {
    ...defaults,
    ...over,
    listen: { ...defaults.listen, port: 0 },
    limits: { ...defaults.limits, drainSeconds: 1 },
    local: {
      ...defaults.local,
      cancelGraceSeconds: 1,
      environments: { 'node-azure': { path, nodeModules, variables: {} }, ...environments },
    },
  };
  const log = createLog('silent');
  await initialise(config, log);
  const lockstep = await startLockstep(config, log);
  const lines: string[] = [];
  const tell = (text: string) => void lines.push(text);
  const stage = await openStage(
    lockstep,
    home,
    join(temporary, 'cli'),
    { title: tell, line: tell, event: () => undefined },
    scale,
  );
  const ca = readFileSync(stage.caFile, 'utf8');
  const admin = new LockstepClient(lockstep.url, ca, (resource) => stage.token(resource));
  return {
    url: lockstep.url,
    ca,
    home,
    lockstep,
    stage,
    admin,
    lines,
    async close() {
      await admin.close();
      await lockstep.drain();
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}
