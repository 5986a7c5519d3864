import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PrincipalId, Secret } from '../../lib/ids.ts';
import { newGuid } from '../../lib/ids.ts';
import { makeCertificate } from '../testing/certificates.ts';
import { by, openIdentityRoom, type IdentityRoom } from '../testing/identity-room.ts';
import { verifyPassword } from '../signin/passwords.ts';

let room: IdentityRoom;

beforeEach(async () => {
  room = await openIdentityRoom();
});
afterEach(async () => {
  await room.close();
});

test('a person is found by sign-in name without regard to case, and the password is kept as a verifier only', async () => {
  const ada = await room.directory.createUser(by, {
    displayName: ' Ada Lovelace ',
    userPrincipalName: 'Ada@lab.example',
    password: 'correct horse' as Secret,
    mail: 'ada@lab.example',
  });
  const found = await room.directory.userBySignInName('aDA@LAB.example');
  expect(found).toMatchObject({ id: ada.id, displayName: 'Ada Lovelace', hasPassword: true, enabled: true });
  const verifier = await room.directory.passwordVerifier(ada.id);
  expect(verifier).not.toContain('correct horse');
  expect(await verifyPassword('correct horse', verifier ?? '')).toBe(true);
  expect(JSON.stringify(room.feed.changes)).not.toContain('correct horse');
  expect(JSON.stringify(room.feed.changes)).not.toContain('scrypt');
  expect(room.feed.kinds().slice(-2)).toEqual(['principal.created', 'credential.added']);
});

test.each([
  ['a taken user principal name', { userPrincipalName: 'ADA@lab' }, /in use/],
  ['a name without domain', { userPrincipalName: 'ada' }, /name@domain/],
  ['a name with two signs', { userPrincipalName: 'a@b@lab' }, /name@domain/],
  ['letters that look alike', { userPrincipalName: '\u0430da@lab' }, /ASCII/],
  ['an empty display name', { displayName: '  ' }, /displayName/],
  ['an endless display name', { displayName: 'x'.repeat(257) }, /displayName/],
  ['a display name that reverses text', { displayName: 'Ada \u202enimda' }, /do not show/],
  ['an id that is no GUID', { id: 'ada' }, /GUID/],
  ['a short password', { password: 'short' as Secret }, /8 to 1024/],
  ['a mail that is none', { mail: 'ada' }, /mail/],
])('refuses a person with %s', async (_what, change, message) => {
  await room.directory.createUser(by, { displayName: 'Ada', userPrincipalName: 'ada@lab' });
  const before = room.feed.changes.length;
  await expect(
    room.directory.createUser(by, { displayName: 'Eve', userPrincipalName: 'eve@lab', ...change }),
  ).rejects.toThrow(message);
  expect(room.feed.changes).toHaveLength(before);
});

test('refuses an object id that is in use by any kind of principal', async () => {
  const { id } = await room.directory.createGroup(by, { displayName: 'Trainers' });
  await expect(
    room.directory.createUser(by, { id, displayName: 'Eve', userPrincipalName: 'eve@lab' }),
  ).rejects.toMatchObject({ code: 'conflict' });
});

test('groups nest, but never within themselves', async () => {
  const [a, b, c] = await Promise.all(
    ['a', 'b', 'c'].map((displayName) => room.directory.createGroup(by, { displayName })),
  );
  await room.directory.addMember(by, a!.id, b!.id);
  await room.directory.addMember(by, b!.id, c!.id);
  await expect(room.directory.addMember(by, c!.id, a!.id)).rejects.toMatchObject({ code: 'conflict' });
  await expect(room.directory.addMember(by, b!.id, b!.id)).rejects.toMatchObject({ code: 'conflict' });
  expect((await room.directory.membersOf(a!.id)).map(({ id }) => id)).toEqual([b!.id]);
});

