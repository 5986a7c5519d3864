import { createHash, generateKeyPairSync } from 'node:crypto';
import { selfSignedCertificate } from '../tokens/self-signed-certificate.ts';

/** A self-signed certificate that is good for a week from `now` (milliseconds), with its private key. */
export function makeCertificate(options: { readonly now: number; readonly bits?: number }) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: options.bits ?? 2048 });
  const der = selfSignedCertificate(privateKey, publicKey, {
    commonName: 'a client',
    notBefore: options.now - 3_600_000,
    notAfter: options.now + 7 * 86_400_000,
  });
  const body = der.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    certificatePem: ['-----BEGIN CERTIFICATE-----', ...body, '-----END CERTIFICATE-----', ''].join('\n'),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    thumbprintSha1Hex: createHash('sha1').update(der).digest('hex'),
    thumbprintSha256Hex: createHash('sha256').update(der).digest('hex'),
    thumbprintSha256: createHash('sha256').update(der).digest('base64url'),
    privateKey,
  };
}
