import { request, type OutgoingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openIdentityEndpoint, type IdentityEndpoint } from './identity-endpoint.ts';
import type { TokenAnswer } from './lease-client.ts';

const secret = 'a-secret-of-this-job-alone-0123456789';
const now = Math.floor(Date.now() / 1000);
let endpoint: IdentityEndpoint;
let answer: TokenAnswer;
let asked: string[];

beforeEach(async () => {
  answer = { kind: 'token', token: 'the-token', expiresAt: now + 300, issuedAt: now };
  asked = [];
  endpoint = await openIdentityEndpoint({
    secret,
    clientId: 'client',
    token: async (resource) => {
      asked.push(resource);
      return answer;
    },
  });
});

afterEach(() => {
  endpoint.close();
});

interface Answered {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

function send(options: {
  method?: string;
  path: string;
  headers?: OutgoingHttpHeaders;
  body?: string;
}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: endpoint.port, ...options, agent: false }, (response) => {
      void text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(body) as Answered['body'] });
      });
    });
    sent.on('error', reject);
    sent.end(options.body);
  });
}

const appService = '/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com';
const ask = (headers: OutgoingHttpHeaders = {}, path = appService, method = 'GET') =>
  send({ method, path, headers: { 'x-identity-header': secret, ...headers } });

describe('the identity endpoint', () => {
  it('answers in the App Service dialect, with strings and the resource as asked', async () => {
    const resource = 'https://management.core.windows.net//';
    const { status, body } = await ask(
      {},
      `/msi/token?resource=${encodeURIComponent(resource)}&api-version=2019-08-01&client_id=anything`,
    );
    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: 'the-token',
      token_type: 'Bearer',
      resource,
      expires_on: String(now + 300),
      expires_in: expect.stringMatching(/^\d+$/) as string,
      not_before: String(now),
      client_id: 'client',
    });
  });

  it('answers in the Azure Machine Learning dialect', async () => {
    const path = '/MSI/auth?api-version=2017-09-01&resource=https%3A%2F%2Fvault.azure.net&clientid=client';
    const { status, body } = await send({ path, headers: { secret, Metadata: 'true' } });
    expect(status).toBe(200);
    expect(body['resource']).toBe('https://vault.azure.net');
  });

  it('names itself in the variables that both dialects look for', () => {
    expect(endpoint.variables).toEqual({
      IDENTITY_ENDPOINT: `http://127.0.0.1:${endpoint.port}/msi/token`,
      IDENTITY_HEADER: secret,
      MSI_ENDPOINT: `http://127.0.0.1:${endpoint.port}/MSI/auth`,
      MSI_SECRET: secret,
      DEFAULT_IDENTITY_CLIENT_ID: 'client',
    });
  });

  it.each([
    ['no secret', { 'x-identity-header': [] as string[] }],
    ['a wrong secret', { 'x-identity-header': `${secret}x` }],
    ['a prefix of the secret', { 'x-identity-header': secret.slice(0, -1) }],
    ['an empty secret', { 'x-identity-header': '' }],
    ['two secrets', { 'x-identity-header': [secret, secret] }],
    ['the other dialect’s header', { 'x-identity-header': [] as string[], secret }],
    ['a foreign Host', { host: 'evil.example' }],
    ['a rebound name', { host: 'localhost:80' }],
    ['X-Forwarded-For', { 'x-forwarded-for': '10.0.0.1' }],
    ['X-Forwarded-Host', { 'X-Forwarded-Host': 'lockstep' }],
    ['Forwarded', { forwarded: 'for=10.0.0.1' }],
    ['Via', { via: '1.1 proxy' }],
    ['an Origin', { origin: 'https://evil.example' }],
  ])('refuses a request with %s', async (_what, headers) => {
    expect((await ask(headers)).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE'])('refuses %s', async (method) => {
    expect((await ask({}, appService, method)).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it.each([
    '/',
    '/msi/token/',
    '/MSI/token?api-version=2019-08-01&resource=x',
    '//msi/token?api-version=2019-08-01&resource=x',
    '/msi/../msi/token?api-version=2019-08-01&resource=x',
    '/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x',
  ])('refuses the path %s with 403, which no client retries', async (path) => {
    expect((await ask({}, path)).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it.each([
    '/msi/token?resource=https%3A%2F%2Fx',
    '/msi/token?api-version=2017-09-01&resource=https%3A%2F%2Fx',
    '/msi/token?api-version=2019-08-01',
    '/msi/token?api-version=2019-08-01&resource=',
    '/msi/token?api-version=2019-08-01&resource=a&resource=b',
    '/msi/token?api-version=2019-08-01&api-version=2019-08-01&resource=a',
    `/msi/token?api-version=2019-08-01&resource=${'a'.repeat(513)}`,
  ])('refuses %s with 400', async (path) => {
    expect((await ask({}, path)).status).toBe(400);
    expect(asked).toEqual([]);
  });

  it.each([
    ['ended', 403],
    ['refused', 400],
    ['away', 503],
  ] as const)('renders a token that is %s as %d', async (kind, status) => {
    answer = { kind, message: 'because' };
    const answered = await ask();
    expect(answered.status).toBe(status);
    expect(answered.body['message']).toContain('because');
    expect(JSON.stringify(answered.body)).not.toContain(secret);
  });
});
