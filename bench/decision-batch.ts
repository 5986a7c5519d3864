import { fork } from 'node:child_process';
import { join } from 'node:path';
import { Pool } from 'undici';
import type { HouseReady } from './decision-house.ts';
import { concreteActions } from './decision-names.ts';
import { repeated, type Repeated } from './measure.ts';

/** Decisions a second over HTTPS, by the number of actions in one checkAccess call. */
export interface BatchFigures {
  readonly single: Repeated;
  readonly batch: Repeated;
  readonly batchSize: number;
}

const rounds = 5;
const roundMilliseconds = 600;
const connections = 8;
const batchSize = 100;

export async function measureBatch(): Promise<BatchFigures> {
  const child = fork(join(import.meta.dirname, 'decision-house.ts'));
  try {
    const house = await new Promise<HouseReady>((resolve, reject) => {
      child.once('message', (ready) => resolve(ready as HouseReady));
      child.once('exit', (code) => reject(new Error(`the house ended with ${code}`)));
    });
    const pool = new Pool(house.url, { connections, connect: { ca: house.ca } });
    const single: number[] = [];
    const batch: number[] = [];
    for (let round = -1; round < rounds; round++) {
      const one = await load(pool, house, 1);
      const many = await load(pool, house, batchSize);
      if (round < 0) continue;
      single.push(one);
      batch.push(many);
    }
    await pool.destroy();
    return { single: repeated(single), batch: repeated(batch), batchSize };
  } finally {
    child.disconnect();
  }
}

/** Decisions a second with every connection busy. */
async function load(pool: Pool, { token, principal }: HouseReady, size: number): Promise<number> {
  const scope = '/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590';
  const request = {
    path: `${scope}/providers/Microsoft.Authorization/checkAccess?api-version=2018-09-01-preview`,
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      Subject: { Attributes: { ObjectId: principal } },
      Actions: concreteActions(size).map((id) => ({ Id: id, IsDataAction: false })),
      Resource: { Id: `${scope}/resourceGroups/team-1` },
    }),
  } as const;
  const start = performance.now();
  let decisions = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() - start < roundMilliseconds) {
      const { statusCode, body } = await pool.request(request);
      const answers: unknown = await body.json();
      if (statusCode !== 200 || !Array.isArray(answers) || answers.length !== size) {
        throw new Error(`checkAccess answers ${statusCode}: ${JSON.stringify(answers)}`);
      }
      decisions += size;
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  return decisions / ((performance.now() - start) / 1_000);
}
