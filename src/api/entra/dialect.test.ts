import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import {
  audienceOf,
  clientInfo,
  entraError,
  grantedScope,
  parseScope,
  repeatedParameter,
  resourceIndicator,
} from './dialect.ts';

test.each([
  ['https://management.azure.com//.default', 'https://management.azure.com/'],
  ['https://management.azure.com/.default', 'https://management.azure.com'],
  ['https://ml.azure.com/user_impersonation', 'https://ml.azure.com'],
  ['797f4846-ba00-4fd7-ba43-dac1f8f63013/.default', '797f4846-ba00-4fd7-ba43-dac1f8f63013'],
  ['api://lockstep/.default', 'api://lockstep'],
])('%s names the resource %s, its own slash kept', (scope, resource) => {
  expect(parseScope(`openid ${scope} offline_access`)).toEqual({
    identity: ['openid'],
    offline: true,
    resource,
    resourceScopes: [scope],
  });
});

test.each([
  'User.Read',
  'https://graph.microsoft.com/User.Read',
  '/.default',
  'https://a.example/.default api://b/.default',
])('the scope %s is refused: there is one permission, on one resource', (scope) => {
  expect(() => parseScope(scope)).toThrow(/scope/i);
});

test('what is granted names what was asked for, so that clients find it in their caches', () => {
  const asked = parseScope('https://management.azure.com//.default openid profile');
  expect(grantedScope(asked, 'https://management.azure.com/').split(' ')).toEqual([
    'https://management.azure.com//user_impersonation',
    'https://management.azure.com//.default',
    'openid',
    'profile',
  ]);
});

test('every audience survives the way through a resource indicator', () => {
  assert(
    property(string({ unit: 'grapheme', minLength: 1 }), (audience) => {
      const indicator = resourceIndicator(audience);
      expect(URL.canParse(indicator)).toBe(true);
      expect(audienceOf(indicator)).toBe(audience);
    }),
  );
});

test('a repeated parameter is found whatever its spelling in the query', () => {
  expect(repeatedParameter(new URLSearchParams('a=1&b=2'))).toBeNull();
  expect(repeatedParameter(new URLSearchParams('a=1&b=2&%61=3'))).toBe('a');
});

test('client_info is what MSAL forms the account id from', () => {
  const text = Buffer.from(clientInfo('o', 't'), 'base64url').toString('utf8');
  expect(JSON.parse(text)).toEqual({ uid: 'o', utid: 't' });
});

test('an error never carries control characters or unbounded text from the request', () => {
  assert(
    property(string({ unit: 'binary', maxLength: 500 }), (description) => {
      const body = entraError(
        { error: 'invalid_request', description },
        { now: 0, traceId: 'req_x', correlationId: undefined },
      );
      expect(body.error_description).toMatch(/^[\u0020-\u007e]+$/);
      expect(body.error_description.length).toBeLessThan(600);
    }),
  );
});