test('adding a member twice is one change, removing one that is none is refused', async () => {
  const group = await room.directory.createGroup(by, { displayName: 'Trainers' });
  const ada = await room.person('Ada');
  await room.directory.addMember(by, group.id, ada.id);
  await room.directory.addMember(by, group.id, ada.id);
  await room.directory.removeMember(by, group.id, ada.id);
  await expect(room.directory.removeMember(by, group.id, ada.id)).rejects.toMatchObject({
    code: 'not_found',
  });
  expect(room.feed.kinds().filter((kind) => kind.startsWith('group.'))).toEqual([
    'group.member-added',
    'group.member-removed',
  ]);
  await expect(room.directory.addMember(by, ada.id, group.id)).rejects.toMatchObject({ code: 'not_found' });
});

test('an application needs an enabled person who answers for it', async () => {
  const ada = await room.person('Ada');
  const group = await room.directory.createGroup(by, { displayName: 'Trainers' });
  for (const sponsorId of [group.id, newGuid() as PrincipalId])
    await expect(room.application('CI', sponsorId)).rejects.toThrow(/enabled user/);
  await room.directory.setEnabled(by, ada.id, false);
  await expect(room.application('CI', ada.id)).rejects.toThrow(/enabled user/);
});

test('an application id is unique among all workloads, and is found without regard to case', async () => {
  const ada = await room.person('Ada');
  const appId = 'ABCDEF00-0000-4000-8000-00000000ABCD';
  const ci = await room.directory.createApplication(by, { displayName: 'CI', appId, sponsorId: ada.id });
  await expect(
    room.directory.createApplication(by, {
      displayName: 'CI',
      appId: appId.toLowerCase(),
      sponsorId: ada.id,
    }),
  ).rejects.toMatchObject({ code: 'conflict' });
  expect((await room.directory.applicationByAppId(appId))?.id).toBe(ci.id);
  expect((await room.directory.workloadByClientId(appId))?.id).toBe(ci.id);
  expect(await room.directory.workloadByClientId("' or 1=1 --")).toBeNull();
});

test.each([
  'http://evil.example/',
  'https://a.example/#x',
  'https://u@a.example/',
  'javascript:alert(1)',
  '/relative',
  'https://*.example',
])('refuses the redirect address %s', async (redirectUri) => {
  const ada = await room.person('Ada');
  await expect(
    room.directory.createApplication(by, {
      displayName: 'Web',
      sponsorId: ada.id,
      redirectUris: [redirectUri],
    }),
  ).rejects.toMatchObject({ code: 'invalid_request' });
});

test('a client secret is shown once and stored as a verifier', async () => {
  const ada = await room.person('Ada');
  const ci = await room.application('CI', ada.id);
  const { id, secret } = await room.directory.addSecret(by, ci.id, {});
  const [stored] = await room.directory.secretsOf(ci.id);
  expect(stored).toMatchObject({ id, hint: secret.slice(0, 3), expiresAt: null });
  expect(await verifyPassword(secret, stored!.verifier)).toBe(true);
  expect(JSON.stringify(room.feed.changes)).not.toContain(secret);
  await room.directory.removeCredential(by, ci.id, id);
  expect(await room.directory.secretsOf(ci.id)).toEqual([]);
  await expect(room.directory.removeCredential(by, ci.id, id)).rejects.toMatchObject({ code: 'not_found' });
});

test('one application cannot remove the credential of another', async () => {
  const ada = await room.person('Ada');
  const [ci, other] = [await room.application('CI', ada.id), await room.application('Other', ada.id)];
  const { id } = await room.directory.addSecret(by, ci.id, {});
  await expect(room.directory.removeCredential(by, other.id, id)).rejects.toMatchObject({
    code: 'not_found',
  });
  expect(await room.directory.secretsOf(ci.id)).toHaveLength(1);
});

