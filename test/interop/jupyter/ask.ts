import type { LookupFunction } from 'node:net';
import { WebSocket } from 'ws';

/** Every name is this machine: not every resolver knows the names beneath `localhost`. */
export const onThisMachine: LookupFunction = (_name, options, done) => {
  const address = { address: '127.0.0.1', family: 4 };
  if (options.all === true) done(null, [address]);
  else done(null, address.address, address.family);
};

/** The status with which a handshake is answered; what was opened is closed. */
export async function handshake(
  ca: string,
  url: string,
  authorization: string,
  origin?: string,
): Promise<number> {
  const webSocket = new WebSocket(url, {
    ca,
    lookup: onThisMachine,
    headers: { authorization },
    ...(origin === undefined ? {} : { origin }),
  });
  return new Promise((resolve) => {
    webSocket.on('error', () => resolve(0));
    webSocket.on('unexpected-response', (sent, response) => {
      resolve(response.statusCode ?? 0);
      sent.destroy();
    });
    webSocket.on('open', () => {
      webSocket.close();
      resolve(101);
    });
  });
}

export function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
