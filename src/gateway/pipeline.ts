import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Caller } from '../identity/caller.ts';
import type { RecordFact } from '../ledger/events.ts';
import { asLockstepError, failure, LockstepError } from '../lib/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { newDecisionId, type PrincipalId, type TenantId } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import type { Access, Cause, Decision, Verdict } from '../policy/types.ts';
import { crossSiteRefusal } from './cross-site.ts';
import { accessDenied, causeOfFault, undescribedAccess, withDecision } from './denial.ts';
import { admit, type EdgeOptions } from './edge.ts';
import { attributionOf, decidedFact } from './facts.ts';
import { genericSurface } from './generic-surface.ts';
import { InFlight } from './in-flight.ts';
import type { LiveSessions } from './live-sessions.ts';
import { hasEncodedSlash } from './path-form.ts';
import type { Described, RequestHead, Surface } from './types.ts';
import { refuseUnparsed } from './unparsed.ts';

export interface PipelineOptions {
  readonly edge: EdgeOptions;
  readonly surfaces: readonly Surface[];
  recognise(head: RequestHead, surface: Surface): Promise<Caller | null>;
  decide(
    authorities: readonly PrincipalId[],
    access: Access,
  ): Verdict & { readonly decidedFor: PrincipalId | null };
  snapshotVersion(): number;
  checkLive(caller: Caller): LockstepError | null;
  readonly record: RecordFact;
  readonly sessions: LiveSessions;
  readonly tenantId: TenantId;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Pipeline {
  (request: IncomingMessage, response: ServerResponse): void;
  /** For a connection whose bytes were no request; answers, records and closes it. */
  unparsed(error: Error, socket: Duplex): void;
}

/** What is known once policy has spoken; everything after this only carries it out. */
type Judgement =
  | {
      readonly kind: 'allowed';
      readonly surface: Surface;
      readonly described: Described;
      readonly decision: Decision;
    }
  | {
      readonly kind: 'denied';
      readonly surface: Surface;
      readonly operation: string;
      readonly effect: 'read' | 'change';
      readonly decision: Decision;
      readonly error: LockstepError;
    };

/**
 * recognise → describe → decide → serve → record, for every request of every surface.
 * Nothing is served undescribed, undecided or unrecorded; a fault on the way to a decision is a deny.
 */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { clock, log, tenantId } = options;

  const decisionOf = (
    allowed: boolean,
    cause: Cause,
    access: Access,
    caller: Caller | null,
    decidedFor: PrincipalId | null = null,
  ): Decision => ({
    id: newDecisionId(clock.now()),
    allowed,
    cause,
    decidedFor,
    authorities: caller?.authorities ?? [],
    access,
    snapshotVersion: options.snapshotVersion(),
  });

  const decide = (caller: Caller, access: Access): Decision => {
    if (caller.authorities.length === 0) {
      return decisionOf(false, { kind: 'unknown-principal' }, access, caller);
    }
    try {
      const verdict = options.decide(caller.authorities, access);
      return decisionOf(verdict.allowed, verdict.cause, access, caller, verdict.decidedFor);
    } catch (fault) {
      log.error({ err: fault, action: access.action, scope: access.scope }, 'policy: a decision failed');
      return decisionOf(false, { kind: 'policy-unavailable' }, access, caller);
    }
  };

