import { afterAll, beforeAll, expect, test } from 'vitest';
import { directorySource } from '../../src/ledger/sources/directory-source.ts';
import { verifyLog } from '../../src/ledger/verify/verify-log.ts';
import { defaultScale } from '../../examples/four-day-training-job/story.ts';
import { LockstepClient } from '../../examples/four-day-training-job/lockstep-client.ts';
import { openHouse, type House } from './house.ts';
import { recordedSince } from './recorded.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse(defaultScale);
}, 60_000);
afterAll(async () => {
  await house.close();
});

/** The same requests under a credential of one's own making. */
async function withToken(token: string, method: string, path: string, body?: unknown) {
  const client = new LockstepClient(house.url, house.ca, () => Promise.resolve(token));
  try {
    return await client.send(method, path, body);
  } finally {
    await client.close();
  }
}

function workspacePath(rest: string): string {
  const { subscriptionId, resourceGroup, workspace } = house.stage.place;
  const group = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`;
  return `${group}/providers/Microsoft.MachineLearningServices/workspaces/${workspace}${rest}`;
}

test.each(['', 'x', 'a.b', 'a.b.c', 'e30.e30.', `${'a'.repeat(20_000)}.b.c`, 'é.é.é'])(
  'the malformed token %# is refused in the surface’s own words, and recorded',
  async (token) => {
    const { foundation } = house.lockstep;
    const before = foundation.ledger.lastSequence();
    const answer = await withToken(token, 'GET', workspacePath('?api-version=2024-10-01')).catch(
      (error: unknown) => error,
    );
    if (answer instanceof Error) {
      // A header that cannot even be sent.
      expect(token).toBe('é.é.é');
      return;
    }
    const { status, body, headers } = answer as {
      status: number;
      body: unknown;
      headers: Record<string, unknown>;
    };
    expect(status).toBe(401);
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(body).toMatchObject({
      error: { code: expect.stringMatching(/Token$|AuthenticationFailed/) as string },
    });
    const recorded = await recordedSince(foundation.ledger, before);
    expect(JSON.stringify(recorded)).toContain('unauthenticated');
    if (token.length > 4) expect(JSON.stringify(recorded)).not.toContain(token);
  },
);

test.each([
  ['GET', '/no/such/thing'],
  ['GET', '/admin/v1/nothing'],
  ['PATCH', '/v1.0/nothing'],
  ['DELETE', '/subscriptions'],
])('the route %s %s is unknown, so it is denied, in JSON', async (method, path) => {
  const { status, body, headers } = await house.admin.send(method, path);
  expect([403, 404, 405]).toContain(status);
  expect(headers['content-type']).toMatch(/^application\/(json|xml)/);
  expect(JSON.stringify(body)).not.toContain('<html');
});

test('a body larger than the bound is refused with 413 and nothing is created', async () => {
  const description = 'x'.repeat(2_000_000);
  const path = workspacePath('/data/huge/versions/1?api-version=2024-10-01');
  const { status } = await house.admin.send('PUT', path, {
    properties: {
      dataType: 'uri_file',
      dataUri: 'azureml://datastores/workspaceblobstore/paths/x',
      description,
    },
  });
  expect(status).toBe(413);
  expect((await house.admin.send('GET', path)).status).toBe(404);
});

test('a body of another media type is refused with 415, naming what is taken', async () => {
  const path = workspacePath('/data/typed/versions/1?api-version=2024-10-01');
  const { status, body } = await house.admin.send('PUT', path, Buffer.from('<xml/>'), {
    'content-type': 'text/xml',
  });
  expect(status).toBe(415);
  expect(JSON.stringify(body)).toContain('application/json');
});

test('a member that is wrong is named', async () => {
  const path = workspacePath('/jobs/wrong?api-version=2024-10-01');
  const { status, body } = await house.admin.send('PUT', path, {
    properties: { jobType: 'Command', command: 7 },
  });
  expect(status).toBe(400);
  expect(JSON.stringify(body)).toContain('properties.command');
});

test('a member that a directory object does not have is refused, not ignored', async () => {
  const { status, body } = await house.admin.send('POST', '/v1.0/groups', {
    displayName: 'typo',
    displyName: 'x',
  });
  expect(status).toBe(400);
  expect(JSON.stringify(body)).toContain('displyName');
});

test('on a full disk changes and reads are refused, nothing acknowledged is lost, and it goes on when there is space', async () => {
  const { foundation } = house.lockstep;
  const { ledger, store } = foundation;
  const create = (displayName: string) => house.admin.send('POST', '/v1.0/groups', { displayName });
  const acknowledged: string[] = [];
  const { page_count: pages } = store.raw.prepare('pragma page_count').get() as { page_count: number };
  const { max_page_count: unbounded } = store.raw.prepare('pragma max_page_count').get() as {
    max_page_count: number;
  };
  store.raw.exec(`pragma max_page_count = ${pages + 8}`);
  let refused = 0;
  try {
    for (let i = 0; i < 400 && refused < 5; i++) {
      const { status, body } = await create(`group ${i}`);
      if (status === 201) acknowledged.push((body as { id: string }).id);
      else {
        expect([503, 507]).toContain(status);
        refused += 1;
      }
    }
    expect(refused).toBe(5);
    const read = await house.admin.send('GET', '/v1.0/groups');
    expect([503, 507]).toContain(read.status);
  } finally {
    store.raw.exec(`pragma max_page_count = ${unbounded}`);
  }
  expect((await create('after')).status).toBe(201);
  for (const id of acknowledged)
    expect((await house.admin.send('GET', `/v1.0/groups/${id}`)).status).toBe(200);
  await ledger.integrate();
  const verdict = await verifyLog(directorySource(foundation.ledgerDirectory), ledger.verifierKey);
  expect(verdict).toMatchObject({ ok: true });
});
