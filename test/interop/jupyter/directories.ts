import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request, type Agent } from 'undici';
import type { PrincipalRecord } from '../../../src/store/changes.ts';
import { handshake, parsed } from './ask.ts';
import type { Expect } from './known.ts';
import { sharedToken, type Laboratory } from './laboratory.ts';

/** Alice writes in team-a, Bob reads there, Dora may do everything: on one server, with jupyter-collaboration. */
export async function inDirectories(lab: Laboratory, agent: Agent, expectThat: Expect): Promise<void> {
  const ask = async (who: PrincipalRecord, method: Method, path: string, body?: unknown) => {
    const { statusCode, body: answer } = await request(`${lab.url}/connections/team${path}`, {
      method,
      dispatcher: agent,
      headers: {
        authorization: `Bearer ${await lab.token(who, 'team')}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: statusCode, text: await answer.text() };
  };
  const { alice, bob, dora } = lab;
  const names = (text: string) => {
    const { content } = parsed(text) as { content?: { name: string }[] };
    return (content ?? []).map(({ name }) => name).sort();
  };
  const status = async (what: string, wanted: number, ...asked: Parameters<typeof ask>) => {
    const answer = await ask(...asked);
    expectThat(`${what} (${wanted})`, answer.status === wanted, answer);
    return answer;
  };

  for (const [name, who] of [
    ['Alice', alice],
    ['Bob', bob],
  ] as const) {
    const root = await ask(who, 'GET', '/api/contents?content=1');
    expectThat(`${name} sees team-a and not team-b`, names(root.text).join() === 'team-a', root);
  }
  const all = await ask(dora, 'GET', '/api/contents');
  expectThat('Dora sees both', names(all.text).join() === 'team-a,team-b', all);
  await status('Bob reads what is in team-a', 200, bob, 'GET', '/api/contents/team-a/notes.ipynb');
  await status('and downloads it', 200, bob, 'GET', '/files/team-a/notes.ipynb');
  await status('and converts it', 200, bob, 'GET', '/nbconvert/html/team-a/notes.ipynb');
  await status('and writes nothing', 403, bob, 'PUT', '/api/contents/team-a/x.txt', text('x'));
  await status('Alice writes there', 201, alice, 'PUT', '/api/contents/team-a/x.txt', text('x'));
  await status('and copies there', 201, alice, 'POST', '/api/contents/team-a', { copy_from: 'team-a/x.txt' });
  await status('and renames there', 200, alice, 'PATCH', '/api/contents/team-a/x.txt', {
    path: 'team-a/y.txt',
  });
  await status('and makes a notebook there', 201, alice, 'POST', '/api/contents/team-a', {
    type: 'notebook',
  });
  await status('and a checkpoint', 201, alice, 'POST', '/api/contents/team-a/notes.ipynb/checkpoints');
  await status('and trusts it', 201, alice, 'POST', '/api/contents/team-a/notes.ipynb/trust');

  for (const [method, path, body] of [
    ['GET', '/api/contents/team-b', undefined],
    ['GET', '/api/contents/team-b?content=0', undefined],
    ['GET', '/api/contents/team-b/none.txt', undefined],
    ['GET', '/files/team-b/notes.ipynb', undefined],
    ['GET', '/view/team-b/notes.ipynb', undefined],
    ['GET', '/nbconvert/html/team-b/notes.ipynb', undefined],
    ['GET', '/nbconvert/pdf/team-a/notes.ipynb', undefined],
    ['GET', '/api/contents/team-b/notes.ipynb/checkpoints', undefined],
    ['POST', '/api/contents/team-b/notes.ipynb/trust', undefined],
    ['POST', '/api/contents/team-a', { copy_from: 'team-b/notes.ipynb' }],
    ['POST', '/api/contents/team-a', { copy_from: '/team-b' }],
    ['PATCH', '/api/contents/team-a/y.txt', { path: 'team-b/y.txt' }],
    ['PATCH', '/api/contents/team-b/notes.ipynb', { path: 'team-a/stolen.ipynb' }],
    ['GET', '/api/resolvePath?path=/etc/passwd', undefined],
  ] as const) {
    await status(`Alice gets nothing of team-b: ${method} ${path}`, 403, alice, method, path, body);
  }

  // What the server itself makes of such an ending shows why it is refused.
  const ending = { type: 'file', ext: '/../../team-b/planted.txt' };
  const direct = await request(`${lab.shared.url}/api/contents/team-a`, {
    method: 'POST',
    headers: { authorization: `token ${sharedToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(ending),
  });
  await direct.body.dump();
  expectThat(
    'jupyter-server lets the ending of a new name lead into another directory',
    direct.statusCode === 201 && existsSync(join(lab.shared.work, 'team-b', 'planted.txt')),
    direct.statusCode,
  );
  await status('Lockstep does not', 400, alice, 'POST', '/api/contents/team-a', ending);
  expectThat('and nothing was planted', !existsSync(join(lab.team.work, 'team-b', 'planted.txt')));
  const upwards = { path: 'team-a/../team-b/y.txt' };
  await status('nor does a path lead upwards', 400, alice, 'PATCH', '/api/contents/team-a/y.txt', upwards);
  await status('a hidden file is hidden by the server', 404, alice, 'GET', '/api/contents/team-a/.hidden');
  await status(
    'a symbolic link is followed, as the guide says',
    200,
    alice,
    'GET',
    '/api/contents/team-a/link/notes.ipynb',
  );

  const started = (path: string) => ({ path, type: 'notebook', name: path, kernel: { name: 'python3' } });
  await status('Alice starts no kernel', 403, alice, 'POST', '/api/sessions', started('team-a/notes.ipynb'));
  const own = await status('Dora does', 201, dora, 'POST', '/api/sessions', started('team-a/notes.ipynb'));
  const others = await status(
    'and in team-b',
    201,
    dora,
    'POST',
    '/api/sessions',
    started('team-b/notes.ipynb'),
  );
  const [ownId, otherId] = [own, others].map(({ text: told }) => String(parsed(told)['id']));
  const sessions = await ask(bob, 'GET', '/api/sessions');
  expectThat(
    'Bob sees the session of team-a’s notebook and not that of team-b’s',
    sessions.text.includes(String(ownId)) && !sessions.text.includes(String(otherId)),
    sessions,
  );
  const kernels = await ask(bob, 'GET', '/api/kernels');
  expectThat('and one kernel', (JSON.parse(kernels.text) as unknown[]).length === 1, kernels);
  await status('nor by its id', 403, bob, 'GET', `/api/sessions/${otherId}`);

  const document = { format: 'json', type: 'notebook' };
  const opened = async (who: PrincipalRecord, path: string) =>
    ask(who, 'PUT', `/api/collaboration/session/${path}`, document);
  const session = await opened(alice, 'team-a/notes.ipynb');
  const { fileId, sessionId } = parsed(session.text);
  expectThat('Alice opens a document together with others', typeof fileId === 'string', session);
  const readers = await opened(bob, 'team-a/notes.ipynb');
  expectThat('Bob, a reader, opens it too', parsed(readers.text)['fileId'] === fileId, readers);
  expectThat('Alice opens none of team-b', (await opened(alice, 'team-b/notes.ipynb')).status === 403);
  const room = `wss://localhost:${lab.port}/connections/team/api/collaboration/room/json:notebook:${String(fileId)}?sessionId=${String(sessionId)}`;
  await inRoom(lab, room, expectThat);
  const enter = async (who: PrincipalRecord) =>
    handshake(lab.ca, room, `Bearer ${await lab.token(who, 'team')}`);
  await ask(dora, 'PATCH', '/api/contents/team-a/notes.ipynb', { path: 'team-b/moved.ipynb' });
  const moved = await enter(alice);
  expectThat('Alice enters it no more when it has moved to team-b', moved === 403, moved);
}

/** Alice, who may write the document, and Bob, who may read it, in its room with the library that JupyterLab's server uses. */
async function inRoom(lab: Laboratory, room: string, expectThat: Expect): Promise<void> {
  const tokens = { alice: await lab.token(lab.alice, 'team'), bob: await lab.token(lab.bob, 'team') };
  const { stdout } = await run(join(lab.venv, 'bin', 'python'), [join(import.meta.dirname, 'rooms.py')], {
    env: { PATH: '/usr/bin:/bin', CA_FILE: lab.caFile, ROOM_URL: room, TOKENS: JSON.stringify(tokens) },
  }).catch((error: unknown) => ({ stdout: `{"name":"failed","value":${JSON.stringify(String(error))}}` }));
  const said = new Map<string, unknown>();
  for (const line of stdout.trim().split('\n')) {
    const { name, value } = parsed(line);
    said.set(String(name), value);
  }
  const shown = Object.fromEntries(said);
  const saved = readFileSync(join(lab.team.work, 'team-a', 'notes.ipynb'), 'utf8');
  expectThat('both see the same document in its room', said.get('same') === true, shown);
  expectThat('what Alice writes comes to Bob', said.get('reader sees') === true, shown);
  expectThat('what Bob writes comes to nobody', said.get('writer does not see') === true, shown);
  expectThat('nor is it there for whoever comes', said.get('nor does whoever comes') === true, shown);
  expectThat('Bob is told that he saved nothing', equal(said.get('reader saves'), ['failed']), shown);
  expectThat('Alice saves', equal(said.get('writer saves'), ['success']), shown);
  expectThat(
    'the file holds what she wrote, and nothing of his',
    saved.includes('from Alice') && !saved.includes('from Bob'),
    saved.slice(0, 400),
  );
}

const run = promisify(execFile);

function equal(value: unknown, wanted: unknown): boolean {
  return JSON.stringify(value) === JSON.stringify(wanted);
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

function text(content: string): object {
  return { type: 'file', format: 'text', content };
}
