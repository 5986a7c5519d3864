import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { isWithin } from '../../../policy/scope.ts';
import { alice, allow, callerOf, TestGateway, until } from '../../testing/gateway.ts';
import { proxyOptions } from '../../testing/proxy-options.ts';
import { WebSocketUpstream } from '../../testing/web-socket-upstream.ts';
import type { ProxiedSurface } from '../web/proxied.ts';
import { jupyterActions as actions } from './actions.ts';
import { jupyterSurface } from './surface.ts';

const scope = '/subscriptions/s/computes/lab';
const directory = `${scope}/directories/team-b`;
const room = 'json:notebook:11111111-1111-4111-8111-111111111111';

let mayDo: readonly string[];
let upstream: WebSocketUpstream;
let surface: ProxiedSurface;
let gateway: TestGateway;
const people: WebSocket[] = [];

beforeEach(async () => {
  upstream = await WebSocketUpstream.start();
  upstream.echoes = false;
  upstream.server.removeAllListeners('request').on('request', (_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ path: 'team-b/b.ipynb' }));
  });
  surface = jupyterSurface(
    { name: 'lab', upstream: upstream.origin, scope, isolatedKernels: false },
    { ...proxyOptions, holdRolesWithin: () => true },
  );
  gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: (_, { action, scope: at }) =>
      mayDo.includes(action) && isWithin(at, directory)
        ? allow()
        : { allowed: false, cause: { kind: 'missing-grant' }, decidedFor: alice },
  });
});
afterEach(async () => {
  for (const one of people.splice(0)) one.terminate();
  await gateway.close();
  await surface.close();
  await upstream.close();
});

async function enter(): Promise<WebSocket> {
  const client = new WebSocket(
    `wss://localhost:${gateway.port}/connections/lab/api/collaboration/room/${room}`,
    { headers: { authorization: 'Bearer good' }, ca: gateway.ca },
  );
  people.push(client);
  await once(client, 'open');
  return client;
}

const stateAsked = Buffer.from([0, 0, 1, 0]);
const update = Buffer.from([0, 2, 2, 0, 0]);
const sent = () => upstream.opened[0]?.messages ?? [];
const binary = (...messages: Buffer[]) => messages.map((message) => `binary:${message.toString()}`);

describe('the room of a document', () => {
  it('takes all that a writer sends', async () => {
    mayDo = [actions.readFiles, actions.writeFiles];
    const client = await enter();
    for (const message of [stateAsked, update]) client.send(message);
    await until(() => sent().length === 2);
    expect(sent()).toEqual(binary(stateAsked, update));
    const decided = gateway.facts.filter((fact) => fact.kind === 'request.decided');
    expect(decided.map(({ action, allowed }) => [action, allowed])).toEqual([
      [actions.readFiles, true],
      [actions.writeFiles, true],
    ]);
  });

  it('takes of a reader the question of what is in it, and nothing that changes anything or is seen by others', async () => {
    mayDo = [actions.readFiles];
    const client = await enter();
    for (const message of [
      update,
      Buffer.from([0, 1, 2, 0, 0]),
      // Numbers that take more bytes than they need, and are the same to a parser.
      Buffer.from([0x80, 0, 2, 0, 0]),
      Buffer.from([0, 0x80, 0]),
      // Where the cursor is; a chat; nothing.
      Buffer.from([1, 3, 1, 7, 0]),
      Buffer.from([125, 1, 65]),
      Buffer.alloc(0),
      Buffer.from([0]),
    ])
      client.send(message);
    client.send('\0\0\x01\0');
    client.send(stateAsked);
    await until(() => sent().length > 0);
    expect(sent()).toEqual(binary(stateAsked));
    client.close();
    await until(() => gateway.facts.some((fact) => fact.kind === 'request.ended'));
    const ended = gateway.facts.find((fact) => fact.kind === 'request.ended');
    expect(ended?.webSocket).toMatchObject({ received: 1, withheld: 9 });
  });

  it('is no denied attempt to write, where somebody only reads', async () => {
    mayDo = [actions.readFiles];
    await enter();
    expect(gateway.facts.filter((fact) => fact.kind === 'request.decided')).toHaveLength(1);
    const listed = gateway.facts.find((fact) => fact.kind === 'request.listed');
    expect(listed).toMatchObject({ asked: [{ action: actions.writeFiles, looked: 1, allowed: 0 }] });
  });

  it('tells a reader that nothing was saved, for which JupyterLab waits', async () => {
    mayDo = [actions.readFiles];
    const client = await enter();
    const told = once(client, 'message') as Promise<[Buffer]>;
    client.send(Buffer.from([2, 4, ...Buffer.from('save'), 0xac, 0x02]));
    const [message] = await told;
    expect([...message.subarray(0, 2)]).toEqual([2, message.length - 2]);
    expect(JSON.parse(message.subarray(2).toString())).toEqual({
      type: 'save',
      responseTo: 300,
      status: 'failed',
    });
    for (const broken of [[], [0x80], Array.from({ length: 12 }, () => 0xff)])
      client.send(Buffer.from([2, 4, ...Buffer.from('save'), ...broken]));
    client.send(stateAsked);
    await until(() => sent().length > 0);
    expect(sent()).toEqual(binary(stateAsked));
  });

  it('is left by whoever may no longer write, and entered again as a reader', async () => {
    mayDo = [actions.readFiles, actions.writeFiles];
    const client = await enter();
    const closed = once(client, 'close') as Promise<[number]>;
    mayDo = [actions.readFiles];
    // What the house does when a role is taken away: every access that a session rests on is decided again.
    gateway.sessions.review(({ accesses }) =>
      accesses.every(({ action }) => mayDo.includes(action)) ? null : { reason: 'policy-changed' },
    );
    expect((await closed)[0]).toBe(1008);
    const again = await enter();
    again.send(update);
    again.send(stateAsked);
    await until(() => upstream.opened[1]?.messages.length === 1);
    expect(upstream.opened[1]?.messages).toEqual(binary(stateAsked));
  });

  it('stays closed to who may not read it', async () => {
    mayDo = [];
    await expect(enter()).rejects.toThrow('403');
  });
});
