import { request } from 'node:https';
import { PublicClientApplication, type INetworkModule, type NetworkResponse } from '@azure/msal-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lockstepCliAppId } from './built-in-clients.ts';
import { Browser } from './testing/browser.ts';
import { adaPassword, openHouse, type House } from './testing/house.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(async () => house.close());

/** MSAL's own seam for the network, to trust this test's certificate and nothing else. */
function network(): INetworkModule {
  async function send<T>(
    method: string,
    url: string,
    options?: { headers?: Record<string, string>; body?: string },
  ): Promise<NetworkResponse<T>> {
    return new Promise((resolve, reject) => {
      const sent = { method, headers: options?.headers ?? {}, ca: house.ca };
      const outgoing = request(url, sent, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          const headers = Object.fromEntries(
            Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
          );
          resolve({ status: response.statusCode ?? 0, headers, body: JSON.parse(text) as T });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(options?.body);
    });
  }
  return {
    sendGetRequestAsync: async (url, options) => send('GET', url, options),
    sendPostRequestAsync: async (url, options) => send('POST', url, options),
  };
}

test('@azure/msal-node signs a person in by code, then silently for another resource', async () => {
  const { host } = new URL(house.publicUrl);
  const app = new PublicClientApplication({
    auth: {
      clientId: lockstepCliAppId,
      authority: `${house.publicUrl}/${house.tenantId}`,
      knownAuthorities: [host],
    },
    system: { networkClient: network() },
  });
  const redirectUri = 'http://localhost:40001';
  const scopes = ['https://management.azure.com//.default'];
  const { CryptoProvider } = await import('@azure/msal-node');
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
  const address = await app.getAuthCodeUrl({
    scopes,
    redirectUri,
    state: 'msal-state',
    codeChallenge: challenge,
    codeChallengeMethod: 'S256',
    prompt: 'select_account',
  });
  const browser = new Browser(house);
  const toSignIn = await browser.get(address.slice(house.publicUrl.length));
  const signedIn = await browser.signIn('ada@lab.example', adaPassword, toSignIn.location);
  const back = new URL((await browser.get(signedIn.location)).location);
  expect(back.origin).toBe(redirectUri);
  const granted = await app.acquireTokenByCode({
    code: back.searchParams.get('code') ?? '',
    codeVerifier: verifier,
    scopes,
    redirectUri,
  });
  expect(granted.account).toMatchObject({
    homeAccountId: `${house.ada.id}.${house.tenantId}`,
    username: 'ada@lab.example',
    tenantId: house.tenantId,
  });
  const caller = await house.verifier.verify(granted.accessToken, ['https://management.azure.com/']);
  expect(caller.subject.id).toBe(house.ada.id);

  const account = granted.account!;
  const cached = await app.acquireTokenSilent({ account, scopes });
  expect(cached.fromCache).toBe(true);
  expect(cached.accessToken).toBe(granted.accessToken);
  const other = await app.acquireTokenSilent({ account, scopes: ['https://ml.azure.com/.default'] });
  expect(other.fromCache).toBe(false);
  expect((await house.verifier.verify(other.accessToken, ['https://ml.azure.com'])).subject.id).toBe(
    house.ada.id,
  );

  for (const { id } of house.sessions.list(house.adaId)) await house.sessions.close(house.by, id, 'test');
  await expect(app.acquireTokenSilent({ account, scopes, forceRefresh: true })).rejects.toThrow(
    /invalid_grant/,
  );
});
