// A right that only one repository's runs have, in one environment: for the run itself, and for the jobs that it submits.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemAttribution } from '../../src/store/changes.ts';
import { putBlob, readingBlob, startPuppet, type PuppetJob } from './puppet-job.ts';
import { recordedSince } from './recorded.ts';
import { openScene, type Scene } from './scene.ts';

const blobReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1';
const by = (attribute: string, value: string) =>
  `@Environment[Lockstep.Access/ci:${attribute}] StringEquals '${value}'`;
const assignment = randomUUID();

let scene: Scene;
let job: PuppetJob | null = null;

beforeAll(async () => {
  scene = await openScene();
}, 60_000);
afterAll(async () => {
  await job?.close();
  await scene.close();
});

/** Lets the CI application read the field notes where the condition holds. */
async function allow(condition: string): Promise<void> {
  const { house, cast } = scene;
  const properties = {
    roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${blobReader}`,
    principalId: cast.ci.id,
    condition,
    conditionVersion: '2.0',
  };
  const path = `${cast.scopes.fieldNotes}/providers/Microsoft.Authorization/roleAssignments/${assignment}?api-version=2022-04-01`;
  await house.admin.change('PUT', path, { properties }, [200, 201]);
}

async function read(): Promise<number> {
  const path = `${scene.account}/field-notes/nests/positions.csv`;
  return (await scene.ci.client.send('GET', path, undefined, readingBlob)).status;
}

test('a run reads what its repository and environment may read, and nothing that another’s may', async () => {
  expect(await read()).toBe(403);
  await allow(`${by('repository', 'palmer/penguins')} AND ${by('environment', 'production')}`);
  expect(await read()).toBe(200);
  await allow(`${by('issuer', scene.issuer.issuer)} AND ${by('ref', 'refs/heads/main')}`);
  expect(await read()).toBe(200);
  for (const other of [
    by('repository', 'palmer/penguin'),
    by('environment', 'staging'),
    by('ref', 'refs/heads/other'),
    by('issuer', 'https://elsewhere.example'),
  ]) {
    await allow(other);
    expect(await read(), other).toBe(403);
  }
});

test('nobody else can say from which run they come', async () => {
  await allow(by('repository', 'palmer/penguins'));
  const path = `${scene.account}/field-notes/nests/positions.csv`;
  const { foundation } = scene.house.lockstep;
  const secret = await foundation.directory.addSecret(
    systemAttribution(foundation.tenantId, 'gateway'),
    scene.cast.ci.id as never,
    {},
  );
  const answer = await scene.ci.withSecret(secret.secret, 'https://storage.azure.com');
  expect(answer.status).toBe(200);
  expect(await scene.ci.sendWith(answer.token, path, readingBlob)).toBe(403);
  expect(await read()).toBe(200);
});

test('a job is asked for the run that submitted it', async () => {
  const { house, ci, account } = scene;
  const data = `${account}/azureml-blobstore/one/data.csv`;
  await putBlob(ci.client, data, 'data');
  job = await startPuppet(house, ci, 'one', data);
  const { ledger } = house.lockstep.foundation;
  const before = ledger.lastSequence();
  expect((await job.client.send('GET', data, undefined, readingBlob)).status).toBe(200);
  const decided = (await recordedSince(ledger, before)).find(
    (event) => event.kind === 'request.decided' && event.chain.at(-1)?.kind === 'job',
  );
  expect(decided?.['attributes']).toMatchObject({
    environment: {
      'lockstep.access/ci:repository': 'palmer/penguins',
      'lockstep.access/ci:environment': 'production',
      'lockstep.access/ci:issuer': scene.issuer.issuer,
    },
  });
}, 30_000);