test('accepts a certificate and refuses its private key, a short key and an expired one', async () => {
  const ada = await room.person('Ada');
  const ci = await room.application('CI', ada.id);
  const now = room.clock.now();
  const good = makeCertificate({ now });
  await room.directory.addCertificate(by, ci.id, good.certificatePem);
  const [stored] = await room.directory.certificatesOf(ci.id);
  expect(stored?.thumbprintSha256).toBe(good.thumbprintSha256);
  await expect(room.directory.addCertificate(by, ci.id, good.certificatePem)).rejects.toMatchObject({
    code: 'conflict',
  });
  await expect(
    room.directory.addCertificate(by, ci.id, good.certificatePem + good.privateKeyPem),
  ).rejects.toThrow(/private key/);
  const short = makeCertificate({ now, bits: 1024 });
  await expect(room.directory.addCertificate(by, ci.id, short.certificatePem)).rejects.toThrow(/2048/);
  const old = makeCertificate({ now: now - 10 * 86_400_000 });
  await expect(room.directory.addCertificate(by, ci.id, old.certificatePem)).rejects.toThrow(/expired/);
  await expect(room.directory.addCertificate(by, ci.id, 'nonsense')).rejects.toThrow(/PEM/);
});

test('a federated credential is stored as given and warns where it is wide', async () => {
  const ada = await room.person('Ada');
  const ci = await room.application('CI', ada.id);
  const wanted = {
    name: 'github-main',
    issuer: 'https://token.actions.githubusercontent.com',
    audience: 'api://AzureADTokenExchange',
    match: { kind: 'claims', claims: { repository: { pattern: 'contoso/*' } } },
  } as const;
  const added = await room.directory.addFederatedCredential(by, ci.id, wanted);
  expect(added.warnings.join(' ')).toMatch(/every repository/);
  expect(added.assertionUse).toBe('once');
  expect(await room.directory.federatedCredentialsOf(ci.id)).toMatchObject([{ ...wanted, id: added.id }]);
  await expect(room.directory.addFederatedCredential(by, ci.id, wanted)).rejects.toMatchObject({
    code: 'conflict',
  });
  await expect(
    room.directory.addFederatedCredential(by, ci.id, {
      ...wanted,
      name: 'other',
      issuer: 'http://evil.example',
    }),
  ).rejects.toThrow(/https/);
  await room.directory.removeFederatedCredential(by, ci.id, added.id);
  expect(await room.directory.federatedCredentialsOf(ci.id)).toEqual([]);
});

test('deleting a person takes credentials and memberships along and is one change', async () => {
  const group = await room.directory.createGroup(by, { displayName: 'Trainers' });
  const ada = await room.person('Ada');
  await room.directory.addMember(by, group.id, ada.id);
  await room.directory.deletePrincipal(by, ada.id);
  expect(await room.directory.byId(ada.id)).toBeNull();
  expect(await room.directory.membersOf(group.id)).toEqual([]);
  expect(room.feed.changes.at(-1)).toEqual({ kind: 'principal.deleted', id: ada.id, principalKind: 'user' });
});

test('a job’s principal lives and dies with the transaction that submits the job', async () => {
  const ada = await room.person('Ada');
  const id = newGuid() as PrincipalId;
  const attempt = room.feed.commit(by, async (tx, record) => {
    await room.directory.createJobPrincipal(tx, record, { id, displayName: 'train', sponsorId: ada.id });
    throw new Error('the job could not be submitted');
  });
  await expect(attempt).rejects.toThrow('the job could not be submitted');
  expect(await room.directory.byId(id)).toBeNull();
  expect(room.feed.kinds()).toEqual(['signing-key.added', 'principal.created']);
});

test('a managed identity belongs to one resource', async () => {
  const ada = await room.person('Ada');
  const wanted = { displayName: 'endpoint', resourceId: '/subscriptions/s/x', sponsorId: ada.id };
  const identity = await room.directory.createManagedIdentity(by, wanted);
  expect((await room.directory.workloadByClientId(identity.signInName ?? ''))?.id).toBe(identity.id);
  await expect(
    room.directory.createManagedIdentity(by, { ...wanted, resourceId: '/SUBSCRIPTIONS/s/x' }),
  ).rejects.toMatchObject({ code: 'conflict' });
});
