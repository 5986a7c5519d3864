import { expect, test } from 'vitest';
import { connectionFailure, failureOf } from './failures.ts';

function told(status: number, text: string, headers: Readonly<Record<string, string>> = {}) {
  const { ending, message, code, decisionId } = failureOf(
    { status, text, header: (name) => headers[name] ?? null },
    'GET /x',
  );
  return { ending, message, code, decisionId };
}

const decision = 'dec_01jz0000000000000000000000';

test('a denial is read from the resource manager’s and Graph’s shape, and from Blob’s XML', () => {
  const json = JSON.stringify({
    error: { code: 'AuthorizationFailed', message: 'No role.', additionalInfo: [{ info: decision }] },
  });
  expect(told(403, json)).toEqual({
    ending: 'denied',
    message: 'No role.',
    code: 'AuthorizationFailed',
    decisionId: decision,
  });
  const xml = `<?xml version="1.0"?><Error><Code>AuthorizationPermissionMismatch</Code><Message>No &lt;role&gt;.\nRequestId:1 ${decision}</Message></Error>`;
  expect(told(403, xml)).toEqual({
    ending: 'denied',
    message: 'No <role>.',
    code: 'AuthorizationPermissionMismatch',
    decisionId: decision,
  });
});

test('an entity is decoded once, so that text which looks like one stays text', () => {
  expect(told(403, '<Error><Message>&amp;lt;</Message></Error>').message).toBe('&lt;');
});

test('OAuth’s shape, an empty body and a page of HTML make a sentence too', () => {
  expect(told(400, '{"error":"invalid_grant","error_description":"Too old."}').message).toBe('Too old.');
  expect(told(502, '').message).toBe('GET /x was answered with status 502.');
  expect(told(200, '<html>').message).toBe('GET /x was answered with status 200.');
});

test.each([
  [400, 'usage'],
  [401, 'not-signed-in'],
  [403, 'denied'],
  [404, 'not-found'],
  [409, 'failure'],
  [503, 'failure'],
])('status %i ends as %s', (status, ending) => {
  expect(told(status, '').ending).toBe(ending);
});

test('an untrusted certificate says how to trust it; a closed port says where the server was looked for', () => {
  const untrusted = connectionFailure(
    Object.assign(new Error('x'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }),
    'https://a',
    'Do this.',
  );
  expect([untrusted.ending, untrusted.hint]).toEqual(['unreachable', 'Do this.']);
  const refused = connectionFailure(
    new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) }),
    'https://a',
    '',
  );
  expect([refused.ending, refused.message]).toEqual([
    'unreachable',
    'https://a cannot be reached (ECONNREFUSED).',
  ]);
});
