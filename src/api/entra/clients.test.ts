// Unmodified clients: @azure/identity, @azure/msal-node and openid-client against the surface over https.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import {
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
} from '@azure/identity';
import { ConfidentialClientApplication } from '@azure/msal-node';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import * as openid from 'openid-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeCertificate } from '../../identity/testing/certificates.ts';
import { by, tenantId } from '../../identity/testing/identity-room.ts';
import { startTokenService, type TokenService } from './testing/token-room.ts';

let service: TokenService;
let secret: string;
const trusted = getCACertificates('default');
const arm = 'https://management.azure.com/.default';
const certificate = makeCertificate({ now: Date.now() });

beforeAll(async () => {
  service = await startTokenService({ time: 'real' });
  setDefaultCACertificates([...trusted, service.certificatePem]);
  const { directory } = service.room;
  secret = (await directory.addSecret(by, service.application.id, {})).secret;
  await directory.addCertificate(by, service.application.id, certificate.certificatePem);
  await directory.addFederatedCredential(by, service.application.id, {
    name: 'github-training',
    issuer: service.ci.issuer,
    audience: 'api://AzureADTokenExchange',
    match: { kind: 'claims', claims: { repository_id: '424242', environment: 'training' } },
  });
});
afterAll(async () => {
  setDefaultCACertificates(trusted);
  await service.close();
});

const authority = () => ({ authorityHost: service.publicUrl, disableInstanceDiscovery: true });

async function verified(token: string, audience = 'https://management.azure.com') {
  const keys = createRemoteJWKSet(new URL(`${service.publicUrl}/${tenantId}/discovery/v2.0/keys`));
  return (await jwtVerify(token, keys, { issuer: `${service.publicUrl}/${tenantId}/v2.0`, audience }))
    .payload;
}

test('@azure/identity: a client secret', async () => {
  const credential = new ClientSecretCredential(tenantId, service.application.clientId, secret, authority());
  const { token, expiresOnTimestamp } = await credential.getToken(arm);
  expect(await verified(token)).toMatchObject({
    oid: service.application.id,
    sub: service.application.id,
    appid: service.application.clientId,
    idtyp: 'app',
    appidacr: '1',
    tid: tenantId,
  });
  expect(expiresOnTimestamp).toBeGreaterThan(Date.now() + 3_500_000);
});

test('@azure/identity: a certificate, for several resources with the one assertion that it keeps', async () => {
  const home = await mkdtemp(join(tmpdir(), 'lockstep-certificate-'));
  try {
    const certificatePath = join(home, 'client.pem');
    await writeFile(certificatePath, certificate.privateKeyPem + certificate.certificatePem);
    for (const sendCertificateChain of [false, true]) {
      const credential = new ClientCertificateCredential(
        tenantId,
        service.application.clientId,
        { certificatePath },
        { ...authority(), sendCertificateChain },
      );
      for (const audience of [
        'https://management.azure.com',
        'https://storage.azure.com/',
        'https://ml.azure.com',
      ]) {
        const { token } = await credential.getToken(`${audience}/.default`);
        expect(await verified(token, audience)).toMatchObject({ appidacr: '2', oid: service.application.id });
      }
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});

test('@azure/identity: an outside token, once, with the CI run in the chain', async () => {
  const credential = new ClientAssertionCredential(
    tenantId,
    service.application.clientId,
    () => service.ci.token({ run_id: '555' }),
    authority(),
  );
  const { token } = await credential.getToken(arm);
  const claims = await verified(token);
  expect(claims).toMatchObject({ oid: service.application.id, act: { sub: `${service.ci.issuer}#555` } });
  const caller = await service.room.verifier.verify(token, ['https://management.azure.com']);
  expect(caller.chain).toEqual([
    { kind: 'user', id: service.sponsor.id, name: 'Ada' },
    {
      kind: 'ci-run',
      id: `${service.ci.issuer}#555`,
      name: 'contoso/penguins@refs/heads/main run 555',
      ci: {
        issuer: service.ci.issuer,
        repository: 'contoso/penguins',
        ref: 'refs/heads/main',
        environment: 'training',
      },
    },
    { kind: 'application', id: service.application.id, name: 'CI' },
  ]);
  expect(caller.authorities).toEqual([service.application.id]);
});

test('@azure/identity tells its user why an outside token was refused', async () => {
  const credential = new ClientAssertionCredential(
    tenantId,
    service.application.clientId,
    () => service.ci.token({ environment: 'staging' }),
    authority(),
  );
  await expect(credential.getToken(arm)).rejects.toThrow(
    /AADSTS700213.*environment: expected 'training', presented 'staging'/,
  );
});

test('@azure/identity understands a wrong secret', async () => {
  const credential = new ClientSecretCredential(tenantId, service.application.clientId, 'wrong', authority());
  await expect(credential.getToken(arm)).rejects.toThrow(/AADSTS7000215/);
});

test.each(['sha1', 'sha256'] as const)(
  '@azure/msal-node: a certificate by its %s thumbprint',
  async (kind) => {
    const client = new ConfidentialClientApplication({
      auth: {
        clientId: service.application.clientId,
        authority: `${service.publicUrl}/${tenantId}`,
        knownAuthorities: [new URL(service.publicUrl).host],
        clientCertificate: {
          privateKey: certificate.privateKeyPem,
          ...(kind === 'sha1'
            ? { thumbprint: certificate.thumbprintSha1Hex }
            : { thumbprintSha256: certificate.thumbprintSha256Hex }),
        },
      },
    });
    const result = await client.acquireTokenByClientCredential({ scopes: [arm] });
    expect(decodeJwt(result?.accessToken ?? '')).toMatchObject({ appidacr: '2' });
  },
);

test('@azure/msal-node: a secret, with claims that it asks for and that mean nothing here', async () => {
  const client = new ConfidentialClientApplication({
    auth: {
      clientId: service.application.clientId,
      clientSecret: secret,
      authority: `${service.publicUrl}/${tenantId}`,
      knownAuthorities: [new URL(service.publicUrl).host],
      clientCapabilities: ['CP1'],
    },
  });
  const result = await client.acquireTokenByClientCredential({
    scopes: ['https://management.core.windows.net//.default'],
    claims: '{"access_token":{"xms_cc":{"values":["CP1"]}}}',
  });
  expect(decodeJwt(result?.accessToken ?? '').aud).toBe('https://management.core.windows.net/');
});

test.each(['post', 'basic'] as const)('openid-client: a secret by %s, found by discovery', async (method) => {
  const configuration = await openid.discovery(
    new URL(`${service.publicUrl}/${tenantId}/v2.0`),
    service.application.clientId,
    undefined,
    method === 'post' ? openid.ClientSecretPost(secret) : openid.ClientSecretBasic(secret),
  );
  const answer = await openid.clientCredentialsGrant(configuration, { scope: arm });
  expect(await verified(answer.access_token)).toMatchObject({ appidacr: '1' });
});
