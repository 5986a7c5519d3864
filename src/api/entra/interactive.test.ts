import { afterAll, beforeAll, expect, test } from 'vitest';
import * as oidc from 'openid-client';
import { Agent, fetch as undiciFetch } from 'undici';
import { lockstepCliAppId } from './built-in-clients.ts';
import { Browser } from './testing/browser.ts';
import { adaPassword, openHouse, type House } from './testing/house.ts';

let house: House;
let agent: Agent;

beforeAll(async () => {
  house = await openHouse();
  agent = new Agent({ connect: { ca: house.ca } });
});

afterAll(async () => {
  await agent.close();
  await house.close();
});

async function client(clientId = lockstepCliAppId): Promise<oidc.Configuration> {
  const customFetch = (async (url: string, init: object) =>
    undiciFetch(url, { ...init, dispatcher: agent })) as unknown as oidc.CustomFetch;
  const config = await oidc.discovery(new URL(house.issuerUrl), clientId, {}, oidc.None(), {
    [oidc.customFetch]: customFetch,
  });
  config[oidc.customFetch] = customFetch;
  return config;
}

test('openid-client signs a person in with code and PKCE, refreshes and reads userinfo', async () => {
  const config = await client();
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const address = oidc.buildAuthorizationUrl(config, {
    redirect_uri: 'http://127.0.0.1:54321/callback',
    scope: 'openid profile offline_access',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  const browser = new Browser(house);
  const toSignIn = await browser.get(address.href);

  expect(toSignIn.status).toBe(303);
  expect(toSignIn.location).toMatch(/^\/signin\?continue=/);
  const signedIn = await browser.signIn('ada@lab.example', adaPassword, toSignIn.location);
  expect(signedIn.status).toBe(303);
  const back = await browser.get(signedIn.location);
  expect(back.location).toMatch(/^http:\/\/127\.0\.0\.1:54321\/callback\?code=/);
  const granted = await oidc.authorizationCodeGrant(config, new URL(back.location), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  const claims = granted.claims();
  expect(claims).toMatchObject({
    sub: house.ada.id,
    oid: house.ada.id,
    tid: house.tenantId,
    preferred_username: 'ada@lab.example',
    name: 'Ada Lovelace',
    ver: '2.0',
    aud: lockstepCliAppId,
  });
  const caller = await house.verifier.verify(granted.access_token, ['https://graph.microsoft.com']);
  expect(caller.subject.id).toBe(house.ada.id);
  expect(caller.credential.sessionId).toMatch(/^ses_/);
  expect(house.liveness.check(caller)).toBeNull();
  const refreshed = await oidc.refreshTokenGrant(config, granted.refresh_token ?? '');
  expect(refreshed.refresh_token).not.toBe(granted.refresh_token);
  const info = await oidc.fetchUserInfo(config, refreshed.access_token, house.ada.id);
  expect(info).toMatchObject({ sub: house.ada.id, preferred_username: 'ada@lab.example' });
});
