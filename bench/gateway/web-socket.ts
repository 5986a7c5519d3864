import { WebSocket } from 'ws';
import { repeated } from '../measure.ts';
import type { BenchRow } from '../row.ts';
import { addedByEach, addedRows, type House } from './house.ts';

const echoes = 500;

export async function webSocketEcho(house: House): Promise<BenchRow[]> {
  const { large, gateway, gatesLarge } = house;
  const opened: WebSocket[] = [];
  const open = async (url: string, ca?: string, token?: string): Promise<WebSocket> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, { headers, perMessageDeflate: false, ...(ca !== undefined && { ca }) });
    opened.push(socket);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return socket;
  };
  const peers: Record<string, WebSocket> = {};
  for (const { name, url } of gatesLarge) {
    peers[name] = await open(`${url.replace('http', 'ws')}socket`, gateway.ca);
  }
  const ways = {
    direct: await open(`${house.directLarge.replace('http', 'ws')}socket`),
    ours: await open(`wss://localhost:${large.port}/connections/bench/socket`, large.ca, large.token),
    peers,
  };
  try {
    return addedRows('WebSocket echo, added at p50', await addedByEach(ways, echoMilliseconds), 0.2);
  } finally {
    for (const socket of opened) socket.terminate();
  }
}

async function echoMilliseconds(socket: WebSocket): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < echoes; i++) {
    const begun = performance.now();
    const answered = new Promise((resolve) => socket.once('message', resolve));
    socket.send('a message of some forty characters or so');
    await answered;
    times.push(performance.now() - begun);
  }
  return repeated(times).median;
}
