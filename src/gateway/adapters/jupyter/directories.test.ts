import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { isWithin } from '../../../policy/scope.ts';
import { alice, allow, callerOf, TestGateway } from '../../testing/gateway.ts';
import { proxyOptions } from '../../testing/proxy-options.ts';
import { EchoUpstream } from '../../testing/upstream.ts';
import { jupyterActions as actions } from './actions.ts';
import type { ProxiedSurface } from '../web/proxied.ts';
import { jupyterSurface } from './surface.ts';

const connection = '/subscriptions/s/computes/lab';
const files = `${connection}/directories`;
const { look, use, readFiles, writeFiles, deleteFiles } = actions;
const everything = [readFiles, writeFiles, deleteFiles];

/** What Alice may do: actions at a scope and beneath it. */
let grants: { scope: string; actions: readonly string[] }[];
let upstream: EchoUpstream;
let surface: ProxiedSurface;
let gateway: TestGateway;

const sessions = [
  { id: 'session-a', path: 'team-a/a.ipynb', kernel: { id: 'kernel-a' } },
  { id: 'session-b', path: 'team-b/b.ipynb', kernel: { id: 'kernel-b' } },
  { id: 'session-1', path: 'team-a/shared.ipynb', kernel: { id: 'kernel-ab' } },
  { id: 'session-2', path: 'team-b/shared.ipynb', kernel: { id: 'kernel-ab' } },
];
const kernels = ['kernel-a', 'kernel-b', 'kernel-ab', 'kernel-alone'].map((id) => ({ id, name: 'python3' }));
const documentOfB = '11111111-1111-4111-8111-111111111111';

/** As jupyter-server answers: directories with a list, everything else with what was asked. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '', 'http://server');
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    asked.push(`${request.method} ${request.url}`);
    bodies.push(Buffer.concat(chunks).toString());
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(told(url, request.method ?? '')));
  });
}

function told(url: URL, method: string): unknown {
  const path = decodeURIComponent(url.pathname);
  if (path === '/api/sessions' && method === 'GET') return sessions;
  if (path === '/api/kernels' && method === 'GET') return kernels;
  if (path === '/api/fileid/path') return { id: documentOfB, path: 'team-b/b.ipynb' };
  const tree: Record<string, [string, string][]> = {
    '': [
      ['team-a', 'directory'],
      ['team-b', 'directory'],
      ['Team-A', 'directory'],
      ['loose.txt', 'file'],
    ],
    '/team-a': [
      ['a.ipynb', 'notebook'],
      ['secret', 'directory'],
    ],
    '/team-b': [['inner', 'directory']],
  };
  const listed = tree[path.replace(/^\/api\/contents/, '').replace(/\/$/, '')];
  if (method !== 'GET' || !path.startsWith('/api/contents') || listed === undefined) {
    return { type: 'file', url: url.pathname + url.search };
  }
  const content =
    url.searchParams.get('content') === '0' ? null : listed.map(([name, type]) => ({ name, type }));
  return { type: 'directory', name: path, content };
}

/** What the server was asked, and the bodies of it. */
let asked: string[];
let bodies: string[];

async function open(isolatedKernels = false): Promise<void> {
  surface = jupyterSurface(
    { name: 'lab', upstream: upstream.origin, scope: connection, isolatedKernels },
    {
      ...proxyOptions,
      holdRolesWithin: (_, scope) => grants.some((grant) => isWithin(grant.scope, scope)),
    },
  );
  gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: (_, access) => {
      return grants.some(
        (grant) => grant.actions.includes(access.action) && isWithin(access.scope, grant.scope),
      )
        ? allow()
        : { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice };
    },
  });
}

beforeEach(async () => {
  upstream = await EchoUpstream.start();
  upstream.answer = answer;
  asked = [];
  bodies = [];
  grants = [
    { scope: connection, actions: [look] },
    { scope: `${files}/team-a`, actions: everything },
  ];
  await open();
});
afterEach(async () => {
  await gateway.close();
  await surface.close();
  await upstream.close();
});

