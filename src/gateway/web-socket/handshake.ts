import { failure, type LockstepError } from '../../lib/errors.ts';
import type { Incoming } from '../ends.ts';

const key = /^[A-Za-z0-9+/]{22}==$/;
const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const tokenList = new RegExp(`^${token}(?:[ \\t]*,[ \\t]*${token})*$`);
const longestProtocols = 8192;

/** Whether the request asks, in whatever spelling, that its connection become something other than HTTP/1.1. */
export function asksUpgrade({ headers }: Incoming): boolean {
  return headers.upgrade !== undefined || namesUpgrade(headers.connection);
}

function namesUpgrade(connection: string | undefined): boolean {
  return /(?:^|[\s,])upgrade(?:$|[\s,])/i.test(connection ?? '');
}

/**
 * What keeps an upgrade from being an opening handshake of WebSocket version 13, or null. Nothing else is upgraded to:
 * h2c would carry requests past the pipeline. RFC 6455 §4.2.1; RFC 9110 §7.8.
 */
export function handshakeOffence(request: Incoming): LockstepError | null {
  const { headers } = request;
  if (headers.upgrade?.toLowerCase() !== 'websocket' || !namesUpgrade(headers.connection)) {
    return failure(
      'not_implemented',
      'The only upgrade understood here is to `websocket`, asked for in both Upgrade and Connection; h2c and others are not served.',
    );
  }
  if (request.method !== 'GET' || request.httpVersion !== '1.1') {
    return failure('invalid_request', 'A WebSocket is opened with a GET request of HTTP/1.1.');
  }
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) {
    return failure('invalid_request', 'A request that opens a WebSocket carries no body.');
  }
  if (headers.expect !== undefined) {
    return failure('invalid_request', 'A request that opens a WebSocket expects nothing first.');
  }
  // Repeated ones are joined by a comma, and then match nothing.
  if (headers['sec-websocket-version'] !== '13') {
    return failure('upgrade_required', 'The version of WebSocket spoken here is 13.');
  }
  if (!key.test(headers['sec-websocket-key'] ?? '')) {
    return failure('invalid_request', 'Sec-WebSocket-Key must be 16 bytes in base64, once.');
  }
  return protocolsOffence(headers['sec-websocket-protocol']);
}

function protocolsOffence(header: string | undefined): LockstepError | null {
  if (header === undefined) return null;
  const names = header.length > longestProtocols || !tokenList.test(header) ? null : subprotocols(header);
  if (names !== null && new Set(names).size === names.length) return null;
  return failure('invalid_request', 'Sec-WebSocket-Protocol must be a list of different names.');
}

/** The names that a well-formed header lists, in the caller's order of preference. */
export function subprotocols(header: string | undefined): string[] {
  return header === undefined ? [] : header.split(',').map((name) => name.trim());
}
