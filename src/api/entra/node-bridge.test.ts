import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { throughListener } from './node-bridge.ts';

test('carries method, path, query, headers and body to the listener, and nothing else', async () => {
  const reply = await throughListener(
    async (request, response) => {
      const { method, url, headers } = request;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ method, url, headers, body: await text(request) }));
    },
    {
      method: 'POST',
      url: '/token?a=1',
      headers: { Host: 'localhost:8443', 'content-type': 'application/x-www-form-urlencoded' },
      body: 'grant=é',
    },
  );
  expect(reply.status).toBe(200);
  expect(reply.headers?.['content-type']).toBe('application/json');
  expect(JSON.parse(reply.body)).toEqual({
    method: 'POST',
    url: '/token?a=1',
    headers: {
      host: 'localhost:8443',
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': '8',
    },
    body: 'grant=é',
  });
});

test('returns redirects and repeated cookies as they were set', async () => {
  const reply = await throughListener(
    (_request, response) => {
      response.setHeader('set-cookie', ['a=1', 'b=2']);
      response.setHeader('location', '/next');
      response.statusCode = 303;
      response.end();
    },
    { method: 'GET', url: '/', headers: { host: 'localhost' } },
  );
  expect(reply.status).toBe(303);
  expect(reply.headers).toMatchObject({ location: '/next', 'set-cookie': ['a=1', 'b=2'] });
});

test('a listener that writes in pieces is read whole', async () => {
  const reply = await throughListener(
    (_request, response) => {
      response.write('one ');
      response.write(Buffer.from('two '));
      response.end('three');
    },
    { method: 'GET', url: '/', headers: {} },
  );
  expect(reply.body).toBe('one two three');
});

test('a listener that throws or never ends is a rejection, not a hanging request', async () => {
  const broken = async () => {
    throw new Error('broken');
  };
  const idle = () => undefined;
  const request = { method: 'GET', url: '/', headers: {} } as const;
  await expect(throughListener(broken, request)).rejects.toThrow(/broken/);
  await expect(throughListener(idle, request)).rejects.toThrow(/did not end/);
});
