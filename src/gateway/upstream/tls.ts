import { createHash, X509Certificate } from 'node:crypto';
import { checkServerIdentity, type ConnectionOptions, type PeerCertificate } from 'node:tls';
import type { ConnectionTls } from '../../config/connections.ts';

type TlsOptions = Pick<
  ConnectionOptions,
  'minVersion' | 'ca' | 'cert' | 'key' | 'servername' | 'checkServerIdentity'
>;

/** What every connection to the upstream is opened with, be it for requests or for a WebSocket. TLS 1.2 or newer. */
export function tlsOptions(tls: ConnectionTls | undefined): TlsOptions {
  if (tls === undefined) return { minVersion: 'TLSv1.2' };
  const { authorities, certificate, key, serverName, pins } = tls;
  return {
    minVersion: 'TLSv1.2',
    ...(authorities !== null && { ca: authorities }),
    ...(certificate !== null && { cert: certificate }),
    ...(key !== null && { key }),
    ...(serverName !== null && { servername: serverName }),
    // Asked only once the chain was found to be good: a pin narrows what the authorities vouch for.
    checkServerIdentity: (host, peer) =>
      checkServerIdentity(serverName ?? host, peer) ??
      (pins.length === 0 ? undefined : pinOffence(peer, pins)),
  };
}

function pinOffence(peer: PeerCertificate, pins: readonly string[]): Error | undefined {
  const own = pinOf(peer.raw);
  return pins.includes(own)
    ? undefined
    : new Error(`its public key, ${own}, is none of those that are pinned`);
}

/** As curl's --pinnedpubkey has it: of the key, so that it outlives a certificate that is renewed for the same one. RFC 7469 §2.4. */
export function pinOf(certificate: Buffer | string): string {
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256//${createHash('sha256').update(key).digest('base64')}`;
}
