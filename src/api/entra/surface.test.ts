import { afterAll, beforeAll, expect, test } from 'vitest';
import { tenantId } from '../../identity/testing/identity-room.ts';
import { headOf, startTokenService, type TokenService } from './testing/token-room.ts';

let service: TokenService;

beforeAll(async () => {
  service = await startTokenService({ time: 'manual' });
});
afterAll(async () => {
  await service.close();
});

test.each(['/v2.0/.well-known/openid-configuration', '/.well-known/openid-configuration'])(
  'the discovery document at %s has what clients require, under one issuer',
  async (path) => {
    const { status, body, headers } = await service.get(`/${tenantId}${path}`);
    const at = `${service.publicUrl}/${tenantId}`;
    expect(status).toBe(200);
    expect(body).toMatchObject({
      issuer: `${at}/v2.0`,
      token_endpoint: `${at}/oauth2/v2.0/token`,
      authorization_endpoint: `${at}/oauth2/v2.0/authorize`,
      jwks_uri: `${at}/discovery/v2.0/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
    });
    expect(headers['access-control-allow-origin']).toBe('*');
  },
);

test('a tenant id is compared without case, and answered in the one spelling', async () => {
  const { body } = await service.get(`/${tenantId.toUpperCase()}/v2.0/.well-known/openid-configuration`);
  expect(body['issuer']).toBe(`${service.publicUrl}/${tenantId}/v2.0`);
});

test.each(['common', 'organizations', 'COMMON'])('%s answers with the issuer template', async (segment) => {
  const { body } = await service.get(`/${segment}/v2.0/.well-known/openid-configuration`);
  expect(body['issuer']).toBe(`${service.publicUrl}/{tenantid}/v2.0`);
  expect(body['jwks_uri']).toBe(`${service.publicUrl}/${segment.toLowerCase()}/discovery/v2.0/keys`);
});

test.each(['/discovery/v2.0/keys', '/discovery/keys'])(
  'the keys at %s are the public halves only',
  async (path) => {
    const { body } = await service.get(`/${tenantId}${path}`);
    expect(body).toEqual(service.room.keys.publicJwks());
    expect(JSON.stringify(body)).not.toMatch(/"(?:d|p|q|dp|dq|qi)":/);
  },
);

test.each(['99999999-2222-4333-8444-555555555555', 'contoso.onmicrosoft.com', 'consumers', '__proto__'])(
  'the tenant %s is not here: AADSTS90002',
  async (tenant) => {
    for (const path of ['v2.0/.well-known/openid-configuration', 'discovery/keys']) {
      const answer = await service.get(`/${tenant}/${path}`);
      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request', error_codes: [90002] } });
    }
    const answer = await service.post(
      { grant_type: 'client_credentials' },
      { path: `/${tenant}/oauth2/v2.0/token` },
    );
    expect(answer).toMatchObject({ status: 400, body: { error_codes: [90002] } });
  },
);

test('instance discovery speaks for itself only', async () => {
  const { host } = new URL(service.publicUrl);
  const asked = encodeURIComponent(`${service.publicUrl}/${tenantId}/oauth2/v2.0/authorize`);
  const own = await service.get(`/common/discovery/instance?api-version=1.1&authorization_endpoint=${asked}`);
  expect(own.body).toMatchObject({
    tenant_discovery_endpoint: `${service.publicUrl}/${tenantId}/v2.0/.well-known/openid-configuration`,
    metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
  });
  const other = await service.get(
    '/common/discovery/instance?authorization_endpoint=https%3A%2F%2Fevil.example%2Fx',
  );
  expect(other).toMatchObject({ status: 400, body: { error_codes: [50049] } });
});

test.each([
  ['GET', '/subscriptions/x'],
  ['GET', `/${tenantId}/oauth2/v2.0/token`],
  ['POST', `/${tenantId}/discovery/v2.0/keys`],
  ['DELETE', '/common/discovery/instance'],
  ['GET', `/${tenantId}/discovery/v2.0/keys/`],
  ['GET', `/${tenantId}//discovery/keys`],
  ['GET', '/x/constructor'],
  ['GET', '/'],
])('does not describe %s %s', (method, path) => {
  expect(service.surface.describe(headOf({ method, path, headers: {}, remoteAddress: '' }))).toBeNull();
});
