import { createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';

export interface HeaderRelay {
  readonly port: number;
  close(): Promise<void>;
}

export interface RelayTarget {
  readonly port: number;
  readonly ca: string;
  /** Value of the Authorization header. */
  authorization(): Promise<string>;
}

/**
 * Autobahn's client has no headers of its own to send and checks no certificate: between it and Lockstep stands a relay
 * that puts one header into the request and opens TLS. Every other byte, in both directions, goes through as it is.
 */
export async function headerRelay(target: RelayTarget): Promise<HeaderRelay> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    open.add(client);
    client.once('close', () => open.delete(client)).on('error', () => undefined);
    let head = Buffer.alloc(0);
    const gather = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const line = head.indexOf('\r\n');
      if (line === -1) return;
      client.off('data', gather).pause();
      void target.authorization().then((value) => {
        const gateway = connect({
          port: target.port,
          host: '127.0.0.1',
          servername: 'localhost',
          ca: target.ca,
        });
        gateway.setNoDelay(true);
        gateway.write(
          Buffer.concat([
            head.subarray(0, line + 2),
            Buffer.from(`authorization: ${value}\r\n`),
            head.subarray(line + 2),
          ]),
        );
        gateway.on('error', () => client.destroy());
        client.pipe(gateway);
        gateway.pipe(client);
      });
    };
    client.setNoDelay(true).on('data', gather);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the relay does not listen');
  return {
    port: address.port,
    close: async () => {
      for (const client of open) client.destroy();
      await new Promise((resolve) => server.close(() => resolve(undefined)));
    },
  };
}
