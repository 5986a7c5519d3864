import { z } from 'zod';
import type { Route } from '../../gateway/routes.ts';
import type { Exchange } from '../../gateway/types.ts';
import { isPersonAlone } from '../../identity/caller.ts';
import { failure } from '../../lib/errors.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import { grantCommands } from '../../policy/grant-request.ts';
import { grantingAccess } from '../../policy/grantors.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import type { AccessRequestRecord } from '../../store/changes.ts';
import type { EventLog } from '../admin/event-log.ts';
import { ownId } from '../admin/own.ts';
import { party } from '../admin/parties.ts';
import { callerOf, isoTime, noBody, ok, smallJson } from '../admin/replies.ts';
import { ownRule } from '../own-actions.ts';
import type { AccessRequests } from './access-requests.ts';
import { offerFor } from './offer.ts';
import { reasonOf } from './reason.ts';

export interface AccessRequestRouteParts {
  readonly accessRequests: AccessRequests;
  readonly ledger: Pick<EventLog, 'eventsByDecision'>;
  readonly snapshot: PolicySnapshot;
}

const asked = z.strictObject({
  /** That refused the caller. */
  decision: z.string().min(1).max(80),
  reason: z.string().max(4_000),
});

/** What people ask for: by those who ask, and for those who could grant it. */
export function accessRequestRoutes(parts: AccessRequestRouteParts): Route[] {
  const { accessRequests, snapshot } = parts;
  return [
    {
      method: 'GET',
      path: '/admin/v1/access-requests',
      operation: 'Lockstep.Access/accessRequests/read',
      effect: 'read',
      body: noBody,
      guard: () => ownRule('access-requests'),
      async serve(exchange) {
        const own = ownId(callerOf(exchange)) as PrincipalId;
        const mine = exchange.head.query.get('mine') === 'true';
        const seen = mine
          ? (await accessRequests.openOf(own)).map((request) => ({ request, mayGrant: false }))
          : await seenBy(parts, exchange, own);
        return ok({ value: seen.map(({ request, mayGrant }) => told(parts, request, mayGrant)) });
      },
    },
    {
      method: 'POST',
      path: '/admin/v1/access-requests',
      operation: 'Lockstep.Access/accessRequests/write',
      effect: 'change',
      body: smallJson,
      guard: () => ownRule('access-requests'),
      async serve(exchange) {
        const person = personAsking(exchange);
        const { decision, reason } = exchange.json(asked);
        const offer = await offerFor(parts, person, decision);
        if (offer === null) throw failure('not_found', 'There is no decision of that id that was about you.');
        if (offer.kind !== 'role') throw nothingToAsk(offer.kind);
        const { request, isNew } = await accessRequests.ask(
          exchange.attribution,
          person,
          offer,
          reasonOf(reason),
        );
        return { ...ok(told({ ...parts, snapshot }, request, false)), status: isNew ? 201 : 200 };
      },
    },
  ];
}

/** Nobody asks for somebody else, and no program that acts for a person asks in their name. */
export function personAsking(exchange: Exchange): PrincipalId {
  const caller = callerOf(exchange);
  if (!isPersonAlone(caller)) {
    throw failure('access_denied', 'A person asks for access, by themselves and for themselves.');
  }
  return caller.subject.id;
}

export function nothingToAsk(kind: 'allowed' | 'none'): Error {
  return failure(
    'conflict',
    kind === 'allowed'
      ? 'You may do this by now; try it again.'
      : 'No role would be enough for this, so there is none to ask for.',
  );
}

/** One's own, and those that the caller could grant. */
async function seenBy(
  { accessRequests, snapshot }: AccessRequestRouteParts,
  exchange: Exchange,
  own: PrincipalId,
) {
  const open = await accessRequests.open();
  const decisions = await exchange.decideEach(
    open.map(({ scope, principalId, roleDefinitionId }) =>
      grantingAccess(snapshot, scope, { principal: principalId, role: roleDefinitionId }),
    ),
  );
  return open.flatMap((request, i) => {
    const mayGrant = decisions[i]?.allowed === true;
    return mayGrant || request.principalId === own ? [{ request, mayGrant }] : [];
  });
}

function told(
  { accessRequests, snapshot }: Pick<AccessRequestRouteParts, 'accessRequests' | 'snapshot'>,
  request: AccessRequestRecord,
  mayGrant: boolean,
) {
  const { id, principalId, roleDefinitionId, scope, action, dataAction, decisionId, reason } = request;
  const roleName = snapshot.roleDefinition(roleDefinitionId)?.roleName ?? roleDefinitionId;
  const kind = snapshot.principal(principalId)?.kind ?? 'user';
  return {
    id,
    state: accessRequests.isMet(request) ? 'met' : 'open',
    principal: party(snapshot, principalId),
    role: { id: roleDefinitionId, name: roleName },
    scope,
    action,
    dataAction,
    decisionId,
    reason,
    requestedAt: isoTime(request.createdAt),
    expiresAt: isoTime(request.expiresAt),
    /** For whoever may run them. */
    commands: mayGrant ? grantCommands({ roleName, principalId, kind, scope }) : null,
  };
}
