import type { Clock } from '../../lib/clock.ts';
import { failure, LockstepError } from '../../lib/errors.ts';
import { newRequestId } from '../../lib/ids.ts';
import { knowsInterimAnswers, type Incoming } from '../ends.ts';
import { http2HeadOffence } from '../http2/head-offence.ts';
import { Http2Request } from '../http2/request.ts';
import type { RequestHead } from '../types.ts';
import { asksUpgrade, handshakeOffence } from '../web-socket/handshake.ts';
import { CheckedHead } from './checked-head.ts';
import { hostOf, type HostRule } from './host-rule.ts';
import { pathOffence } from './path-form.ts';

export interface EdgeOptions {
  readonly hosts: HostRule;
}

export type Admission =
  | { readonly kind: 'admitted'; readonly head: RequestHead }
  /** `head` holds what could be read, for the record and the error renderer only. */
  | { readonly kind: 'refused'; readonly head: RequestHead; readonly error: LockstepError };

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const withoutBody = new Set(['GET', 'HEAD', 'OPTIONS']);
/** What may stand once only: a second one would be read by somebody else. */
const single = new Set([
  'host',
  'authorization',
  'proxy-authorization',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'origin',
  'sec-fetch-site',
  'sec-fetch-mode',
  'expect',
]);

const longestTarget = 8192;
const mostHeaders = 100;

/**
 * Checks what every request must satisfy whatever it is for: origin-form target in one normal form, one known Host,
 * a known method, unambiguous framing. Nothing behind it looks at the raw request again. RFC 9112 §3, §6; RFC 9113 §8;
 * RFC 9110 §7.
 * `bytesBehind` came with a request for an upgrade before it was answered, and nobody can say what they are.
 */
export function admit(request: Incoming, options: EdgeOptions, clock: Clock, bytesBehind = 0): Admission {
  // RFC 9110 §10.1.1: of HTTP/1.0 an expectation is ignored.
  if (!knowsInterimAnswers(request)) delete request.headers.expect;
  const target = request.url ?? '';
  const question = target.indexOf('?');
  const path = question === -1 ? target : target.slice(0, question);
  const rawQuery = question === -1 ? '' : target.slice(question + 1);
  const authority = (request.headers.host ?? '').toLowerCase();
  const host = hostOf(authority, options.hosts);
  const head = new CheckedHead({
    id: newRequestId(clock.now()),
    method: request.method ?? '',
    host: host ?? '',
    authority: host === null ? '' : authority,
    path,
    rawQuery,
    headers: request.headers,
    callHeaders: request instanceof Http2Request ? request.callHeaders : undefined,
    remoteAddress: request.socket.remoteAddress ?? '',
    origin: host === null ? '' : `https://${authority}`,
    upgrade: asksUpgrade(request) ? 'websocket' : null,
    hasBody: bodyFollows(request),
  });
  const error =
    methodOffence(head.method) ??
    (request instanceof Http2Request ? http2HeadOffence(request) : null) ??
    headerOffence(request) ??
    (host === null ? hostOffence() : sniOffence(request, host)) ??
    targetOffence(target, path, rawQuery) ??
    framingOffence(request) ??
    (bytesBehind > 0 ? failure('invalid_request', 'Bytes follow the request for an upgrade unasked.') : null);
  return error === null ? { kind: 'admitted', head } : { kind: 'refused', head, error };
}

/** Whether a body comes behind the head: one that is not known to be empty. */
export function bodyFollows({ headers, endsWithHead }: Incoming): boolean {
  if (endsWithHead === true) return false;
  if (endsWithHead === undefined && headers['transfer-encoding'] !== undefined) return true;
  const length = headers['content-length'];
  return length === undefined ? endsWithHead === false : length !== '0';
}

function methodOffence(method: string): LockstepError | null {
  if (methods.has(method)) return null;
  return failure('method_not_allowed', `The method ${method.slice(0, 20)} is not known here.`);
}

function headerOffence(request: Incoming): LockstepError | null {
  const raw = request.rawHeaders;
  if (countOf(raw) > mostHeaders) {
    return failure('headers_too_large', `A request may have ${mostHeaders} header fields.`);
  }
  const seen = new Set<string>();
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]?.toLowerCase() ?? '';
    if (!single.has(name)) continue;
    if (seen.has(name)) return failure('invalid_request', `The header \`${name}\` stands twice.`);
    seen.add(name);
  }
  const upgrade = asksUpgrade(request) ? handshakeOffence(request) : null;
  if (upgrade !== null) return upgrade;
  const { headers } = request;
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    return failure('invalid_request', 'The only expectation understood here is `100-continue`.');
  }
  return null;
}

/** A cookie that HTTP/2 cut into crumbs is one field (RFC 9113 §8.2.3), and what stands in the request line is none. */
function countOf(rawHeaders: readonly string[]): number {
  let fields = 0;
  let cookie = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name === 'cookie') cookie = 1;
    else if (!name.startsWith(':')) fields++;
  }
  return fields + cookie;
}

function hostOffence(): LockstepError {
  return failure('invalid_request', 'The Host header does not name this service.');
}

/**
 * RFC 9110 §7.4: a request must not ask one name through a connection that was opened for another. A browser may try
 * that over HTTP/2 where both have one certificate and one address, and comes again on a connection of its own (RFC 9113 §9.1.2).
 */
function sniOffence(request: Incoming, host: string): LockstepError | null {
  const { servername } = request.socket;
  if (typeof servername !== 'string' || servername === '' || servername.toLowerCase() === host) return null;
  return new LockstepError({ code: 'misdirected_request' });
}

function targetOffence(target: string, path: string, rawQuery: string): LockstepError | null {
  if (target.length > longestTarget) {
    return failure('invalid_path', `The request target is longer than ${longestTarget} bytes.`);
  }
  if (!target.startsWith('/')) {
    return failure('invalid_path', 'The request target must begin with a slash (origin-form).');
  }
  if (/[^\x21-\x7e]|#/.test(rawQuery)) {
    return failure('invalid_path', 'The query holds a character that must be percent-encoded.');
  }
  return pathOffence(path);
}

function framingOffence(request: Incoming): LockstepError | null {
  const { headers } = request;
  const coding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (coding !== undefined) {
    if (length !== undefined) {
      return failure('invalid_request', 'Transfer-Encoding and Content-Length exclude each other.');
    }
    if (coding.toLowerCase() !== 'chunked') {
      return failure('invalid_request', 'The only transfer coding understood here is `chunked`.');
    }
    if (request.httpVersion !== '1.1') {
      return failure('invalid_request', 'Transfer-Encoding needs HTTP/1.1.');
    }
  }
  if (length !== undefined && !/^\d{1,16}$/.test(length)) {
    return failure('invalid_request', 'Content-Length is not a number of bytes.');
  }
  if (withoutBody.has(request.method ?? '') && bodyFollows(request)) {
    return failure('invalid_request', `A ${request.method} request carries no body here.`);
  }
  return null;
}