  const carry = async (flight: InFlight): Promise<void> => {
    const { head } = flight;
    let surface = genericSurface;
    let described: Described | null = null;
    let caller: Caller | null = null;

    const deny = (cause: Cause, error: LockstepError, access?: Access): Judgement => {
      const decision = decisionOf(false, cause, access ?? accessOf(described), caller);
      return {
        kind: 'denied',
        surface,
        operation: described?.operation ?? undescribedAccess.action,
        effect: described?.effect ?? (head.method === 'GET' || head.method === 'HEAD' ? 'read' : 'change'),
        decision,
        error: withDecision(error, decision),
      };
    };
    const fault = (thrown: unknown, stage: 'describe' | 'recognise' | 'decide'): Judgement => {
      const { cause, error } = causeOfFault(thrown, stage);
      if (error.code === 'policy_unavailable')
        log.error({ err: thrown, request: head.id }, `gateway: ${stage} failed`);
      return deny(cause, error);
    };

    /** Everything that may wait: which surface, which route, who. Null when nothing stands against a decision. */
    const prepare = async (): Promise<Judgement | null> => {
      if (flight.refused !== null) {
        return deny({ kind: 'refused-at-edge', code: flight.refused.code }, flight.refused);
      }
      try {
        const matching = options.surfaces.find((candidate) => candidate.matches(head));
        if (matching === undefined) return deny({ kind: 'unknown-route' }, unknownRoute());
        surface = matching;
        if (hasEncodedSlash(head.path) && surface.admitsEncodedSlash !== true) {
          throw failure('invalid_path', 'The request path holds an encoded slash (`%2F`).');
        }
        described = surface.describe(head);
      } catch (thrown) {
        return fault(thrown, 'describe');
      }
      if (described?.guard.kind === 'public') return null;
      try {
        caller = await options.recognise(head, surface);
      } catch (thrown) {
        // Who asks for what does not exist is worth knowing, not worth another answer.
        return described === null
          ? deny({ kind: 'unknown-route' }, unknownRoute())
          : fault(thrown, 'recognise');
      }
      return described === null ? deny({ kind: 'unknown-route' }, unknownRoute()) : null;
    };

    /** Runs without a pause, so that no change can fall between what is checked and what is registered. */
    const judge = (known: Described): Judgement => {
      const { guard } = known;
      if (guard.kind === 'public') {
        const cause: Cause = { kind: 'public', rule: guard.rule };
        return {
          kind: 'allowed',
          surface,
          described: known,
          decision: decisionOf(true, cause, accessOf(known), null),
        };
      }
      if (caller === null) {
        const error = failure('authentication_required', 'Sign in, or send a bearer token.');
        return deny({ kind: 'unauthenticated', code: error.code }, error);
      }
      if (caller.credential.kind === 'session-cookie') {
        const crossSite = crossSiteRefusal(head, known.effect === 'change');
        if (crossSite !== null) return deny({ kind: 'unauthenticated', code: crossSite.code }, crossSite);
      }
      try {
        const dead = options.checkLive(caller);
        if (dead !== null) return deny({ kind: 'unauthenticated', code: dead.code }, dead);
      } catch (thrown) {
        return fault(thrown, 'decide');
      }
      if (guard.kind === 'authenticated') {
        const cause: Cause = { kind: 'authenticated', rule: guard.rule };
        const decision = decisionOf(true, cause, accessOf(known), caller, caller.authorities[0] ?? null);
        return { kind: 'allowed', surface, described: known, decision };
      }
      const decision = decide(caller, guard.access);
      if (decision.allowed) return { kind: 'allowed', surface, described: known, decision };
      return {
        kind: 'denied',
        surface,
        operation: known.operation,
        effect: known.effect,
        decision,
        error:
          decision.cause.kind === 'policy-unavailable'
            ? withDecision(new LockstepError({ code: 'policy_unavailable' }), decision)
            : accessDenied(caller, decision),
      };
    };

    const obstacle = await prepare();
    flight.surface = surface;
    const judgement =
      obstacle ?? (described === null ? deny({ kind: 'unknown-route' }, unknownRoute()) : judge(described));
    const attribution = attributionOf(tenantId, head.id, head.remoteAddress, caller, judgement.decision);
    if (judgement.kind === 'denied') {
      await flight.refuse(
        decidedFact(head, { ...judgement, surface: surface.name, attribution }),
        judgement.error,
      );
      return;
    }
    await flight.serve({
      described: judgement.described,
      caller,
      decision: judgement.decision,
      attribution,
      fact: decidedFact(head, {
        attribution,
        surface: surface.name,
        operation: judgement.described.operation,
        effect: judgement.described.effect,
        decision: judgement.decision,
      }),
      decideAlso: (access) =>
        caller === null
          ? decisionOf(false, { kind: 'unauthenticated', code: 'authentication_required' }, access, null)
          : decide(caller, access),
    });
  };

  const busy = new WeakSet<Duplex>();
  const condemned = new WeakSet<Duplex>();
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    // Behind a request that the edge refused, the parser may read a body as requests: none of them counts.
    if (condemned.has(socket)) return;
    busy.add(socket);
    response.once('close', () => busy.delete(socket));
    const admission = admit(request, options.edge, clock);
    if (admission.kind === 'refused') condemned.add(socket);
    const flight = new InFlight(options, request, response, admission);
    carry(flight).catch((thrown: unknown) => {
      log.error(
        { err: asLockstepError(thrown), request: admission.head.id },
        'gateway: an exchange fell over',
      );
      response.destroy();
    });
  };
  return Object.assign(take, {
    unparsed: (error: Error, socket: Duplex): void => {
      // In the middle of an exchange no second answer can be put on the wire.
      if (busy.has(socket)) socket.destroy();
      else refuseUnparsed(error, socket, options);
    },
  });
}

function accessOf(described: Described | null): Access {
  if (described === null) return undescribedAccess;
  const { guard } = described;
  if (guard.kind === 'action') return guard.access;
  return { action: described.operation, dataAction: false, scope: guard.scope };
}

function unknownRoute(): LockstepError {
  return failure('unknown_route', 'This path is not described here, so it is denied.');
}
