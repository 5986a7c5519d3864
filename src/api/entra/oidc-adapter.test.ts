import { afterAll, beforeAll, expect, test } from 'vitest';
import { oidcAdapter } from './oidc-adapter.ts';
import { openHouse, type House } from './testing/house.ts';

let house: House;
const revoked: string[] = [];

beforeAll(async () => {
  house = await openHouse();
});
afterAll(async () => house.close());

function adapterOf(model: string) {
  return oidcAdapter({
    db: house.store.db,
    clock: house.clock,
    sessions: house.sessions,
    client: async () => undefined,
    grantRevoked: async (grantId) => {
      revoked.push(grantId);
    },
  })(model);
}

test('of two that consume a code at the same instant one fails, and the whole grant is gone', async () => {
  const codes = adapterOf('AuthorizationCode');
  const refreshTokens = adapterOf('RefreshToken');
  const grants = adapterOf('Grant');
  await grants.upsert('grant-1', { kind: 'Grant', accountId: 'a' }, 60);
  await codes.upsert('code-1', { kind: 'AuthorizationCode', grantId: 'grant-1' }, 60);
  await refreshTokens.upsert('refresh-1', { kind: 'RefreshToken', grantId: 'grant-1' }, 60);
  await refreshTokens.upsert('refresh-2', { kind: 'RefreshToken', grantId: 'grant-2' }, 60);
  const outcomes = await Promise.allSettled([codes.consume('code-1'), codes.consume('code-1')]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(revoked).toEqual(['grant-1']);
  expect(await grants.find('grant-1')).toBeUndefined();
  expect(await codes.find('code-1')).toBeUndefined();
  expect(await refreshTokens.find('refresh-1')).toBeUndefined();
  expect(await refreshTokens.find('refresh-2')).toMatchObject({ jti: 'refresh-2' });
});

test('what has lapsed is not found, and one kind is never another', async () => {
  const codes = adapterOf('AuthorizationCode');
  await codes.upsert('code-2', { kind: 'AuthorizationCode', grantId: 'grant-3' }, 60);
  expect(await adapterOf('RefreshToken').find('code-2')).toBeUndefined();
  house.clock.advance(60_000);
  expect(await codes.find('code-2')).toBeUndefined();
});

test('keeps neither the library’s access tokens nor its interactions nor sessions that are not ours', async () => {
  const before = await house.store.db.selectFrom('oidc_artifacts').selectAll().execute();
  await adapterOf('AccessToken').upsert('token', { kind: 'AccessToken' }, 60);
  await adapterOf('Interaction').upsert('uid', { kind: 'Interaction' }, 60);
  await adapterOf('Session').upsert('ses_forged', { kind: 'Session', accountId: house.ada.id }, 60);
  expect(await adapterOf('Session').find('ses_forged')).toBeUndefined();
  expect(await house.store.db.selectFrom('oidc_artifacts').selectAll().execute()).toEqual(before);
});
