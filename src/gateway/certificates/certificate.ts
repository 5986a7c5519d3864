import { createHash, randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { bits, boolean, integer, octets, oid, sequence, setOf, tagged, time, utf8Text } from './der.ts';

export interface CertificateParts {
  readonly commonName: string;
  readonly issuerCommonName: string;
  /** The key that is certified. */
  readonly publicKey: KeyObject;
  /** EC P-256 key of the issuer, and its public half. */
  readonly issuerKey: KeyObject;
  readonly issuerPublicKey: KeyObject;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly use:
    | {
        readonly kind: 'authority';
        /** DNS names that it may vouch for, with what is beneath them. */ readonly permitted: readonly string[];
      }
    | {
        readonly kind: 'server';
        /** Host names, wildcards and addresses. */ readonly names: readonly string[];
      };
}

const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));

/** A version 3 certificate in PEM, signed with ECDSA and SHA-256. RFC 5280 §4.1. */
export function signCertificate(parts: CertificateParts): string {
  const subjectKeyId = keyIdentifier(parts.publicKey);
  const authorityKeyId = keyIdentifier(parts.issuerPublicKey);
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const common = [
    extension('2.5.29.14', false, octets(subjectKeyId)),
    extension('2.5.29.35', false, sequence(tagged(0x80, authorityKeyId))),
  ];
  const content = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    ecdsaWithSha256,
    distinguishedName(parts.issuerCommonName),
    sequence(time(parts.notBefore), time(parts.notAfter)),
    distinguishedName(parts.commonName),
    parts.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...common, ...extensionsFor(parts.use))),
  );
  const signature = sign('sha256', content, { key: parts.issuerKey, dsaEncoding: 'der' });
  return toPem(sequence(content, ecdsaWithSha256, bits(signature)));
}

function extensionsFor(use: CertificateParts['use']): Buffer[] {
  if (use.kind === 'authority') {
    return [
      extension('2.5.29.19', true, sequence(boolean(true), integer(Buffer.from([0])))),
      // keyCertSign and cRLSign.
      extension('2.5.29.15', true, bits(Buffer.from([0x06]), 1)),
      extension('2.5.29.30', true, permittedSubtrees(use.permitted)),
    ];
  }
  return [
    extension('2.5.29.19', true, sequence()),
    // digitalSignature.
    extension('2.5.29.15', true, bits(Buffer.from([0x80]), 7)),
    extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
    extension('2.5.29.17', false, sequence(...use.names.map(generalName))),
  ];
}

/** What the authority may vouch for: these DNS trees and loopback; no other name or address. RFC 5280 §4.2.1.10. */
function permittedSubtrees(dnsNames: readonly string[]): Buffer {
  const bases = [
    ...dnsNames.map(permittedDnsTree),
    tagged(0x87, Buffer.from([127, 0, 0, 0, 255, 0, 0, 0])),
    tagged(0x87, addressBytes('::1'), Buffer.alloc(16, 0xff)),
  ];
  return sequence(tagged(0xa0, ...bases.map((base) => sequence(base))));
}

export function permittedDnsTree(name: string): Buffer {
  return tagged(0x82, Buffer.from(name, 'ascii'));
}

function generalName(name: string): Buffer {
  if (isIPv4(name) || isIPv6(name)) return tagged(0x87, addressBytes(name));
  return tagged(0x82, Buffer.from(name, 'ascii'));
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [left = '', right] = address.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const front = groups(left);
  const back = right === undefined ? [] : groups(right);
  const all = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(attribute('2.5.4.10', 'Lockstep'), attribute('2.5.4.3', commonName));
}

function attribute(type: string, value: string): Buffer {
  return setOf(sequence(oid(type), utf8Text(value)));
}

function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
}

/** Method 1 of RFC 5280 §4.2.1.2 over the key's bit string; any unique value would do. */
function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

function toPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
