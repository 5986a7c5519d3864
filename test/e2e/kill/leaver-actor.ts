import { setTimeout as pause } from 'node:timers/promises';
import type { Acknowledged } from './acknowledged.ts';
import { submit, statusOf } from './jobs.ts';
import { setMember } from './membership-actor.ts';
import type { Stage } from './stage.ts';
import { armResource, WorkloadTokens } from './tokens.ts';

/** Someone submits a job that asks for nothing, leaves the group that carries the right while it runs, and comes back. */
export class LeaverActor {
  readonly #stage: Stage;
  readonly #acknowledged: Acknowledged;
  readonly #runsDirectory: string;
  readonly #tokens: WorkloadTokens;
  /** Called the moment that the leaving is acknowledged. */
  readonly #left: () => void;
  #count = 0;

  constructor(stage: Stage, acknowledged: Acknowledged, runsDirectory: string, left: () => void) {
    this.#stage = stage;
    this.#acknowledged = acknowledged;
    this.#runsDirectory = runsDirectory;
    this.#left = left;
    this.#tokens = new WorkloadTokens(stage, stage.leaver, acknowledged);
  }

  readonly turn = async (): Promise<void> => {
    const { person, group } = this.#stage.leaver;
    const token = await this.#tokens.exchange(armResource);
    const job = await submit(this.#stage, this.#acknowledged, {
      token,
      name: `leaver-${++this.#count}`,
      plan: 'loses-its-right',
      runsDirectory: this.#runsDirectory,
      dataset: { path: '', sha256: '' },
      seconds: 0,
    });
    while (['Queued', 'Starting', 'Preparing'].includes(await statusOf(this.#stage, job.name)))
      await pause(100);
    await setMember(this.#stage, group, person, false);
    job.stopAcknowledged = true;
    this.#left();
    // What was taken away stays taken away, long enough to be noticed by whoever starts next.
    while (!['Failed', 'Completed', 'Canceled'].includes(await statusOf(this.#stage, job.name))) {
      await pause(200);
    }
    await setMember(this.#stage, group, person, true);
    await pause(1_000);
  };
}
