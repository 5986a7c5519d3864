import { describe, expect, it } from 'vitest';
import { failure } from '../lib/errors.ts';
import type { RequestId } from '../lib/ids.ts';
import { grpcTrailers, isGrpc } from './grpc.ts';

const head = { id: 'req_1' as RequestId };

describe('a call of gRPC', () => {
  it.each([
    'application/grpc',
    'application/grpc+proto',
    'application/grpc+json;charset=utf-8',
    'Application/GRPC',
  ])('is known by %s', (type) => expect(isGrpc({ headers: { 'content-type': type } })).toBe(true));

  it.each([
    'application/grpc-web',
    'application/grpc-web+proto',
    'application/json',
    'text/application/grpc',
    '',
  ])('is not %j', (type) => expect(isGrpc({ headers: { 'content-type': type } })).toBe(false));

  it.each([
    ['authentication_required', '16'],
    ['access_denied', '7'],
    ['unknown_route', '7'],
    ['invalid_path', '3'],
    ['too_many_attempts', '8'],
    ['upstream_unreachable', '14'],
    ['draining', '14'],
    ['ledger_unavailable', '14'],
    ['internal', '13'],
  ] as const)('is told of %s as %s', (code, status) => {
    expect(grpcTrailers(failure(code, 'why'), head)['grpc-status']).toBe(status);
  });

  it('is told in characters that a header may hold', () => {
    const { 'grpc-message': message } = grpcTrailers(failure('access_denied', 'né 100%\r\nx: y\0'), head);
    expect(message).toBe('n%C3%A9 100%25%0D%0Ax: y%00');
    expect(decodeURIComponent(message ?? '')).toBe('né 100%\r\nx: y\0');
  });

  it('is told the code and the request in its details', () => {
    const details = Buffer.from(
      grpcTrailers(failure('access_denied', 'why'), head)['grpc-status-details-bin'] ?? '',
      'base64',
    );
    expect(details.subarray(0, 2)).toEqual(Buffer.from([8, 7]));
    const text = details.toString('latin1');
    for (const part of [
      'type.googleapis.com/google.rpc.ErrorInfo',
      'AuthorizationFailed',
      'lockstep',
      'req_1',
    ]) {
      expect(text).toContain(part);
    }
  });
});
