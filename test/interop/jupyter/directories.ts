import { existsSync } from 'node:fs';
import { join } from 'node:path';
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
  expectThat('Bob, a reader, does not', (await opened(bob, 'team-a/notes.ipynb')).status === 403);
  expectThat('nor Alice one of team-b', (await opened(alice, 'team-b/notes.ipynb')).status === 403);
  const enter = async (who: PrincipalRecord, id: string) =>
    handshake(
      lab.ca,
      `wss://localhost:${lab.port}/connections/team/api/collaboration/room/json:notebook:${id}?sessionId=${String(sessionId)}`,
      `Bearer ${await lab.token(who, 'team')}`,
    );
  const entered = await enter(alice, String(fileId));
  expectThat('she enters its room', entered === 101, entered);
  const reader = await enter(bob, String(fileId));
  expectThat('a reader does not, who knows its id', reader === 403, reader);
  await ask(dora, 'PATCH', '/api/contents/team-a/notes.ipynb', { path: 'team-b/moved.ipynb' });
  const moved = await enter(alice, String(fileId));
  expectThat('nor does Alice when it has moved to team-b', moved === 403, moved);
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

function text(content: string): object {
  return { type: 'file', format: 'text', content };
}
