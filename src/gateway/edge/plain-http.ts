import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** OpenSSL's words for bytes that are no TLS: it knows some methods of HTTP/1.1, and whatever else begins with no record. */
const notTls: ReadonlySet<string> = new Set([
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_WRONG_VERSION_NUMBER',
]);

const sentence =
  'This port speaks HTTPS: write https:// in place of http://.\n' +
  'What you sent came here in clear. If there was a token or a password in it, count it as known to others, and replace it.\n';

const answer =
  'HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n' +
  `content-length: ${Buffer.byteLength(sentence)}\r\ncache-control: no-store\r\n` +
  `x-content-type-options: nosniff\r\nconnection: close\r\n\r\n${sentence}`;

/** Whether a handshake failed because what came was not TLS at all. */
export function isNotTls(fault: Error): boolean {
  return 'code' in fault && typeof fault.code === 'string' && notTls.has(fault.code);
}

/**
 * Tells a client that spoke HTTP to a port of TLS what is wrong, and closes the connection. Always the same words: nothing of
 * what it sent is known here, since OpenSSL has taken it, and nothing of it would be repeated. To be called within
 * `tlsClientError`, after which the connection is gone. False, and nothing done, for any other failure of a handshake.
 */
export function answerPlainHttp(fault: Error, socket: TLSSocket): boolean {
  if (!isNotTls(fault)) return false;
  // The TLS socket can write no more, and says nowhere in public what it was on; without that it is closed as any other.
  const beneath = '_parent' in socket ? socket._parent : null;
  if (!(beneath instanceof Socket) || !beneath.writable) return false;
  beneath.on('error', () => beneath.destroy());
  beneath.write(answer, () => beneath.destroySoon());
  return true;
}
