import type { Caller } from '../identity/caller.ts';
import type { Sessions } from '../identity/signin/sessions.ts';
import type { TenantId } from '../lib/ids.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';

/** The person behind a session cookie; null when the cookie names no open session of a known person. */
export function callerFromCookie(
  tenantId: TenantId,
  sessions: Sessions,
  snapshot: PolicySnapshot,
  cookie: string,
): Caller | null {
  const session = sessions.fromCookie(cookie);
  if (session === null) return null;
  const person = snapshot.principal(session.principalId);
  if (person?.kind !== 'user') return null;
  return {
    tenantId,
    subject: { id: person.id, kind: 'user', name: person.displayName },
    chain: [{ kind: 'user', id: person.id, name: person.displayName }],
    authorities: [person.id],
    credential: {
      kind: 'session-cookie',
      tokenId: session.id,
      sessionId: session.id,
      leaseId: null,
      expiresAt: Math.floor(session.expiresAt / 1000),
    },
  };
}
