import type { LiveSessions, LiveSessionView } from '../../gateway/live-sessions.ts';
import type { Route } from '../../gateway/routes.ts';
import type { OpenSession, Sessions } from '../../identity/signin/sessions.ts';
import { failure } from '../../lib/errors.ts';
import type { Caller } from '../../identity/caller.ts';
import type { PrincipalId, RequestId, SessionId } from '../../lib/ids.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { requireAlso } from '../also.ts';
import { ownAccess, ownRule } from '../own-actions.ts';
import { party } from './parties.ts';
import { callerOf, isoTime, noBody, ok } from './replies.ts';

export interface SessionParts {
  readonly live: LiveSessions;
  readonly signIns: Sessions;
  /** The applications that each of these sign-ins has given tokens to. */
  readonly applicationsOf: (
    ids: readonly SessionId[],
  ) => Promise<ReadonlyMap<SessionId, readonly Application[]>>;
  readonly snapshot: PolicySnapshot;
}

interface Application {
  readonly appId: string;
  readonly displayName: string;
}

/** Live streams and sign-ins: everyone's own, or with the right all of them. */
export function sessionRoutes(parts: SessionParts): Route[] {
  const { live, signIns } = parts;
  return [
    {
      method: 'GET',
      path: '/admin/v1/sessions',
      operation: 'Lockstep.Access/sessions/list',
      effect: 'read',
      body: noBody,
      guard: () => ownRule('own-sessions'),
      async serve(exchange) {
        const caller = callerOf(exchange);
        const all = exchange.head.query.get('all') === 'true';
        if (all) await requireAlso(exchange, ownAccess('sessions/read'));
        const streams = live
          .list()
          .filter((stream) => stream.id !== exchange.head.id && (all || isOwnStream(caller, stream)))
          .map((stream) => streamView(parts, stream));
        const open = signIns.list().filter(({ principalId }) => all || isOwnSignIn(caller, principalId));
        const applications = await parts.applicationsOf(open.map(({ id }) => id));
        const shown = open.map((session) => ({
          ...signInView(parts, session, applications.get(session.id) ?? []),
          current: session.id === caller.credential.sessionId,
        }));
        return ok({ value: [...streams, ...shown] });
      },
    },
    {
      method: 'POST',
      path: '/admin/v1/sessions/:id/cut',
      operation: 'Lockstep.Access/sessions/cut',
      effect: 'change',
      body: noBody,
      guard: () => ownRule('own-sessions'),
      async serve(exchange, { id = '' }) {
        const caller = callerOf(exchange);
        const stream = live.list().find((one) => one.id === id);
        const signIn = stream === undefined ? signIns.find(id as SessionId) : null;
        const mine =
          (stream !== undefined && isOwnStream(caller, stream)) ||
          (signIn !== null && isOwnSignIn(caller, signIn.principalId));
        // Asked before anything is said of a session that may not exist: others' ids cannot be probed.
        const { id: decisionId } = mine
          ? exchange.decision
          : await requireAlso(exchange, ownAccess('sessions/cut/action'));
        const by = { kind: 'operator', principalId: caller.subject.id, decisionId } as const;
        if (stream !== undefined && live.cut(id as RequestId, 'cut-by-operator', by))
          return ok({ ...cutStreamView(parts, stream), decisionId });
        if (signIn !== null && (await signIns.close(exchange.attribution, signIn.id, 'cut-by-operator'))) {
          return ok({ id, kind: 'sign-in', decisionId });
        }
        throw failure('not_found', `There is no live session ${id.slice(0, 80)}; it may have ended.`);
      },
    },
  ];
}

/** A job has the streams of its own lease and no sign-in: those of its owner are not its own. */
function isOwnStream({ subject, credential }: Caller, stream: LiveSessionView): boolean {
  if (credential.leaseId !== null) return stream.leaseId === credential.leaseId;
  return stream.principalId === subject.id;
}

function isOwnSignIn({ subject, credential }: Caller, principalId: PrincipalId): boolean {
  return credential.leaseId === null && principalId === subject.id;
}

/** What of it is left, by which it may be opened again: the sign-in, if that is still open, or the lease. */
function cutStreamView(parts: SessionParts, { id, scope, sessionId, leaseId, ...stream }: LiveSessionView) {
  const signedIn = sessionId !== null && parts.signIns.find(sessionId as SessionId) !== null;
  return {
    id,
    kind: 'stream',
    principal: streamParty(parts, stream),
    scope,
    sessionId: signedIn ? sessionId : null,
    leaseId,
  };
}

function streamParty(
  { snapshot }: SessionParts,
  { principalId, principalName }: Pick<LiveSessionView, 'principalId' | 'principalName'>,
) {
  return principalId === null
    ? { id: '', kind: 'anonymous', displayName: principalName }
    : party(snapshot, principalId);
}

function streamView(parts: SessionParts, stream: LiveSessionView) {
  return {
    id: stream.id,
    kind: 'stream',
    principal: streamParty(parts, stream),
    startedAt: isoTime(stream.startedAt),
    surface: stream.surface,
    operation: stream.operation,
    scope: stream.scope,
    bytes: stream.requestBytes + stream.responseBytes,
    messages: stream.messages === null ? null : stream.messages.received + stream.messages.sent,
    sourceAddress: stream.remoteAddress,
    sessionId: stream.sessionId,
    leaseId: stream.leaseId,
    expiresAt: null,
  };
}

function signInView({ snapshot }: SessionParts, session: OpenSession, applications: readonly Application[]) {
  return {
    id: session.id,
    kind: 'sign-in',
    principal: party(snapshot, session.principalId),
    startedAt: isoTime(session.createdAt),
    surface: null,
    operation: null,
    scope: null,
    bytes: null,
    messages: null,
    sourceAddress: session.sourceAddress,
    userAgent: session.userAgent,
    applications: applications.map(({ appId, displayName }) => ({ appId, displayName })),
    lastSeenAt: isoTime(session.lastSeenAt),
    sessionId: session.id,
    leaseId: null,
    expiresAt: isoTime(session.expiresAt),
  };
}
