import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isWithin } from '../../../policy/scope.ts';
import { alice, allow, callerOf, TestGateway } from '../../testing/gateway.ts';
import { proxyOptions } from '../../testing/proxy-options.ts';
import { EchoUpstream } from '../../testing/upstream.ts';
import type { ProxiedSurface } from '../web/proxied.ts';
import { jupyterActions as actions } from './actions.ts';
import { jupyterSurface } from './surface.ts';

const connection = '/subscriptions/s/computes/lab';
const files = `${connection}/directories`;
const { look, use, readFiles, writeFiles, deleteFiles } = actions;

interface Rule {
  readonly scope: string;
  readonly actions: readonly string[];
}
let grants: Rule[];
let denials: Rule[];
let upstream: EchoUpstream;
let surface: ProxiedSurface;
let gateway: TestGateway;
let asked: string[];
let directories: string[];

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '', 'http://server');
  request.resume().on('end', () => {
    asked.push(`${request.method} ${pathname}`);
    response.setHeader('content-type', 'application/json');
    const path = decodeURIComponent(pathname.replace(/^\/api\/contents\/?/, ''));
    if (pathname === '/api/sessions' && request.method === 'GET') response.end('[]');
    else if (request.method === 'GET' && pathname.startsWith('/api/contents')) {
      if (directories.includes(path)) response.end(JSON.stringify({ type: 'directory', content: null }));
      else response.writeHead(404).end('{}');
    } else response.end('{}');
  });
}

beforeEach(async () => {
  upstream = await EchoUpstream.start();
  upstream.answer = answer;
  asked = [];
  denials = [];
  directories = ['', 'team', 'shared'];
  grants = [{ scope: connection, actions: [look] }];
  surface = jupyterSurface(
    { name: 'lab', upstream: upstream.origin, scope: connection, isolatedKernels: true },
    {
      ...proxyOptions,
      holdRolesWithin: (_, scope) => grants.some((grant) => isWithin(grant.scope, scope)),
    },
  );
  const holds = (rules: readonly Rule[], action: string, scope: string) =>
    rules.some((rule) => rule.actions.includes(action) && isWithin(scope, rule.scope));
  gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: (_, { action, scope }) =>
      holds(grants, action, scope) && !holds(denials, action, scope)
        ? allow()
        : { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice },
  });
});
afterEach(async () => {
  await gateway.close();
  await surface.close();
  await upstream.close();
});

async function ask(method: string, path: string, body: unknown): Promise<number> {
  const response = await gateway.fetch(`/connections/lab${path}`, {
    method,
    headers: { authorization: 'Bearer good', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

it('gives nobody a file to read, by a new name beside the old one, that they may not read', async () => {
  grants.push({ scope: `${files}/team`, actions: [readFiles, writeFiles, deleteFiles] });
  denials.push({ scope: `${files}/team/salaries.csv`, actions: [readFiles] });
  expect(await ask('POST', '/api/contents/team', { copy_from: 'team/salaries.csv' })).toBe(403);
  expect(await ask('PATCH', '/api/contents/team/salaries.csv', { path: 'team/mine.csv' })).toBe(403);
  expect(asked).toEqual([]);
});

it('gives nobody a directory to read, by a new name beside the old one, that they may not read', async () => {
  grants.push(
    { scope: connection, actions: [writeFiles] },
    { scope: `${files}/mine`, actions: [readFiles, writeFiles, deleteFiles] },
  );
  expect(await ask('PATCH', '/api/contents/team', { path: 'mine' })).toBe(403);
  expect(asked).toEqual([]);
});

it.each([
  // jupyter-server takes the directory of what is no directory, and the next above it that is there.
  ['/api/sessions', 'shared/one.ipynb', `${files}/shared/one.ipynb`],
  ['/api/sessions', 'loose.ipynb', `${files}/loose.ipynb`],
  ['/api/sessions', 'gone', `${files}/gone`],
  ['/api/sessions', 'gone/a.ipynb', `${files}/gone`],
  ['/api/kernels', 'shared/one.ipynb', `${files}/shared/one.ipynb`],
  ['/api/kernels', 'gone', `${files}/gone`],
])('POST %s with path %s starts no kernel in a directory above the right', async (route, path, scope) => {
  grants.push({ scope, actions: [use, readFiles, writeFiles, deleteFiles] });
  expect(await ask('POST', route, { path, type: 'notebook', name: '', kernel: { name: 'python3' } })).toBe(
    403,
  );
  expect(asked.filter((one) => one.startsWith('POST'))).toEqual([]);
});

it.each([
  ['/api/sessions', 'team/a.ipynb'],
  ['/api/kernels', 'team'],
  ['/api/kernels', 'team/a.ipynb'],
])('POST %s with path %s starts one in the directory of the right', async (route, path) => {
  grants.push({ scope: `${files}/team`, actions: [use] });
  expect(await ask('POST', route, { path, type: 'notebook', name: '', kernel: { name: 'python3' } })).toBe(
    200,
  );
});
