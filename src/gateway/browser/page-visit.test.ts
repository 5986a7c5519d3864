import { describe, expect, it, test } from 'vitest';
import { newRequestId } from '../../lib/ids.ts';
import type { RequestHead } from '../types.ts';
import { onlyPersonReads, opensPage } from './page-visit.ts';

const visit = {
  accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
};

function head(headers: Record<string, string> = {}, over: Partial<RequestHead> = {}): RequestHead {
  return {
    id: newRequestId(0),
    method: 'GET',
    host: 'lab.localhost',
    authority: 'lab.localhost:8443',
    path: '/',
    rawQuery: '',
    query: new URLSearchParams(),
    headers: { ...visit, ...headers },
    remoteAddress: '127.0.0.1',
    origin: 'https://lab.localhost:8443',
    upgrade: null,
    hasBody: false,
    ...over,
  };
}

test('a browser opens a page by a link, and by a form', () => {
  expect([opensPage(head()), opensPage(head({}, { method: 'POST' }))]).toEqual([true, true]);
  expect(onlyPersonReads(head())).toBe(true);
});

describe('nobody opens a page', () => {
  it.each<[string, RequestHead]>([
    ['who takes anything', { ...head(), headers: { accept: '*/*' } }],
    ['who says nothing', { ...head(), headers: {} }],
    ['who takes pages and is no browser', { ...head(), headers: { accept: 'text/html' } }],
    ['who is a browser and takes no page', head({ accept: '*/*' })],
    ['who is a script', head({ 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' })],
    [
      'who is a script of the same page',
      head({ 'sec-fetch-mode': 'same-origin', 'sec-fetch-dest': 'empty' }),
    ],
    ['who is a service worker that passes a visit on', head({ 'sec-fetch-dest': 'empty' })],
    ['who is a frame', head({ 'sec-fetch-dest': 'iframe' })],
    ['who is an embedded object', head({ 'sec-fetch-dest': 'object' })],
    ['who is an image', head({ 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' })],
    ['who brings a token', head({ authorization: 'Bearer x' })],
    ['who brings an empty token', head({ authorization: '' })],
    ['who asks for a WebSocket', head({}, { upgrade: 'websocket' })],
    ...['HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((method): [string, RequestHead] => [
      `with ${method}`,
      head({}, { method }),
    ]),
  ])('%s', (_who, request) => {
    expect(opensPage(request)).toBe(false);
  });
});

test('what a service worker has the browser ask for beforehand, it reads: that is no answer for a person alone', () => {
  const preloaded = head({ 'service-worker-navigation-preload': 'true' });
  expect([opensPage(preloaded), onlyPersonReads(preloaded)]).toEqual([true, false]);
});
