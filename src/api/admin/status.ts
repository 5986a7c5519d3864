import type { LiveSessions } from '../../gateway/live-sessions.ts';
import type { Route } from '../../gateway/routes.ts';
import type { Clock } from '../../lib/clock.ts';
import type { LedgerHealth } from '../../ledger/health.ts';
import { productVersion } from '../../lib/version.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { ownRule } from '../own-actions.ts';
import { unavailable, type ConnectionParts } from './connections.ts';
import type { EventLog, Witnessing } from './event-log.ts';
import { isoTime, noBody, ok } from './replies.ts';

export interface StatusParts extends ConnectionParts {
  readonly ledger: EventLog;
  readonly snapshot: PolicySnapshot;
  readonly live: LiveSessions;
  readonly clock: Clock;
}

/** How the server is, without anything about anybody. */
export function statusRoutes({ ledger, snapshot, live, clock, connections }: StatusParts): Route[] {
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
            clockSet: clockSet(health.clockStep),
            alteredRows: health.alteredRows ?? 0,
            witnessed: witnessed(ledger.witnessing()),
          },
          liveSessions: live.size,
          connections: { configured: connections().length, unavailable: unavailable(connections()) },
        };
        return Promise.resolve(ok(body));
      },
    },
  ];
}

/** Null while the clock has only gone on since the start. */
function clockSet(step: LedgerHealth['clockStep']) {
  if (step === undefined) return null;
  const { milliseconds, expected, found, noticed } = step;
  return { milliseconds, expected: isoTime(expected), found: isoTime(found), noticed };
}

/** Null for a log without witnesses. */
function witnessed(state: Witnessing | null) {
  if (state === null) return null;
  const { size, behind, unmetSince, witnesses } = state;
  return {
    quorum: unmetSince === null ? 'met' : 'not-met',
    ...(unmetSince !== null && { since: isoTime(unmetSince) }),
    size,
    behind,
    witnesses: witnesses.map(({ name, size: own, time, problem }) => ({
      name,
      size: own,
      cosignedAt: time === null ? null : isoTime(time * 1000),
      problem,
    })),
  };
}
