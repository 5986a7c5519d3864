import { asLockstepError, failure, isLockstepError, LockstepError } from '../../lib/errors.ts';
import type { Access, Cause, Decision } from '../../policy/types.ts';
import { isPersonAlone, type Caller } from '../../identity/caller.ts';

/** The access of a request that no surface described. */
export const undescribedAccess: Access = {
  action: 'Lockstep.Access/requests/undescribed',
  dataAction: false,
  scope: '/',
};

/** The same error with the decision in its details, so that every renderer can name it. */
export function withDecision(error: LockstepError, decision: Decision): LockstepError {
  return new LockstepError({
    code: error.code,
    publicMessage: error.publicMessage,
    internalMessage: error.message,
    details: { ...error.details, decision },
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  });
}

export interface Refusal {
  readonly cause: Cause;
  readonly error: LockstepError;
}

/** Why a request that never reached a decision is denied, from what was thrown on the way there. */
export function causeOfFault(thrown: unknown, stage: 'describe' | 'recognise' | 'decide'): Refusal {
  if (isLockstepError(thrown) && stage !== 'decide' && thrown.code !== 'internal') {
    if (thrown.code === 'method_not_allowed' || thrown.code === 'unknown_route') {
      return { cause: { kind: 'unknown-route' }, error: thrown };
    }
    const kind = stage === 'describe' ? 'refused-at-edge' : 'unauthenticated';
    return { cause: { kind, code: thrown.code }, error: thrown };
  }
  return {
    cause: { kind: 'policy-unavailable' },
    error: new LockstepError({
      code: 'policy_unavailable',
      internalMessage: `${stage}: ${asLockstepError(thrown).message}`,
      cause: thrown,
    }),
  };
}

/** The public sentence of a deny: who may not do what, where, why, and how to ask further. */
export function accessDenied(caller: Caller, decision: Decision): LockstepError {
  const { access, cause } = decision;
  const lacking =
    decision.decidedFor === null || decision.decidedFor === caller.subject.id
      ? `\`${boundedName(caller)}\``
      : `the authority \`${decision.decidedFor}\`, on which \`${boundedName(caller)}\` rests,`;
  const what = access.dataAction ? 'data action' : 'action';
  const all = access.subtree === true ? ' and all beneath it' : '';
  const why =
    cause.kind === 'deny-assignment'
      ? `the deny assignment \`${cause.name}\` at \`${cause.scope}\` forbids it`
      : cause.kind === 'missing-grant'
        ? 'no role assignment grants it'
        : cause.kind.replaceAll('-', ' ');
  return failure(
    'access_denied',
    `${lacking} may not perform the ${what} \`${access.action}\` at scope \`${access.scope}\`${all}: ${why}. ` +
      `See \`lockstep explain ${decision.id}\`${askingFor(caller, decision)}.`,
    { decision },
  );
}

/** The way on for whom a role may be enough: a person who lacks it themselves, and can ask. */
function askingFor(caller: Caller, { id, cause, decidedFor }: Decision): string {
  if (cause.kind !== 'missing-grant' || decidedFor !== caller.subject.id || !isPersonAlone(caller)) return '';
  return `; ask for it with \`lockstep requests ask ${id} --reason '…'\``;
}

function boundedName(caller: Caller): string {
  return caller.subject.name.slice(0, 200);
}

/** What a client is told whose exchange was cut before its answer had begun. */
export function cutError(reason: string): LockstepError {
  switch (reason) {
    case 'draining':
      return failure('draining', 'The service is stopping; try again shortly.', { cut: reason });
    case 'identity-ended':
      return failure('revoked_token', 'The identity behind this request has ended.', { cut: reason });
    case 'credential-expired':
      return failure('expired_token', 'The credential lapsed while the request was served.', { cut: reason });
    case 'policy-unavailable':
      return failure('policy_unavailable', 'Policy cannot be evaluated at the moment.', { cut: reason });
    default:
      return failure('access_denied', `The request was cut while it was served: ${reason}.`, { cut: reason });
  }
}
