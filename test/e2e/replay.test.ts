// Every decision of a busy house is made again, from the published log alone.
import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { directorySource } from '../../src/ledger/sources/directory-source.ts';
import type { PrincipalId } from '../../src/lib/ids.ts';
import type { Replayed } from '../../src/policy/replay.ts';
import { replayLog } from '../../src/reports/replay-log.ts';
import { systemAttribution } from '../../src/store/changes.ts';
import { SeededRandom } from './kill/random.ts';
import { readingBlob, writingBlob } from './puppet-job.ts';
import { openScene, type Scene } from './scene.ts';

const version = 'api-version=2022-04-01';
const roles = {
  reader: 'acdd72a7-3385-48ef-bd42-f606fba81ae7',
  blobReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1',
  blobContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe',
};
const blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs';
const copy = mkdtempSync(join(tmpdir(), 'lockstep-replay-'));

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
}, 60_000);
afterAll(async () => {
  await scene.close();
  rmSync(copy, { recursive: true, force: true });
});

test(
  'hundreds of random changes and requests: each decision comes out the same, by the same policy',
  { timeout: 240_000 },
  async () => {
    const { house, cast, account, ci } = scene;
    const { foundation } = house.lockstep;
    const random = new SeededRandom(20_261_125);
    const pick = <T>(of: readonly T[]): T => {
      const one = of[random.between(0, of.length - 1)];
      if (one === undefined) throw new Error('nothing to pick from');
      return one;
    };
    const by = systemAttribution(foundation.tenantId, 'gateway');
    const names = Array.from({ length: 5 }, () => randomUUID());
    const denials = Array.from({ length: 2 }, () => randomUUID());
    const inAMoment = () => new Date(Date.now() + random.between(-500, 1_500)).toISOString();
    const conditions = [
      () => null,
      () => `@Environment[UtcNow] DateTimeLessThan '${inAMoment()}'`,
      () =>
        `@Environment[Lockstep.Access/ci:repository] StringEquals '${pick(['palmer/penguins', 'other/one'])}'`,
      () =>
        `(!(ActionMatches{'${blobs}/read'})) OR (@Resource[${blobs}:path] StringStartsWith '${pick(['a', 'b', 'ü'])}')`,
      () =>
        `@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Lab_project] StringEquals '${pick(['red', 'blue'])}'`,
      () => `@Resource[Microsoft.Storage/storageAccounts/tags:stage] StringEquals '${pick(['red', 'blue'])}'`,
    ];
    const scopes = [cast.scopes.datasets, cast.scopes.fieldNotes, cast.scopes.workspace];
    const admin = async (method: string, path: string, body?: unknown) => {
      const { status } = await house.admin.send(method, path, body);
      if (status >= 500) throw new Error(`${method} ${path} answers ${status}`);
    };
    const written = `/providers/Microsoft.Authorization`;
    const changes = [
      async () => {
        const name = pick(names);
        const condition = pick(conditions)();
        await admin('PUT', `${pick(scopes)}${written}/roleAssignments/${name}?${version}`, {
          properties: {
            roleDefinitionId: `${written}/roleDefinitions/${pick(Object.values(roles))}`,
            principalId: pick([cast.ci.id, cast.engineers]),
            ...(condition === null ? {} : { condition, conditionVersion: '2.0' }),
          },
        });
      },
      () => admin('DELETE', `${pick(scopes)}${written}/roleAssignments/${pick(names)}?${version}`),
      async () => {
        const condition = pick(conditions)();
        await admin('PUT', `${pick(scopes)}${written}/denyAssignments/${pick(denials)}?${version}`, {
          properties: {
            denyAssignmentName: 'freeze',
            permissions: [
              {
                actions: [],
                notActions: [],
                dataActions: [`${blobs}/${pick(['read', 'write', '*'])}`],
                notDataActions: [],
              },
            ],
            principals: [{ id: pick([cast.ci.id, cast.engineers]) }],
            excludePrincipals: [],
            ...(condition === null ? {} : { condition, conditionVersion: '2.0' }),
          },
        });
      },
      () => admin('DELETE', `${pick(scopes)}${written}/denyAssignments/${pick(denials)}?${version}`),
      () =>
        admin('POST', `/v1.0/groups/${cast.engineers}/members/$ref`, {
          '@odata.id': `https://graph.microsoft.com/v1.0/directoryObjects/${cast.ci.id}`,
        }),
      () => admin('DELETE', `/v1.0/groups/${cast.engineers}/members/${cast.ci.id}/$ref`),
      () =>
        foundation.directory.setSecurityAttributes(by, cast.ci.id as PrincipalId, {
          Lab_project: pick(['red', 'blue']),
        }),
    ];
    const blob = () =>
      `${account}/${pick(['azureml-blobstore', 'field-notes'])}/${pick(['a/1', 'b/2', 'ü/3', 'c'])}`;
    const requests = [
      () => ci.client.send('GET', encodeURI(blob()), undefined, readingBlob),
      () => ci.client.send('GET', encodeURI(blob()), undefined, readingBlob),
      () => ci.client.send('PUT', encodeURI(blob()), 'content', writingBlob),
      () => ci.client.send('GET', `${cast.scopes.workspace}?api-version=2024-10-01`),
      () => house.admin.send('GET', `${cast.scopes.workspace}/jobs?api-version=2024-10-01`),
    ];
    for (let i = 0; i < 90; i++) {
      // Changes and requests run into one another on purpose.
      await Promise.all([
        pick(changes)(),
        ...Array.from({ length: 4 }, () =>
          pick(requests)().then(
            () => undefined,
            () => undefined,
          ),
        ),
      ]);
    }
    // Whatever chance brought: a denial that is met.
    await admin(
      'PUT',
      `${cast.scopes.fieldNotes}${written}/denyAssignments/e0e0e0e0-0000-4000-8000-000000000001?${version}`,
      {
        properties: {
          denyAssignmentName: 'freeze',
          permissions: [{ actions: [], notActions: [], dataActions: [`${blobs}/read`], notDataActions: [] }],
          principals: [{ id: cast.ci.id }],
          excludePrincipals: [],
        },
      },
    );
    await ci.client.send('GET', `${account}/field-notes/a/1`, undefined, readingBlob);
    await foundation.ledger.integrate();
    cpSync(foundation.ledgerDirectory, copy, { recursive: true });

    const replayed: Replayed[] = [];
    const verdict = await replayLog(directorySource(copy), foundation.ledger.verifierKey, {
      onReplayed: (one) => replayed.push(one),
    });
    expect(verdict.ok).toBe(true);
    expect(replayed.filter(({ kind }) => kind === 'differs' || kind === 'cannot-be-told')).toEqual([]);
    const same = replayed.filter(({ kind }) => kind === 'same');
    const policies = new Set(same.map(({ decision }) => decision.outcome.policyId));
    const reasons = new Set(same.map(({ decision }) => decision.outcome.reason));
    expect(same.length).toBeGreaterThan(400);
    expect(policies.size).toBeGreaterThan(4);
    expect([...reasons].sort()).toEqual(
      expect.arrayContaining(['deny-assignment', 'missing-grant', 'role-assignment']),
    );
    expect(new Set(same.map(({ decision }) => decision.revision)).size).toBeGreaterThan(40);

    // One decision by itself, by the id of its event.
    const [one] = same.slice(-1);
    const alone: Replayed[] = [];
    await replayLog(directorySource(copy), foundation.ledger.verifierKey, {
      only: new Set([one?.decision.id ?? '']),
      onReplayed: (it) => alone.push(it),
    });
    expect(alone).toEqual([one]);

    // The same when nothing is known any more of those who asked but their ids.
    for (const id of [cast.ci.id, cast.engineers]) await foundation.ledger.erase(by, { id, addresses: [] });
    await foundation.ledger.integrate();
    cpSync(foundation.ledgerDirectory, copy, { recursive: true });
    const later: Replayed[] = [];
    const after = await replayLog(directorySource(copy), foundation.ledger.verifierKey, {
      onReplayed: (it) => later.push(it),
    });
    expect(after.ok).toBe(true);
    const outcomes = new Map(later.map(({ kind, decision }) => [decision.id, kind]));
    expect(same.filter(({ decision }) => outcomes.get(decision.id) !== 'same')).toEqual([]);
  },
);
