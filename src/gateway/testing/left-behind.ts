// What a thousand requests leave in old space, in bytes each, as JSON: a process of its own, in which nothing else is made.
import type { TLSSocket } from 'node:tls';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { webSurface } from '../adapters/web/surface.ts';
import type { Surface } from '../types.ts';
import { alice, allow, callerOf, TestGateway } from './gateway.ts';
import { proxyOptions } from './proxy-options.ts';
import { route, thingsSurface } from './things-surface.ts';
import { EchoUpstream } from './upstream.ts';

export interface LeftBehind {
  readonly servedHere: number;
  readonly passedOn: number;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (how?: { readonly type: 'minor' }) => void;

const rounds = 10;
const perRound = 100;
/** It comes with its length, and in one piece. */
const wholeAnswer = /content-length[^]*\r\n\r\n./i;

const left: LeftBehind = {
  servedHere: await leftBehind(
    thingsSurface([route({ method: 'GET', path: '/things/:id' })]),
    '/things/1?a=1',
  ),
  passedOn: await leftBehindUpstream(),
};
process.stdout.write(JSON.stringify(left));

async function leftBehindUpstream(): Promise<number> {
  const upstream = await EchoUpstream.start();
  upstream.answer = (_request, response) => void response.end('whole');
  const rules = [{ methods: ['GET'], path: '/*', action: 'Contoso.Things/read' }] as const;
  const surface = webSurface(
    { name: 'things', upstream: upstream.origin, scope: '/things', rules },
    proxyOptions,
  );
  try {
    return await leftBehind(surface, '/connections/things/1?a=1');
  } finally {
    await surface.close();
    await upstream.close();
  }
}

async function leftBehind(surface: Surface, path: string): Promise<number> {
  const tokens = new Map([['good', callerOf(alice)]]);
  const gateway = await TestGateway.start({ surfaces: [surface], tokens, decide: allow });
  const socket = await gateway.connect();
  const round = async (): Promise<void> => {
    for (let i = 0; i < perRound; i++) await ask(socket, path);
    gateway.facts.length = 0;
  };
  try {
    // What is compiled, and what was made until then, is none of any request's.
    for (let i = 0; i < rounds; i++) await round();
    collect();
    const before = oldBytes();
    for (let i = 0; i < rounds; i++) {
      await round();
      collect({ type: 'minor' });
    }
    return (oldBytes() - before) / (rounds * perRound);
  } finally {
    socket.destroy();
    await gateway.close();
  }
}

async function ask(socket: TLSSocket, path: string): Promise<void> {
  let answer = '';
  const whole = new Promise<void>((resolve) => {
    const take = (piece: Buffer): void => {
      answer += piece.toString('latin1');
      if (!wholeAnswer.test(answer)) return;
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take);
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n`);
  await whole;
  if (!answer.startsWith('HTTP/1.1 200 OK')) throw new Error(`${path} was answered ${answer.slice(0, 40)}`);
}

function oldBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name: name }) => name.startsWith('old'))
    .reduce((sum, { space_used_size: used }) => sum + used, 0);
}
