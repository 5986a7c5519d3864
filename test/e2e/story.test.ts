import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { lockstep as cli } from '../../examples/four-day-training-job/processes.ts';
import { playStory, type StoryFacts } from '../../examples/four-day-training-job/story.ts';
import { explainedSchema } from '../../src/cli/commands/explanation.ts';
import type { PrincipalId } from '../../src/lib/ids.ts';
import { inOcsf19 } from '../../src/ledger/catalogue/ocsf-1-9.ts';
import { directorySource } from '../../src/ledger/sources/directory-source.ts';
import { ocsfProblems } from '../../src/ledger/testing/ocsf/ocsf-problems.ts';
import { verifyLog } from '../../src/ledger/verify/verify-log.ts';
import { verifyReceipt } from '../../src/ledger/verify/verify-receipt.ts';
import { openHouse, type House } from './house.ts';
import { signIn } from './person.ts';
import { recordedSince, type Recorded } from './recorded.ts';

/** Three expiries of five seconds, and a stream that is long enough to be cut. */
const scale = { tokenSeconds: 5, trainSeconds: 17, archiveMegabytes: 64 };
const blobRead = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read';

let house: House;
let facts: StoryFacts;
let events: readonly Recorded[];

beforeAll(async () => {
  house = await openHouse(scale);
  facts = await playStory(house.stage).catch((error: unknown) => {
    throw new Error(`the story stopped after:\n${house.lines.join('\n')}`, { cause: error });
  });
  events = await recordedSince(house.lockstep.foundation.ledger, 0);
}, 120_000);
afterAll(async () => {
  await house.close();
});

function ofJob(name: string): Recorded[] {
  return events.filter((event) => event.chain.some((link) => link.kind === 'job' && link.name === name));
}

function whenChanged(kind: string, matches: (event: Recorded) => boolean): Recorded {
  const found = events.find((event) => event.change?.kind === kind && matches(event));
  if (found === undefined) throw new Error(`the log holds no ${kind}`);
  return found;
}

test('every event of the story is valid OCSF without an unknown attribute, as logged and as told in 1.9', () => {
  expect(events.length).toBeGreaterThan(100);
  for (const { text } of events) {
    const entry = Buffer.from(text);
    expect([text, ocsfProblems(JSON.parse(text) as Record<string, unknown>, '1.8.0')]).toEqual([text, []]);
    expect([text, ocsfProblems(inOcsf19(entry), '1.9.0')]).toEqual([text, []]);
  }
});

describe('1 and 2: a CI run without a secret submits the job', () => {
  test('the CI application holds no credential but the federated one, which is on individual claims', async () => {
    const { value } = await house.admin.get<{ value: Record<string, unknown>[] }>(
      "/v1.0/applications?$filter=displayName eq 'penguins-ci'".replaceAll(' ', '%20'),
    );
    const [application] = value;
    expect(application).toMatchObject({ displayName: 'penguins-ci', passwordCredentials: [] });
    const credentials = events.filter(
      ({ change }) => change?.kind === 'credential.added' && change['principal'] === application?.['id'],
    );
    expect(credentials.map(({ change }) => change?.['credential'])).toMatchObject([{ kind: 'federated' }]);
  });

  test('every token of the CI run was earned by the assertion of its issuer, each used once', () => {
    const issued = events.filter(
      (event) => event.activity === 'token-issue' && event.chain.some(({ kind }) => kind === 'ci-run'),
    );
    expect(issued.length).toBeGreaterThanOrEqual(4);
    expect(issued.every((event) => event['method'] === 'federated')).toBe(true);
    const used = events.filter((event) => event.change?.kind === 'assertion.used');
    expect(new Set(used.map((event) => event.change?.['digest'])).size).toBe(issued.length);
  });

  test('the data, the code, the environment and the job were put by the application for its run', () => {
    for (const what of ['/data/penguins/versions/1', '/environments/node-azure/versions/1', '/codes/']) {
      const { chain } = whenChanged('resource.put', (event) => String(event.change?.['id']).includes(what));
      expect(chain.map(({ kind }) => kind)).toEqual(['user', 'ci-run', 'application']);
    }
    const { chain } = whenChanged('lease.opened', (event) => event.text.includes(facts.jobName));
    expect(chain.map(({ name }) => name)).toEqual([
      'Ada Byron',
      'palmer/penguins@refs/heads/main run 7001',
      'penguins-ci',
    ]);
  });
});

