import { errorTable, type LockstepError } from '../lib/errors.ts';
import { policyIdOf } from '../policy/types.ts';
import { decisionOf } from './denial/decision-of.ts';
import type { Reply, RequestHead } from './types.ts';

/** Canonical codes: https://grpc.io/docs/guides/status-codes/ */
const codes = {
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
  notFound: 5,
} as const;

const codeOfStatus: Readonly<Record<number, number>> = {
  400: codes.invalidArgument,
  401: codes.unauthenticated,
  403: codes.permissionDenied,
  404: codes.notFound,
  405: codes.unimplemented,
  409: codes.aborted,
  412: codes.failedPrecondition,
  413: codes.resourceExhausted,
  415: codes.invalidArgument,
  421: codes.unavailable,
  426: codes.unimplemented,
  429: codes.resourceExhausted,
  431: codes.resourceExhausted,
  500: codes.internal,
  501: codes.unimplemented,
  502: codes.unavailable,
  503: codes.unavailable,
  504: codes.unavailable,
  507: codes.resourceExhausted,
};

const mostMessage = 1024;

/** Whether this is a call of gRPC, be it over Protocol Buffers or anything else. gRPC-Web is not: browsers read HTTP's status. */
export function isGrpc({ headers }: Pick<RequestHead, 'headers'>): boolean {
  return /^application\/grpc(?:\+[^;\s]*)?(?:$|[;\s])/i.test(headers['content-type'] ?? '');
}

/** A failure as a call of gRPC is told of it: a head that is all of the answer ("Trailers-Only"), with HTTP's 200. */
export function renderGrpcError(error: LockstepError, head: RequestHead): Reply {
  return { status: 200, headers: { 'content-type': 'application/grpc', ...grpcTrailers(error, head) } };
}

/**
 * The end of a call that failed, as its status: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses.
 * The details say what every denial of ours says: the code, the decision, the policy, the request (google.rpc.ErrorInfo).
 */
export function grpcTrailers(error: LockstepError, head: Pick<RequestHead, 'id'>): Record<string, string> {
  const code = codeOfStatus[error.status] ?? codes.internal;
  const message = error.publicMessage.slice(0, mostMessage);
  return {
    'grpc-status': String(code),
    'grpc-message': percentEncoded(message),
    'grpc-status-details-bin': statusDetails(code, message, error, head)
      .toString('base64')
      .replace(/=+$/, ''),
  };
}

function statusDetails(
  code: number,
  message: string,
  error: LockstepError,
  head: Pick<RequestHead, 'id'>,
): Buffer {
  const decision = decisionOf(error);
  const metadata: Record<string, string> = {
    requestId: head.id,
    ...(decision !== null && { decision: decision.id, reason: decision.cause.kind }),
  };
  const policy = decision === null ? null : policyIdOf(decision.cause);
  if (policy !== null) metadata['policy'] = policy;
  const info = Buffer.concat([
    text(1, errorTable[error.code].azure),
    text(2, 'lockstep'),
    ...Object.entries(metadata).map(([key, value]) =>
      field(3, Buffer.concat([text(1, key), text(2, value)])),
    ),
  ]);
  const any = Buffer.concat([text(1, 'type.googleapis.com/google.rpc.ErrorInfo'), field(2, info)]);
  return Buffer.concat([Buffer.from([8, code]), text(2, message), field(3, any)]);
}

/** Fields of Protocol Buffers that have a length: https://protobuf.dev/programming-guides/encoding/ */
function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);
}

function text(number: number, value: string): Buffer {
  return field(number, Buffer.from(value, 'utf8'));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** Of a status message: everything but printable ASCII, and `%` itself. */
function percentEncoded(message: string): string {
  return [...Buffer.from(message, 'utf8')]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}
