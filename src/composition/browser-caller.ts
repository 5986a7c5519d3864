import type { Caller } from '../identity/caller.ts';
import type { ConnectionSignIns } from '../identity/signin/connection-sign-ins.ts';
import type { Sessions } from '../identity/signin/sessions.ts';
import type { TenantId } from '../lib/ids.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';

export interface BrowserCallers {
  readonly tenantId: TenantId;
  readonly sessions: Sessions;
  readonly connectionSignIns: ConnectionSignIns;
  readonly snapshot: PolicySnapshot;
}

/**
 * The person behind a session cookie, ours or that of a connection; null when it names no open session of a known
 * person, or is not for where it was sent.
 */
export function callerFromCookie(
  { tenantId, sessions, connectionSignIns, snapshot }: BrowserCallers,
  cookie: string,
  connection: string | null,
): Caller | null {
  const session =
    connection === null ? sessions.fromCookie(cookie) : connectionSignIns.fromCookie(cookie, connection);
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
