import type { LockstepError } from '../../lib/errors.ts';
import type { Reply } from '../types.ts';

/** Adds what a protocol's renderer may have left out: the challenge of a 401, the methods of a 405, when to come back. */
export function withErrorHeaders(reply: Reply, error: LockstepError): Reply {
  const added: Record<string, string> = {};
  const given = new Set(Object.keys(reply.headers ?? {}).map((name) => name.toLowerCase()));
  if (reply.status === 401 && !given.has('www-authenticate')) {
    const code = error.code === 'authentication_required' ? '' : ', error="invalid_token"';
    added['www-authenticate'] = `Bearer realm="lockstep"${code}`;
  }
  if (reply.status === 426) {
    added['upgrade'] = 'websocket';
    added['sec-websocket-version'] = '13';
  }
  const { allow, retryAfterSeconds } = error.details;
  if (reply.status === 405 && Array.isArray(allow) && !given.has('allow')) added['allow'] = allow.join(', ');
  if (!given.has('retry-after')) {
    if (typeof retryAfterSeconds === 'number') added['retry-after'] = String(Math.ceil(retryAfterSeconds));
    else if (reply.status === 503) added['retry-after'] = '1';
  }
  return { ...reply, headers: { ...reply.headers, ...added } };
}
