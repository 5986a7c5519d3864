import { expect, it } from 'vitest';
import { beginConnectionSignIn } from '../../../identity/signin/connection-sign-ins.ts';
import { failure, type ErrorCode } from '../../../lib/errors.ts';
import { newRequestId } from '../../../lib/ids.ts';
import type { RequestHead } from '../../types.ts';
import { leadToSignIn } from './browser-sign-in.ts';

const visit = { accept: 'text/html,*/*', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

function lead(
  headers: Record<string, string> = visit,
  over: Partial<RequestHead> = {},
  code: ErrorCode = 'authentication_required',
) {
  const head: RequestHead = {
    id: newRequestId(0),
    method: 'GET',
    host: 'lab.localhost',
    authority: 'lab.localhost:8443',
    path: '/page',
    rawQuery: 'a=1',
    query: new URLSearchParams('a=1'),
    headers,
    remoteAddress: '127.0.0.1',
    origin: 'https://lab.localhost:8443',
    upgrade: null,
    hasBody: false,
    ...over,
  };
  return leadToSignIn(failure(code, 'No.'), head, 'lab', (name, state, path) => `${name} ${state} ${path}`);
}

it('leads a browser that opens a page to the sign-in, and keeps the secret of which that is told the hash', () => {
  const reply = lead();
  const [cookie = ''] = reply?.headers?.['set-cookie'] ?? [];
  const [, secret = ''] =
    /^__Host-lockstep-signing-in=([\w-]{32}); Path=\/; Secure; HttpOnly/.exec(cookie) ?? [];
  const { state } = beginConnectionSignIn(secret);
  expect(reply).toMatchObject({
    status: 303,
    headers: { location: `lab ${state} /page?a=1`, 'cache-control': 'no-store' },
  });
  const again = lead({ ...visit, cookie: `__Host-lockstep-signing-in=${secret}` });
  expect(again?.headers?.['location']).toBe(`lab ${state} /page?a=1`);
});

it.each<[string, Parameters<typeof lead>]>([
  ['a program that takes pages', [{ accept: 'text/html' }]],
  ['a script of a page', [{ ...visit, 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }]],
  ['a script that says it navigates', [{ ...visit, 'sec-fetch-dest': 'empty' }]],
  ['a frame', [{ ...visit, 'sec-fetch-dest': 'iframe' }]],
  ['an image', [{ ...visit, 'sec-fetch-mode': 'no-cors' }]],
  ['whoever wants no page', [{ ...visit, accept: 'application/json' }]],
  ['whoever brings a token', [{ ...visit, authorization: 'Bearer lapsed' }]],
  ['a form', [visit, { method: 'POST' }]],
  ['a WebSocket', [visit, { upgrade: 'websocket' }]],
  ['somebody who is known and may not', [visit, {}, 'access_denied']],
])('does not lead %s there', (_, parts) => {
  expect(lead(...parts)).toBeNull();
});
