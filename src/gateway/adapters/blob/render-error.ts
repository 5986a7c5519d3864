import { z } from 'zod';
import type { Clock } from '../../../lib/clock.ts';
import type { LockstepError } from '../../../lib/errors.ts';
import type { Reply, RequestHead } from '../../types.ts';
import { blobErrorOf } from './errors.ts';
import { commonHeaders } from './replies.ts';
import { element, xmlDocument } from './xml.ts';

const decisionDetails = z.object({
  id: z.string(),
  decidedFor: z.string().nullable(),
  access: z.object({ action: z.string(), dataAction: z.boolean(), scope: z.string() }),
  cause: z.looseObject({ kind: z.string(), id: z.string().optional(), name: z.string().optional() }),
});

export interface ErrorRendering {
  /** `WWW-Authenticate` of every 401. */
  readonly challenge: string;
  readonly clock: Clock;
}

/**
 * Any failure as Blob says it: status, `x-ms-error-code` (which is all that a HEAD can carry) and the XML body.
 * learn.microsoft.com/rest/api/storageservices/status-and-error-codes2
 */
export function renderBlobError(rendering: ErrorRendering, error: LockstepError, head: RequestHead): Reply {
  const { code, status } = blobErrorOf(error);
  const decision = decisionDetails.safeParse(error.details['decision']);
  const denied = decision.success && code === 'AuthorizationPermissionMismatch';
  const sentence = denied ? denial(decision.data) : error.publicMessage;
  const time = new Date(rendering.clock.now()).toISOString();
  const body = Buffer.from(
    xmlDocument(
      element('Error', [
        element('Code', code),
        element('Message', `${sentence}\nRequestId:${head.id}\nTime:${time}`),
      ]),
    ),
  );
  const size = error.details['size'];
  return {
    status,
    headers: {
      ...commonHeaders(head, rendering.clock),
      'x-ms-error-code': code,
      'content-type': 'application/xml',
      'content-length': String(body.length),
      ...(decision.success ? { 'x-lockstep-decision': decision.data.id } : {}),
      ...(status === 401 ? { 'www-authenticate': rendering.challenge } : {}),
      ...(status === 416 && typeof size === 'number' ? { 'content-range': `bytes */${size}` } : {}),
    },
    ...(head.method === 'HEAD' ? {} : { body }),
  };
}

function denial({ id, decidedFor, access, cause }: z.infer<typeof decisionDetails>): string {
  const kind = access.dataAction ? 'data action' : 'action';
  const who = decidedFor === null ? 'nobody that is known here' : `object id ${decidedFor}`;
  const why =
    cause.kind === 'deny-assignment'
      ? `The deny assignment ${cause.name ?? cause.id ?? ''} forbids the ${kind} ${access.action}`
      : cause.kind === 'disabled-principal'
        ? `The principal is disabled, so it has no ${kind} ${access.action}`
        : `Missing is the ${kind} ${access.action}`;
  return (
    `This request is not authorized to perform this operation using this permission. ` +
    `${why} at scope ${access.scope} for ${who}. ` +
    `Decision ${id}; who could grant it, and where: lockstep explain ${id}`
  );
}
