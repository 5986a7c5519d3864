import { WebSocket } from 'ws';
import { repeated } from '../measure.ts';
import type { BenchRow } from '../row.ts';
import { milliseconds, rounds, type House } from './house.ts';

export async function webSocketEcho(house: House): Promise<BenchRow[]> {
  const { large } = house;
  const through = `wss://localhost:${large.port}/connections/bench/socket`;
  const headers = { authorization: `Bearer ${large.token}` };
  const sockets = [
    new WebSocket(`${house.directLarge.replace('http', 'ws')}socket`, { perMessageDeflate: false }),
    new WebSocket(through, { headers, ca: large.ca, perMessageDeflate: false }),
  ];
  await Promise.all(
    sockets.map(
      (socket) => new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)),
    ),
  );
  const echo = async (socket: WebSocket): Promise<number> => {
    const times: number[] = [];
    for (let i = 0; i < 500; i++) {
      const begun = performance.now();
      const answered = new Promise((resolve) => socket.once('message', resolve));
      socket.send('a message of some forty characters or so');
      await answered;
      times.push(performance.now() - begun);
    }
    return repeated(times).median;
  };
  const added: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const [direct, gated] = [await echo(sockets[0]!), await echo(sockets[1]!)];
    if (round >= 0) added.push(gated - direct);
  }
  for (const socket of sockets) socket.terminate();
  return [milliseconds('WebSocket echo, added at p50', added, 0.2)];
}
