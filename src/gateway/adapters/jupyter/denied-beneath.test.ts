import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decideForAll } from '../../../policy/decide.ts';
import { PolicySnapshot } from '../../../policy/snapshot.ts';
import { person } from '../../../policy/testing/people.ts';
import type { DenyAssignment } from '../../../store/changes.ts';
import { alice, callerOf, TestGateway } from '../../testing/gateway.ts';
import { proxyOptions } from '../../testing/proxy-options.ts';
import { EchoUpstream } from '../../testing/upstream.ts';
import type { ProxiedSurface } from '../web/proxied.ts';
import { jupyterActions as actions } from './actions.ts';
import { jupyterSurface } from './surface.ts';

// A deny assignment at one file of a directory in which its reader may do everything else: what is done to the directory
// must not undo it.

const connection = '/subscriptions/s/computes/lab';
const team = `${connection}/directories/team`;
let upstream: EchoUpstream;
let surface: ProxiedSurface;
let gateway: TestGateway;
let asked: string[];

const permission = { notActions: [], dataActions: [], notDataActions: [] };

function denial(...denied: string[]): DenyAssignment {
  return {
    id: 'd1',
    name: 'salaries',
    description: '',
    scope: `${team}/x/salaries.csv`,
    permissions: [{ actions: denied, ...permission }],
    doNotApplyToChildScopes: false,
    principals: [alice],
    excludePrincipals: [],
    condition: null,
  };
}

/** Alice may do everything at the connection, except what is denied. */
async function open(denied: DenyAssignment, isolatedKernels = false): Promise<void> {
  const roleDefinition = {
    id: 'r1',
    roleName: 'Everything',
    description: '',
    type: 'CustomRole' as const,
    permissions: [{ actions: ['*'], ...permission }],
    assignableScopes: ['/'],
  };
  const snapshot = PolicySnapshot.from({
    principals: [person(alice, 'Alice')],
    memberships: [],
    roleDefinitions: [roleDefinition],
    roleAssignments: [
      {
        id: 'g1',
        scope: connection,
        roleDefinitionId: 'r1',
        principalId: alice,
        principalType: 'User',
        description: '',
        createdOn: '2026-01-01T00:00:00.000Z',
        createdBy: alice,
        condition: null,
      },
    ],
    denyAssignments: [denied],
    version: 1,
  });
  surface = jupyterSurface(
    { name: 'lab', upstream: upstream.origin, scope: connection, isolatedKernels },
    { ...proxyOptions, holdRolesWithin: () => true },
  );
  gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: (authorities, access) => decideForAll(snapshot, authorities, access),
  });
}

beforeEach(async () => {
  asked = [];
  upstream = await EchoUpstream.start();
  upstream.answer = (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume();
    response.setHeader('content-type', 'application/json');
    const isDirectory = /^\/api\/contents\/(?:team|team\/x|other)(?:\?|$)/.test(request.url ?? '');
    const session = { id: 'session-1', path: 'team/a.ipynb', kernel: { id: 'kernel-1' } };
    if (request.url === '/api/sessions' && request.method === 'GET') response.end(JSON.stringify([session]));
    else response.end(JSON.stringify({ type: isDirectory ? 'directory' : 'file' }));
  };
});
afterEach(async () => {
  await gateway.close();
  await surface.close();
  await upstream.close();
});

async function ask(method: string, path: string, body?: object) {
  const response = await gateway.fetch(`/connections/lab${path}`, {
    method,
    headers: { authorization: 'Bearer good', 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

const copyOfDirectory = ['POST', '/api/contents/team', { copy_from: 'team/x' }] as const;
const renaming = ['PATCH', '/api/contents/team/x', { path: 'team/y' }] as const;
const renamingAbove = ['PATCH', '/api/contents/team', { path: 'team2' }] as const;
const moving = ['PATCH', '/api/contents/team/x', { path: 'other/x' }] as const;
const deletion = ['DELETE', '/api/contents/team/x', undefined] as const;
const deletionAbove = ['DELETE', '/api/contents/team', undefined] as const;
const onTop = ['PATCH', '/api/contents/other', { path: 'team/x' }] as const;

describe('a deny assignment at a file of a directory', () => {
  it.each([
    ['readFiles', [copyOfDirectory, renaming, renamingAbove, moving]],
    ['writeFiles', [renaming, renamingAbove, moving, onTop]],
    ['deleteFiles', [deletion, deletionAbove, moving]],
  ] as const)('of %s is not evaded by way of the directory', async (name, attempts) => {
    await open(denial(actions[name]));
    for (const [method, path, body] of attempts) {
      const { status, text } = await ask(method, path, body);
      expect([method, path, status]).toEqual([method, path, 403]);
      expect(JSON.parse(text)).toMatchObject({
        policy: 'denyAssignment:d1',
        cause: 'deny-assignment',
      });
      expect(text).toContain('and all beneath it: the deny assignment `salaries` at');
    }
    expect(asked.filter((line) => !line.startsWith('GET'))).toEqual([]);
  });

  it('lets be what the denial is not about', async () => {
    await open(denial(actions.readFiles));
    for (const [method, path, body] of [
      deletion,
      ['POST', '/api/contents/team', { copy_from: 'team/x/other.csv' }],
      ['POST', '/api/contents/team/x', { type: 'notebook' }],
      ['PATCH', '/api/contents/team/x/other.csv', { path: 'team/x/another.csv' }],
      ['PATCH', '/api/contents/other', { path: 'team/other' }],
      ['GET', '/api/contents/team/x', undefined],
      ['POST', '/api/kernels', { path: 'team' }],
    ] as const) {
      const { status } = await ask(method, path, body);
      expect([method, path, status]).toEqual([method, path, 200]);
    }
  });

  it('of running code keeps code from all directories above it', async () => {
    await open(denial('*'), true);
    const start = (path: string) => ask('POST', '/api/sessions', { path, type: 'notebook', name: '' });
    expect((await start('team/a.ipynb')).status).toBe(403);
    expect((await start('team/x/a.ipynb')).status).toBe(403);
    expect((await start('other/a.ipynb')).status).toBe(200);
    expect((await ask('POST', '/api/kernels/kernel-1/restart')).status).toBe(403);
    expect((await ask('POST', '/api/terminals')).status).toBe(403);
  });

  it('of running code keeps it from a server whose kernels see everything', async () => {
    await open(denial('*'));
    expect((await ask('POST', '/api/kernels', { path: 'other' })).status).toBe(403);
    expect((await ask('POST', '/api/terminals')).status).toBe(403);
  });
});
