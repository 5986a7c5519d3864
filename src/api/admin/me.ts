import type { Route } from '../../gateway/routes.ts';
import type { Sessions } from '../../identity/signin/sessions.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { ownRule } from '../own-actions.ts';
import { party } from './parties.ts';
import { callerOf, isoTime, noBody, ok } from './replies.ts';

export interface MeParts {
  readonly snapshot: PolicySnapshot;
  readonly signIns: Sessions;
}

/** Who the caller is to policy, and the end of their own sign-in. */
export function meRoutes({ snapshot, signIns }: MeParts): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/v1/me',
      operation: 'Lockstep.Access/users/readOwn',
      effect: 'read',
      body: noBody,
      guard: () => ownRule('self'),
      serve(exchange) {
        const { tenantId, subject, chain, authorities, credential } = callerOf(exchange);
        const identities = snapshot.identitiesOf(subject.id);
        const groups = identities.filter((id) => id !== subject.id).map((id) => party(snapshot, id));
        const body = {
          tenantId,
          principal: {
            ...subject,
            signInName: snapshot.principal(subject.id)?.signInName ?? null,
          },
          chain,
          authorities: authorities.map((id) => party(snapshot, id)),
          credential: {
            kind: credential.kind,
            sessionId: credential.sessionId,
            leaseId: credential.leaseId,
            expiresAt: isoTime(credential.expiresAt * 1000),
          },
          groups,
          roleAssignments: rolesOf(snapshot, new Set(identities)),
        };
        return Promise.resolve(ok(body));
      },
    },
    {
      method: 'POST',
      path: '/admin/v1/me/sign-out',
      operation: 'Lockstep.Access/sessions/endOwn',
      effect: 'change',
      body: noBody,
      guard: () => ownRule('self'),
      async serve(exchange) {
        const { sessionId } = callerOf(exchange).credential;
        const ended =
          sessionId !== null && (await signIns.close(exchange.attribution, sessionId, 'signed-out'));
        return ok({ ended, sessionId });
      },
    },
  ];
}

function rolesOf(snapshot: PolicySnapshot, identities: ReadonlySet<PrincipalId>) {
  const out = [];
  for (const assignment of snapshot.roleAssignments()) {
    if (!identities.has(assignment.principalId)) continue;
    out.push({
      id: assignment.id,
      roleDefinitionId: assignment.roleDefinitionId,
      roleName: snapshot.roleDefinition(assignment.roleDefinitionId)?.roleName ?? assignment.roleDefinitionId,
      scope: assignment.scope,
      through: party(snapshot, assignment.principalId),
    });
  }
  return out.sort((a, b) => a.scope.localeCompare(b.scope) || a.roleName.localeCompare(b.roleName));
}
