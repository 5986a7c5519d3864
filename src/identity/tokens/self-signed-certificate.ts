import { randomBytes, sign, type KeyObject } from 'node:crypto';

const sha256WithRsa = sequence(Buffer.from('06092a864886f70d01010b', 'hex'), Buffer.from('0500', 'hex'));
const commonName = Buffer.from('0603550403', 'hex');

export interface CertificateSubject {
  readonly commonName: string;
  /** Milliseconds since the epoch; both before the year 2050. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * A self-signed X.509 certificate around an RSA key, in DER: the `x5c` that Entra's clients expect beside a signing
 * key. It vouches for nothing; the key set itself is the trust anchor. RFC 5280 §4.1.
 */
export function selfSignedCertificate(
  privateKey: KeyObject,
  publicKey: KeyObject,
  subject: CertificateSubject,
): Buffer {
  const name = sequence(
    element(0x31, sequence(commonName, element(0x0c, Buffer.from(subject.commonName, 'utf8')))),
  );
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const toBeSigned = sequence(
    element(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    sha256WithRsa,
    name,
    sequence(utcTime(subject.notBefore), utcTime(subject.notAfter)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  return sequence(toBeSigned, sha256WithRsa, element(0x03, Buffer.concat([Buffer.from([0]), signature])));
}

function element(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), length(content.byteLength), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

/** `bytes` must be a positive number whose first bit is 0. */
function integer(bytes: Buffer): Buffer {
  return element(0x02, bytes);
}

/** RFC 5280 §4.1.2.5.1: two digits of the year, from 1950 to 2049. */
function utcTime(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return element(0x17, Buffer.from(digits.slice(2), 'ascii'));
}

function length(count: number): Buffer {
  if (count < 0x80) return Buffer.from([count]);
  const bytes: number[] = [];
  for (let rest = count; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}
