import type { LiveSessions } from '../../gateway/live-sessions.ts';
import type { Route } from '../../gateway/routes.ts';
import type { Clock } from '../../lib/clock.ts';
import { productVersion } from '../../lib/version.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { ownRule } from '../own-actions.ts';
import type { EventLog } from './event-log.ts';
import { isoTime, noBody, ok } from './replies.ts';

export interface StatusParts {
  readonly ledger: EventLog;
  readonly snapshot: PolicySnapshot;
  readonly live: LiveSessions;
  readonly clock: Clock;
}

/** How the server is, without anything about anybody. */
export function statusRoutes({ ledger, snapshot, live, clock }: StatusParts): Route[] {
  const startedAt = isoTime(clock.now());
  return [
    {
      method: 'GET',
      path: '/admin/v1/status',
      operation: 'Lockstep.Access/status/read',
      effect: 'read',
      body: noBody,
      guard: () => ownRule('status'),
      serve() {
        const health = ledger.health();
        const body = {
          version: productVersion,
          startedAt,
          policy: { snapshotVersion: snapshot.version, healthy: snapshot.fault === null },
          ledger: {
            state: health.state,
            lastSequence: ledger.lastSequence(),
            ...(health.state === 'failing' && { since: isoTime(health.since) }),
          },
          liveSessions: live.list().length,
        };
        return Promise.resolve(ok(body));
      },
    },
  ];
}
