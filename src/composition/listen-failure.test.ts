import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { listenFailure } from './listen-failure.ts';

const config = loadConfig({ home: '/nowhere', environment: {} });

test('a port that is taken is said in words, with the setting and the file that change it', async () => {
  const first = createServer().listen(0, '127.0.0.1');
  await once(first, 'listening');
  const { port } = first.address() as AddressInfo;
  const [error] = (await once(createServer().listen(port, '127.0.0.1'), 'error').catch((thrown: unknown) => [
    thrown,
  ])) as [unknown];
  first.close();
  expect(listenFailure(error, { ...config, listen: { host: '127.0.0.1', port } })).toMatchObject({
    message: expect.stringMatching(
      new RegExp(
        `^Lockstep cannot listen on 127\\.0\\.0\\.1:${port}: another process .*\\n.* /nowhere/config\\.json, .*"port": ${port + 1} `,
      ),
    ) as unknown,
  });
});

test('any other failure is left as it is', () => {
  const error = new Error('something else');
  expect(listenFailure(error, config)).toBe(error);
});
