import { failure, type LockstepError } from '../../lib/errors.ts';
import type { Http2Request } from './request.ts';

/**
 * What nghttp2 lets pass in the head of a request and we do not, or null: another scheme than the connection has, a
 * `host` beside `:authority` that says something else, a CONNECT. RFC 9113 §8.3.1, §8.5.
 */
export function http2HeadOffence(request: Http2Request): LockstepError | null {
  const { scheme, authority } = request.pseudo;
  if (request.isTooLarge) return failure('headers_too_large', 'The request headers are too large.');
  if (request.method === 'CONNECT') return failure('method_not_allowed', 'CONNECT is not served.');
  if (scheme !== 'https') return failure('invalid_request', 'The `:scheme` of a request here is `https`.');
  if (authority !== undefined && request.headers.host?.toLowerCase() !== authority.toLowerCase()) {
    return failure('invalid_request', 'The Host header says something else than `:authority`.');
  }
  return null;
}
