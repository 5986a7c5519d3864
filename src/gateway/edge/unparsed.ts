import type { Duplex } from 'node:stream';
import { Socket } from 'node:net';
import type { RecordFact } from '../../ledger/events.ts';
import { failure, type LockstepError } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { newDecisionId, newRequestId, type TenantId } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import { undescribedAccess, withDecision } from '../denial/denial.ts';
import { attributionOf, decidedFact } from '../record/facts.ts';
import { genericSurface, jsonErrorText } from '../denial/generic-surface.ts';
import type { RequestHead } from '../types.ts';
import { isNotTls } from './plain-http.ts';

export interface UnparsedOptions {
  readonly record: RecordFact;
  snapshotVersion(): number;
  readonly tenantId: TenantId;
  readonly clock: Clock;
  readonly log: Log;
}

/** Answers bytes that the HTTP/1.1 parser refused, records that, and closes the connection. */
export function refuseUnparsed(fault: Error, socket: Duplex, options: UnparsedOptions): void {
  const code = codeOf(fault);
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const remoteAddress = socket instanceof Socket ? (socket.remoteAddress ?? '') : '';
  const { head, error, recorded } = denial(errorOf(code), remoteAddress, options);
  recorded.then(
    () => close(socket, head, error),
    () =>
      close(socket, head, failure('ledger_unavailable', 'The ledger cannot write, so nothing is served.')),
  );
}

/** Records that a connection was closed because it was neither TLS nor valid HTTP/2. One that only broke is no news. */
export function recordUnframed(fault: Error, remoteAddress: string, options: UnparsedOptions): void {
  const notTls = isNotTls(fault);
  if (!notTls && !brokenFraming.has(codeOf(fault))) return;
  const what = notTls ? 'The bytes received are not TLS.' : 'The frames received are not valid HTTP/2.';
  const error = failure('invalid_request', what);
  denial(error, remoteAddress, options).recorded.catch(() => undefined);
}

const brokenFraming = new Set(['ERR_HTTP2_ERROR', 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES']);

interface Denial {
  readonly head: RequestHead;
  readonly error: LockstepError;
  /** Rejects when the ledger did not take it. */
  readonly recorded: Promise<unknown>;
}

function denial(refused: LockstepError, remoteAddress: string, options: UnparsedOptions): Denial {
  const now = options.clock.now();
  const head: RequestHead = {
    id: newRequestId(now),
    method: '',
    host: '',
    authority: '',
    path: '',
    rawQuery: '',
    query: new URLSearchParams(),
    headers: {},
    remoteAddress,
    origin: '',
    upgrade: null,
    hasBody: false,
  };
  const decision = {
    id: newDecisionId(now),
    allowed: false,
    cause: { kind: 'refused-at-edge', code: refused.code },
    decidedFor: null,
    authorities: [],
    access: undescribedAccess,
    snapshotVersion: options.snapshotVersion(),
    restsOnTime: false,
  } as const;
  const attribution = attributionOf(options.tenantId, head, null, decision);
  const fact = decidedFact(head, {
    attribution,
    surface: genericSurface.name,
    operation: undescribedAccess.action,
    effect: 'read',
    decision,
  });
  const recorded = options.record(fact);
  recorded.catch((cause: unknown) => {
    options.log.error({ err: cause, request: head.id }, 'gateway: the ledger did not take a record');
  });
  return { head, error: withDecision(refused, decision), recorded };
}

function errorOf(code: string): LockstepError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return failure('headers_too_large', 'The request headers are too large.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return failure('invalid_request', 'The request did not arrive in time.');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return failure('invalid_request', 'The chunk extensions are too large.');
    default:
      return failure('invalid_request', 'The bytes received are not a valid HTTP/1.1 request.');
  }
}

function codeOf(fault: Error): string {
  return 'code' in fault && typeof fault.code === 'string' ? fault.code : '';
}

function close(socket: Duplex, head: RequestHead, error: LockstepError): void {
  if (!socket.writable) return;
  const body = jsonErrorText(error, head);
  socket.end(
    `HTTP/1.1 ${error.status} Refused\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\n` +
      `x-content-type-options: nosniff\r\nx-request-id: ${head.id}\r\nconnection: close\r\n\r\n${body}`,
  );
}