describe('3: the job’s own identity', () => {
  test('the job renewed at least four times, each time before or at the end of the token before', () => {
    const renewals = ofJob(facts.jobName).filter(({ activity }) => activity === 'token-renewal');
    expect(renewals.every(({ failureCode }) => failureCode === null)).toBe(true);
    expect(renewals.length).toBeGreaterThanOrEqual(4);
    expect(facts.renewals).toBe(renewals.length);
    const expiries = new Set(renewals.map((event) => event['expiresAt']));
    expect(expiries.size).toBeGreaterThanOrEqual(4);
    expect(new Set(renewals.map((event) => event['issuedTokenId'])).size).toBe(renewals.length);
  });

  test.each(['train', 'scan'])(
    'owner › CI run › application › job stand on every event of the %s job',
    (which) => {
      const name = which === 'train' ? facts.jobName : facts.secondJobName;
      const own = ofJob(name);
      const chains = new Set(own.map(({ chain }) => JSON.stringify(chain)));
      expect(chains.size).toBe(1);
      expect(own[0]?.chain.map(({ kind, name: called }) => [kind, called])).toEqual([
        ['user', 'Ada Byron'],
        ['ci-run', 'palmer/penguins@refs/heads/main run 7001'],
        ['application', 'penguins-ci'],
        ['job', name],
      ]);
      const reads = own.filter(({ kind, action }) => kind === 'request.decided' && action === blobRead);
      expect(reads.length).toBeGreaterThan(0);
    },
  );

  test('nothing that was done under the job’s lease was done under another name', async () => {
    const started = whenChanged('lease.started', (event) => event.text.includes(facts.jobName));
    const lease = z.object({ id: z.string(), jobId: z.string() }).parse(started.change?.['lease']);
    const underLease = events.filter(({ leaseId }) => leaseId === lease.id);
    expect(underLease.length).toBeGreaterThan(10);
    for (const { chain } of underLease) expect(chain.at(-1)).toMatchObject({ kind: 'job', id: lease.jobId });
    const byJob = await house.lockstep.foundation.ledger.eventsByJob(lease.jobId as PrincipalId);
    expect(byJob.length).toBeGreaterThanOrEqual(underLease.length);
  });

  test('the model is registered by the job, and its bytes hold a network that knows the species', async () => {
    const { workspace, subscriptionId, resourceGroup, storageAccount } = house.stage.place;
    const path = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/Microsoft.MachineLearningServices/workspaces/${workspace}/models/penguins/versions/${facts.jobName}?api-version=2024-10-01`;
    const { properties } = await house.admin.get<{ properties: { modelUri: string; jobName: string } }>(path);
    expect(properties.jobName).toBe(facts.jobName);
    expect(properties.modelUri).toMatch(
      new RegExp(`/${storageAccount}/azureml/ExperimentRun/dcid\\.${facts.jobName}/model/model\\.json$`),
    );
    const stored = await house.lockstep.foundation.store.db
      .selectFrom('blobs')
      .select('sha256')
      .where('name', 'like', `%${facts.jobName}/model/model.json`)
      .executeTakeFirstOrThrow();
    const written = whenChanged('blob.written', ({ change }) => change?.['sha256'] === stored.sha256);
    expect(written.chain.at(-1)).toMatchObject({ kind: 'job', name: facts.jobName });
    const ada = await signIn(house, 'ada@palmer.example');
    const { status, body } = await ada.client.send('GET', new URL(properties.modelUri).pathname, undefined, {
      'x-ms-version': '2025-11-05',
    });
    await ada.leave();
    expect(status).toBe(200);
    const model = z
      .object({ species: z.array(z.string()), metric: z.object({ accuracy: z.number() }) })
      .parse(body);
    expect(model.species).toEqual(['Adelie', 'Chinstrap', 'Gentoo']);
    expect(model.metric.accuracy).toBeGreaterThan(0.9);
    expect(facts.accuracy).toBe(model.metric.accuracy);
  });
});

describe('4: the wall', () => {
  test('the refusal is in Blob’s words and names the missing data action, the scope and the decision', () => {
    expect(facts.wall).toMatchObject({ status: 403, code: 'AuthorizationPermissionMismatch' });
    expect(facts.wall.message).toContain(blobRead);
    expect(facts.wall.message).toContain('/containers/field-notes/blobs/nests/positions.csv');
    const [decided] = events.filter(
      ({ decisionId, kind }) => decisionId === facts.wall.decisionId && kind === 'request.decided',
    );
    expect(decided).toMatchObject({ allowed: false, reason: 'missing-grant', action: blobRead });
    expect(decided?.chain.at(-1)).toMatchObject({ kind: 'job', name: facts.jobName });
  });

  test('explain names who can grant which role at which scopes, and what it says is so when Grace does it', async () => {
    const before = await explained();
    expect(before.explanation?.allowed).toBe(false);
    const lacking = (before.explanation?.authorities ?? []).filter(({ allowed }) => !allowed);
    expect(lacking.map(({ principal }) => principal.kind)).toEqual(['user', 'application', 'job']);
    for (const { remedy } of lacking) {
      expect(remedy?.missing).toEqual({ kind: 'data action', name: blobRead });
      expect(remedy?.roles.map(({ roleName }) => roleName)).toContain('Storage Blob Data Reader');
      expect(remedy?.scopes.at(-1)).toMatch(/\/containers\/field-notes\/blobs\/nests\/positions\.csv$/);
      expect(remedy?.scopes.some((scope) => scope.endsWith('/containers/field-notes'))).toBe(true);
      expect(remedy?.grantors.map(({ principal }) => principal.name)).toContain('Grace Murray');
    }
    const grace = await signIn(house, 'grace@palmer.example');
    for (const { principal, remedy } of lacking) {
      const role = remedy?.roles.find(({ roleName }) => roleName === 'Storage Blob Data Reader');
      const assigned = await cli(
        [
          'role',
          'assign',
          '--assignee',
          principal.id,
          '--role',
          role?.id ?? '',
          '--scope',
          remedy?.scopes.at(-1) ?? '',
        ],
        grace.environment,
      );
      expect(assigned).toMatchObject({ exitCode: 0, stderr: '' });
    }
    await grace.leave();
    expect((await explained()).explanation?.allowed).toBe(true);
  });
});

describe('5: the end', () => {
  test('the token of a job that ended was refused within a second, though unexpired', () => {
    expect(facts.refusedAfterEndMilliseconds).toBeLessThanOrEqual(1000);
    const refused = events.find(
      ({ chain, allowed, kind, reason }) =>
        kind === 'request.decided' &&
        allowed === false &&
        reason === 'unauthenticated' &&
        chain.some(({ name }) => name === facts.jobName),
    );
    const ended = whenChanged('lease.ended', (event) => event.text.includes(facts.jobName));
    expect(ended.change?.['reason']).toBe('completed');
    expect(refused?.sequence).toBeGreaterThan(ended.sequence);
    const later = ofJob(facts.jobName).filter(
      ({ sequence, kind, allowed }) => sequence > ended.sequence && kind === 'request.decided' && allowed,
    );
    expect(later).toEqual([]);
  });

  test('the owner left the group: the stream was cut and renewal refused within a second', () => {
    expect(facts.cutMilliseconds).toBeLessThanOrEqual(1000);
    expect(facts.renewalRefusedMilliseconds).toBeLessThanOrEqual(1000);
    const left = whenChanged('group.member-removed', () => true);
    const own = ofJob(facts.secondJobName);
    const cut = own.find(({ kind, ending }) => kind === 'request.ended' && ending !== 'completed');
    expect(cut?.ending).toMatch(/^(policy-changed|identity-ended)$/);
    expect(cut?.scope).toMatch(/survey\/archive\.bin$/);
    expect(cut?.sequence).toBeGreaterThan(left.sequence);
    const ended = whenChanged('lease.ended', (event) => event.text.includes(facts.secondJobName));
    expect(ended.change?.['reason']).toBe('owner-lost-right');
  });

  test('the refused renewal stands in the log under the chain of the job that asked', () => {
    const refused = ofJob(facts.secondJobName).filter(
      ({ activity, failureCode }) => activity === 'token-renewal' && failureCode === 'lease_ended',
    );
    expect(refused.length).toBeGreaterThan(0);
  });
});

describe('6: the proof', () => {
  test('the whole log verifies from its directory and its key alone, and holds every event', async () => {
    await house.lockstep.foundation.ledger.integrate();
    const verdict = await verifyLog(
      directorySource(join(house.home, 'ledger')),
      house.stage.ledgerVerifierKey,
    );
    expect(verdict.ok).toBe(true);
    expect(verdict.ok && verdict.size).toBeGreaterThanOrEqual(events.length);
    expect(facts.verified).toMatch(/verified/);
  });

  test('the receipt of the wall verifies offline, and no single changed byte of it does', () => {
    const key = house.stage.ledgerVerifierKey;
    const receipt = readFileSync(facts.receiptFile);
    const verdict = verifyReceipt(receipt.toString('utf8'), null, key);
    expect(verdict.ok && Buffer.from(verdict.entry).toString('utf8')).toContain(facts.wall.decisionId);
    const survived: string[] = [];
    for (let at = 0; at < receipt.length; at++) {
      for (const flip of [0x01, 0x20]) {
        const changed = Buffer.from(receipt);
        changed[at] = (changed[at] ?? 0) ^ flip;
        if (verifyReceipt(changed.toString('utf8'), null, key).ok)
          survived.push(`byte ${at} ${JSON.stringify(changed.toString('latin1').slice(at - 10, at + 10))}`);
      }
    }
    expect(survived).toEqual([]);
  });

  test('no token and no secret is in the log', () => {
    for (const { text } of events) expect(text).not.toMatch(/eyJ[A-Za-z0-9_-]{10,}\.eyJ/);
  });
});

async function explained() {
  const answer = await cli(['explain', facts.wall.decisionId, '--json'], house.stage.cli);
  expect(answer.exitCode).toBe(0);
  return explainedSchema.parse(JSON.parse(answer.stdout));
}
