// A person whose right to run jobs holds for research on few GPUs only: what is let in, what is refused, what runs on.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { lockstep as cli } from '../../examples/four-day-training-job/processes.ts';
import { defaultScale } from '../../examples/four-day-training-job/story.ts';
import { openHouse, type House } from './house.ts';
import { signIn, type Person } from './person.ts';
import { until } from './puppet-job.ts';

const apiVersion = 'api-version=2024-10-01';
const dataScientist = 'f6c7c914-8db3-469d-8ca1-694a8f32e121';
const jobs = 'Microsoft.MachineLearningServices/workspaces/jobs';
const temporary = mkdtempSync(join(tmpdir(), 'lockstep-conditions-'));
const assignment = randomUUID();
const jobView = z.object({ properties: z.object({ status: z.string() }) });

let house: House;
let rosa: Person;
let rosaId: string;
let workspace: string;

/** Research on at most two GPUs, when it comes to jobs. */
function condition(gpus: number): string {
  return (
    `((!(ActionMatches{'${jobs}/write'})) OR (@Request[${jobs}:purpose] StringEquals 'research' ` +
    `AND @Request[${jobs}:gpuCount] NumericLessThanEquals ${gpus}))`
  );
}

async function grant(id: string, principalId: string, text: string | null, name = assignment): Promise<void> {
  const properties = {
    roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${id}`,
    principalId,
    ...(text === null ? {} : { condition: text, conditionVersion: '2.0' }),
  };
  const path = `${workspace}/providers/Microsoft.Authorization/roleAssignments/${name}?api-version=2022-04-01`;
  await house.admin.change('PUT', path, { properties }, [200, 201]);
}

async function newUser(name: string): Promise<string> {
  const profile = {
    displayName: name,
    userPrincipalName: `${name}@contoso.example`,
    accountEnabled: true,
    passwordProfile: { password: randomUUID() },
  };
  return (await house.admin.change<{ id: string }>('POST', '/v1.0/users', profile, [201])).id;
}

async function submit(name: string, more: object): Promise<{ status: number; body: unknown }> {
  return rosa.client.send('PUT', `${workspace}/jobs/${name}?${apiVersion}`, {
    properties: {
      jobType: 'Command',
      computeId: `${workspace}/computes/local`,
      environmentId: `${workspace}/environments/node-azure/versions/1`,
      command: `echo > ${join(temporary, name)}; while [ ! -e ${join(temporary, 'go')} ]; do sleep 0.05; done`,
      ...more,
    },
  });
}

const statusOf = async (name: string) =>
  jobView.parse(await house.admin.get(`${workspace}/jobs/${name}?${apiVersion}`)).properties.status;

beforeAll(async () => {
  house = await openHouse(defaultScale);
  const { place } = house.stage;
  workspace = `/subscriptions/${place.subscriptionId}/resourceGroups/${place.resourceGroup}/providers/Microsoft.MachineLearningServices/workspaces/${place.workspace}`;
  const environment = `${workspace}/environments/node-azure/versions/1?${apiVersion}`;
  await house.admin.change('PUT', environment, { properties: { image: 'node-azure' } }, [200, 201]);
  rosaId = await newUser('rosa');
  await grant(dataScientist, rosaId, condition(2));
  rosa = await signIn(house, 'rosa@contoso.example');
}, 60_000);
afterAll(async () => {
  writeFileSync(join(temporary, 'go'), '');
  await rosa.leave();
  await house.close();
  rmSync(temporary, { recursive: true, force: true });
});

test.each<[string, object, string]>([
  ['for sales', { tags: { purpose: 'sales' }, resources: { gpuCount: 1 } }, 'purpose'],
  ['for no purpose', { resources: { gpuCount: 1 } }, 'purpose'],
  ['on too many GPUs', { tags: { purpose: 'research' }, resources: { gpuCount: 3 } }, 'gpuCount'],
])('a job %s is refused, and explain names the condition', async (_, more, attribute) => {
  const answer = await submit('refused', more);
  expect(answer.status, JSON.stringify(answer.body)).toBe(403);
  const decision = /dec_[0-9a-z]{26}/.exec(JSON.stringify(answer.body))?.[0] ?? '';
  const told = await cli(['explain', decision], rosa.environment);
  expect(told.exitCode, told.stderr).toBe(0);
  expect(told.stdout.toLowerCase()).toContain(`@request[${jobs}:${attribute}]`.toLowerCase());
});

test.each<[string, object]>([
  ['no instances', { resources: { gpuCount: 3, instanceCount: 0 } }],
  ['fewer instances than none', { resources: { gpuCount: 3, instanceCount: -1 } }],
  ['fewer GPUs than none', { resources: { gpuCount: -3 } }],
])('%s do not count as few GPUs', async (_, more) => {
  expect((await submit('refused', { tags: { purpose: 'research' }, ...more })).status).toBe(403);
});

test('a job within the condition runs on through other changes, and ends when the condition no longer holds', async () => {
  const allowed = await submit('research', { tags: { purpose: 'research' }, resources: { gpuCount: 2 } });
  expect(allowed.status, JSON.stringify(allowed.body)).toBe(201);
  await until(async () => existsSync(join(temporary, 'research')));
  // A change of policy puts every lease to the question again.
  await grant(dataScientist, await newUser('somebody'), null, randomUUID());
  expect((await submit('research', { tags: { purpose: 'sales' }, resources: { gpuCount: 2 } })).status).toBe(
    403,
  );
  expect(await statusOf('research')).toBe('Running');
  await grant(dataScientist, rosaId, condition(1));
  await until(async () => (await statusOf('research')) === 'Failed');
}, 30_000);

test('a condition on the person’s own attribute follows every change of it', async () => {
  const mine = '@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Ml_Purpose]';
  await grant(
    dataScientist,
    rosaId,
    `((!(ActionMatches{'${jobs}/write'})) OR (${mine} StringEquals @Request[${jobs}:purpose]))`,
  );
  const set = async (purpose: string | null) => {
    const json = { customSecurityAttributes: { Ml: { Purpose: purpose } } };
    await house.admin.change('PATCH', `/v1.0/users/${rosaId}`, json, [204]);
  };
  const attempt = async (name: string) => (await submit(name, { tags: { purpose: 'teaching' } })).status;
  expect(await attempt('none')).toBe(403);
  await set('teaching');
  expect(await attempt('taught')).toBe(201);
  await set('research');
  expect(await attempt('other')).toBe(403);
  await until(async () => (await statusOf('taught')) === 'Failed');
  await set(null);
  expect(await attempt('gone')).toBe(403);
}, 30_000);