async function ask(method: string, path: string, body?: unknown) {
  const response = await gateway.fetch(`/connections/lab${path}`, {
    method,
    redirect: 'manual',
    headers: {
      authorization: 'Bearer good',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

const names = (text: string) =>
  (JSON.parse(text) as { content: { name: string }[] | null }).content?.map(({ name }) => name) ?? null;

describe('files', () => {
  it.each([
    ['GET', '/api/contents/team-b/b.ipynb'],
    ['GET', '/api/contents/team-b'],
    ['GET', '/api/contents/team-b/'],
    ['GET', '/api/contents/team-b?content=0'],
    ['GET', '/api/contents/team-b?type=directory'],
    ['HEAD', '/api/contents/team-b/b.ipynb'],
    ['GET', '/api/contents/Team-A/a.ipynb'],
    ['GET', '/api/contents/team-a%CC%88/a.ipynb'],
    ['GET', '/api/contents/team-ab/a.ipynb'],
    ['GET', '/api/contents/team-a%20'],
    ['GET', '/api/contents/.hidden'],
    ['GET', '/api/contents/team-b/b.ipynb/checkpoints'],
    ['POST', '/api/contents/team-b/b.ipynb/checkpoints'],
    ['POST', '/api/contents/team-b/b.ipynb/checkpoints/0'],
    ['DELETE', '/api/contents/team-b/b.ipynb/checkpoints/0'],
    ['POST', '/api/contents/team-b/b.ipynb/trust'],
    ['PUT', '/api/contents/team-b/new.txt'],
    ['POST', '/api/contents/team-b'],
    ['POST', '/api/contents'],
    ['DELETE', '/api/contents/team-b/b.ipynb'],
    ['GET', '/files/team-b/b.csv'],
    ['HEAD', '/files/team-b/b.csv'],
    ['GET', '/view/team-b/b.html'],
    ['GET', '/nbconvert/html/team-b/b.ipynb'],
    ['GET', '/api/resolvePath?path=/etc/passwd'],
    ['PUT', '/api/collaboration/session/team-b/b.ipynb'],
    ['PUT', '/api/collaboration/session/team-b%2Fb.ipynb'],
    ['GET', '/api/collaboration/timeline/team-b/b.ipynb?format=json&type=notebook'],
  ])('of others are not to be had: %s %s', async (method, path) => {
    const { status, text } = await ask(method, path);
    expect(status).toBe(403);
    if (method !== 'HEAD') expect(text).toContain('AuthorizationFailed');
    expect(asked).toEqual([]);
  });

  it.each([
    ['GET', '/api/contents/team-a/../team-b'],
    ['GET', '/api/contents/team-a/%2e%2e/team-b'],
    ['GET', '/api/contents/team-a%2F..%2Fteam-b'],
    ['GET', '/api/contents/team-a/%252e%252e/team-b'],
    ['GET', '/files/team-a/..%5cteam-b'],
    ['GET', '/api/contents/team-a//b'],
    ['PUT', '/api/collaboration/session/team-a%2F..%2Fteam-b%2Fb.ipynb'],
    ['PUT', '/api/collaboration/session/%2Fteam-a%2Fa.ipynb'],
    ['PUT', '/api/collaboration/session/%2Fetc%2Fpasswd'],
    ['PUT', '/api/collaboration/session/team-a%2F'],
    ['PUT', '/api/collaboration/session/team-a%2F%2Fa.ipynb'],
    ['PUT', '/api/collaboration/session/team-a%5C..%5Cteam-b'],
    ['PUT', '/api/collaboration/session/team-a/b%2F..%2Fc'],
    ['GET', '/api/collaboration/timeline/team-a%2Fa.ipynb'],
  ])('have one spelling: %s %s', async (method, path) => {
    const text = await gateway.raw(
      `${method} /connections/lab${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1.1 400 /);
    expect(asked).toEqual([]);
  });

  it.each([
    ['GET', '/api/contents/team-a/a.ipynb'],
    ['GET', '/api/contents/team-a/a.ipynb/checkpoints'],
    ['POST', '/api/contents/team-a/a.ipynb/checkpoints/0'],
    ['POST', '/api/contents/team-a/a.ipynb/trust'],
    ['PUT', '/api/contents/team-a/new.txt'],
    ['POST', '/api/contents/team-a'],
    ['DELETE', '/api/contents/team-a/a.ipynb'],
    ['GET', '/files/team-a/a.csv?download=1'],
    ['GET', '/nbconvert/html/team-a/a.ipynb'],
    ['PUT', '/api/collaboration/session/team-a/a.ipynb'],
    ['PUT', '/api/collaboration/session/team-a%2Fa.ipynb'],
  ])('of one’s own are: %s %s', async (method, path) => {
    expect((await ask(method, path)).status).toBe(200);
  });

  it('are told to be for reading only to who may not write them, where that is asked and not their content', async () => {
    const outline = '/api/contents/team-b/b.ipynb?content=0';
    grants.push({ scope: `${files}/team-b`, actions: [readFiles] });
    expect(JSON.parse((await ask('GET', outline)).text)).toMatchObject({ type: 'file', writable: false });
    const denied = gateway.facts.filter((fact) => fact.kind === 'request.decided' && !fact.allowed);
    expect(denied).toEqual([]);
    expect((await ask('GET', '/api/contents/team-b/b.ipynb')).text).not.toContain('writable');
    grants.push({ scope: `${files}/team-b`, actions: [writeFiles] });
    expect((await ask('GET', outline)).text).not.toContain('writable');
  });

  it.each(['directory%20', '%09directory', '%00directory', 'directory%E2%80%83', 'Directory', ''])(
    'are listed as what they are, however their type is spelt: ?type=%s',
    async (type) => {
      const { status } = await ask('GET', `/api/contents/team-a?type=${type}`);
      expect(status).toBe(400);
      expect(asked).toEqual([]);
    },
  );

  it('of nobody in particular are read from the root, which a right at a directory is none to', async () => {
    expect((await ask('GET', '/files/loose.txt')).status).toBe(403);
    grants.push({ scope: files, actions: [readFiles] });
    expect((await ask('GET', '/files/loose.txt')).status).toBe(200);
    expect((await ask('PUT', '/api/contents/loose.txt', {})).status).toBe(403);
  });

  it('are converted by programs that read other files only for those who may run code', async () => {
    expect((await ask('GET', '/nbconvert/pdf/team-a/a.ipynb')).status).toBe(403);
    grants.push({ scope: connection, actions: [use] });
    expect((await ask('GET', '/nbconvert/pdf/team-a/a.ipynb')).status).toBe(200);
  });
});

describe('a directory', () => {
  it('shows what the caller may see, and what leads there', async () => {
    grants.push({ scope: `${files}/team-b/inner/deep`, actions: [readFiles] });
    expect(names((await ask('GET', '/api/contents')).text)).toEqual(['team-a', 'team-b']);
    expect(names((await ask('GET', '/api/contents/team-b')).text)).toEqual(['inner']);
    expect(names((await ask('GET', '/api/contents/team-a?content=1')).text)).toEqual(['a.ipynb', 'secret']);
    expect(names((await ask('GET', '/api/contents?content=0')).text)).toBeNull();
  });

  it('on the way to what may be seen is no file: what turns into one is not read', async () => {
    grants.push({ scope: `${files}/odd/inner`, actions: [readFiles] });
    expect((await ask('GET', '/api/contents/odd')).status).toBe(403);
  });

  it('is not listed to somebody who holds nothing there', async () => {
    grants = [{ scope: connection, actions: [look] }];
    expect((await ask('GET', '/api/contents')).status).toBe(403);
  });

  it('is told in one record, however much is in it', async () => {
    await ask('GET', '/api/contents');
    expect(gateway.facts.length).toBeLessThan(6);
  });
});

describe('what is moved or copied', () => {
  it.each([
    ['PATCH', '/api/contents/team-a/a.ipynb', { path: 'team-b/a.ipynb' }],
    ['PATCH', '/api/contents/team-b/b.ipynb', { path: 'team-a/b.ipynb' }],
    ['PATCH', '/api/contents/team-a/a.ipynb', { path: 'a.ipynb' }],
    ['PATCH', '/api/contents/team-a/a.ipynb', { path: '/team-b/a.ipynb/' }],
    ['POST', '/api/contents/team-a', { copy_from: 'team-b/b.ipynb' }],
    ['POST', '/api/contents/team-a', { copy_from: '/team-b' }],
    ['POST', '/api/contents/team-b', { copy_from: 'team-a/a.ipynb' }],
  ])('is decided at both ends: %s %s %j', async (method, path, body) => {
    expect((await ask(method, path, body)).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it.each([
    ['PATCH', '/api/contents/team-a/a.ipynb', { path: 'team-a/../team-b/a.ipynb' }],
    ['PATCH', '/api/contents/team-a/a.ipynb', { path: 'team-a//b' }],
    ['POST', '/api/contents/team-a', { copy_from: 'team-a/../team-b/b.ipynb' }],
    // The server makes `team-a/untitled/../../team-b/x.py` of it.
    ['POST', '/api/contents/team-a', { type: 'file', ext: '/../../team-b/x.py' }],
    ['POST', '/api/contents/team-a', '[]'],
    ['PATCH', '/api/contents/team-a/a.ipynb', '{"path": 1}'],
  ])('has one reading: %s %s %j', async (method, path, body) => {
    expect((await ask(method, path, body)).status).toBe(400);
    expect(asked).toEqual([]);
  });

  it('is told to the server as it was read', async () => {
    const twice = '{"path":"team-b/x","a":1,"path":"team-a/x"}';
    expect((await ask('PATCH', '/api/contents/team-a/a.ipynb', twice)).status).toBe(200);
    expect(bodies).toEqual(['{"path":"team-a/x","a":1}']);
  });

  it('leaves a directory only with who may read and delete there', async () => {
    grants = [
      { scope: `${files}/team-a`, actions: [writeFiles, readFiles] },
      { scope: `${files}/team-c`, actions: everything },
    ];
    const move = (from: string, path: string) => ask('PATCH', `/api/contents/${from}`, { path });
    expect((await move('team-a/a.ipynb', 'team-a/b.ipynb')).status).toBe(200);
    expect((await move('team-a/a.ipynb', 'team-c/a.ipynb')).status).toBe(403);
    expect((await move('team-c/a.ipynb', 'team-a/a.ipynb')).status).toBe(200);
  });
});

describe('kernels', () => {
  const listed = async (path: string) =>
    (JSON.parse((await ask('GET', path)).text) as { id: string }[]).map(({ id }) => id);

  it('and sessions of notebooks that the caller may not see are not listed', async () => {
    expect(await listed('/api/sessions')).toEqual(['session-a', 'session-1']);
    expect(await listed('/api/kernels')).toEqual(['kernel-a', 'kernel-ab', 'kernel-alone']);
    expect((await ask('GET', '/api/sessions/session-b')).status).toBe(403);
    expect((await ask('GET', '/api/kernels/kernel-b')).status).toBe(403);
    expect((await ask('GET', '/api/kernels/kernel-a')).status).toBe(200);
  });

  it('are all there for who may run code, which reaches everything', async () => {
    grants.push({ scope: connection, actions: [use] });
    expect(await listed('/api/sessions')).toHaveLength(4);
    expect(await listed('/api/kernels')).toHaveLength(4);
  });

  it('are used by a right at the connection, not by one at a directory', async () => {
    grants.push({ scope: files, actions: [use] });
    const start = { path: 'team-a/a.ipynb', type: 'notebook' };
    expect((await ask('POST', '/api/sessions', start)).status).toBe(403);
    expect((await ask('POST', '/api/kernels/kernel-a/restart')).status).toBe(403);
    expect(await channels('kernel-a')).toBe(403);
    grants.push({ scope: connection, actions: [use] });
    expect((await ask('POST', '/api/sessions', start)).status).toBe(200);
  });
});

async function channels(kernel: string): Promise<number> {
  const url = `wss://localhost:${gateway.port}/connections/lab/api/kernels/${kernel}/channels`;
  return handshake(url);
}

async function handshake(url: string): Promise<number> {
  const socket = new WebSocket(url, { ca: gateway.ca, headers: { authorization: 'Bearer good' } });
  socket.on('error', () => undefined);
  return new Promise((resolve) => {
    socket.once('unexpected-response', (sent, response) => {
      sent.destroy();
      resolve(response.statusCode ?? 0);
    });
    socket.once('close', () => resolve(0));
  });
}

describe('kernels that are kept apart', () => {
  beforeEach(async () => {
    await gateway.close();
    await surface.close();
    await open(true);
    grants.push({ scope: `${files}/team-a`, actions: [use] });
  });

  it.each([
    ['POST', '/api/kernels/kernel-a/restart', undefined, 200],
    ['DELETE', '/api/kernels/kernel-a', undefined, 200],
    ['POST', '/api/sessions', { path: 'team-a/a.ipynb', type: 'notebook' }, 200],
    ['PATCH', '/api/sessions/session-a', { path: 'team-a/renamed.ipynb' }, 200],
    ['POST', '/api/kernels', { name: 'python3', path: 'team-a' }, 200],
    ['POST', '/api/kernels/kernel-b/restart', undefined, 403],
    ['DELETE', '/api/kernels/kernel-b', undefined, 403],
    // Shared with a notebook in team-b.
    ['POST', '/api/kernels/kernel-ab/interrupt', undefined, 403],
    // Of nobody's.
    ['DELETE', '/api/kernels/kernel-alone', undefined, 403],
    ['DELETE', '/api/sessions/session-b', undefined, 403],
    ['DELETE', '/api/sessions/session-1', undefined, 403],
    ['POST', '/api/sessions', { path: 'team-b/b.ipynb', type: 'notebook' }, 403],
    // Would make somebody else's kernel one's own.
    ['POST', '/api/sessions', { path: 'team-a/x.ipynb', type: 'notebook', kernel: { id: 'kernel-b' } }, 403],
    ['PATCH', '/api/sessions/session-a', { kernel: { id: 'kernel-b' } }, 403],
    ['PATCH', '/api/sessions/session-b', { path: 'team-a/b.ipynb' }, 403],
    ['PATCH', '/api/sessions/session-a', { path: 'team-b/a.ipynb' }, 403],
    ['POST', '/api/sessions', { type: 'notebook', notebook: { path: 'team-b/b.ipynb' } }, 403],
    ['POST', '/api/sessions', { path: 'team-a/../team-b/b.ipynb', type: 'notebook' }, 403],
    ['POST', '/api/kernels', { name: 'python3', path: 'team-b' }, 403],
    ['POST', '/api/kernels', { name: 'python3', path: 'team-a', kernel_id: 'kernel-b' }, 403],
    ['POST', '/api/kernels', undefined, 403],
  ])('are used where their notebooks are: %s %s %j', async (method, path, body, status) => {
    expect((await ask(method, path, body)).status).toBe(status);
    const changes = asked.filter((one) => !one.startsWith('GET '));
    expect(changes).toHaveLength(status === 200 ? 1 : 0);
  });

  it('have channels for those who may use them there', async () => {
    // The upstream of this test opens none: what counts is who is asked.
    expect(await channels('kernel-a')).not.toBe(403);
    expect(await channels('kernel-b')).toBe(403);
    expect(await channels('kernel-ab')).toBe(403);
  });

  it('are not used when the server does not say where they are', async () => {
    upstream.answer = (_, response) => void response.writeHead(500).end();
    expect((await ask('POST', '/api/kernels/kernel-a/restart')).status).toBe(502);
  });
});

describe('a room of a document', () => {
  const room = (id: string) =>
    handshake(`wss://localhost:${gateway.port}/connections/lab/api/collaboration/room/${id}`);

  it('is for those who may read it', async () => {
    expect(await room(`json:notebook:${documentOfB}`)).toBe(403);
    grants.push({ scope: `${files}/team-b`, actions: [writeFiles] });
    expect(await room(`json:notebook:${documentOfB}`)).toBe(403);
    grants.push({ scope: `${files}/team-b`, actions: [readFiles] });
    expect(await room(`json:notebook:${documentOfB}`)).not.toBe(403);
  });

  it('that nobody knows, or of everybody, is the whole server’s', async () => {
    grants.push({ scope: files, actions: everything });
    for (const id of ['JupyterLab:globalAwareness', '0123456789abcdef', `a:b:c:${documentOfB}`]) {
      expect(await room(id)).toBe(403);
    }
  });
});
