import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { signCertificate } from '../gateway/certificates/certificate.ts';
import { told } from './testing/told.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: typeof privateKey) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const day = 86_400_000;

function certificateUntil(notAfter: number): string {
  return signCertificate({
    commonName: 'lockstep',
    issuerCommonName: 'lockstep',
    publicKey,
    issuerKey: privateKey,
    issuerPublicKey: createPublicKey(privateKey),
    notBefore: Date.UTC(2025, 0, 1),
    notAfter,
    use: { kind: 'server', names: ['lockstep.example', '*.lockstep.example', '10.0.0.5'] },
  });
}

const sound = { 'own.pem': certificateUntil(Date.now() + 300 * day), 'own.key': pem(privateKey) };

const own = { publicUrl: 'https://lockstep.example', baseDomain: 'lockstep.example' };
const tls = { certificate: 'own.pem', key: 'own.key' };
const connections = {
  lab: {
    kind: 'web',
    upstream: 'https://lab.internal',
    scope: 'workspace',
    rules: [],
    tls: { certificate: 'own.pem', key: { file: 'own.key' } },
  },
};

test('a certificate, its key and its hosts that fit are nothing to speak of', () => {
  expect(told({ ...own, tls, connections }, sound)).toEqual([]);
  expect(told({ publicUrl: 'https://10.0.0.5', tls }, sound)).toEqual([]);
});

test.each([
  [
    'no file',
    {},
    [/^tls.certificate: the file own.pem is not there/, /^tls.key: the file own.key is not there/],
  ],
  [
    'no certificate',
    { ...sound, 'own.pem': 'x' },
    [/^tls.certificate: the file holds no certificate in PEM/],
  ],
  ['no key', { ...sound, 'own.key': sound['own.pem'] }, [/^tls.key: holds no private key in PEM/]],
  [
    'another key',
    { ...sound, 'own.key': pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey) },
    [/^tls.key: is the key of another certificate/],
  ],
  [
    'one that is over',
    { ...sound, 'own.pem': certificateUntil(Date.UTC(2025, 1, 1)) },
    [/^warning tls.certificate: the certificate was valid until 2025-02-01T00:00:00.000Z only/],
  ],
])(
  '%s, of Lockstep’s own and of what it shows an upstream, is told before anybody connects',
  (_what, files, expected) => {
    const said = expected.map((text) => expect.stringMatching(text) as unknown);
    expect(told({ ...own, tls }, files)).toEqual(said);
    const ofConnection = told({ connections }, files).map((line) => line.replace('connections.lab.', ''));
    expect(ofConnection).toEqual(said);
  },
);

test('hosts that Lockstep’s own certificate is not for are named: its public one, and those of connections', () => {
  expect(told({ publicUrl: 'https://gate.example', tls, connections }, sound)).toEqual([
    'warning tls.certificate: the certificate is not for gate.example, lab.localhost: clients will not trust it there.',
  ]);
});
