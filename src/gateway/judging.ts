import type { Caller } from '../identity/caller.ts';
import { failure, isLockstepError, LockstepError } from '../lib/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { newDecisionId, type PrincipalId } from '../lib/ids.ts';
import type { Log } from '../lib/log.ts';
import type { Access, Cause, Decision, Verdict } from '../policy/types.ts';
import { crossSiteRefusal, foreignUpgradeRefusal } from './browser/cross-site.ts';
import { accessDenied, causeOfFault, undescribedAccess, withDecision } from './denial/denial.ts';
import type { Admission } from './edge/edge.ts';
import { environmentOf, questionAt, withEnvironment } from './environment.ts';
import { genericSurface } from './denial/generic-surface.ts';
import {
  accessLocated,
  accessWithBody,
  isForNow,
  type ActionGuard,
  type KnownAccess,
  type Located,
} from './known-access.ts';
import { emptySegmentOffence, hasEncodedSlash } from './edge/path-form.ts';
import type { BodyRead } from './bodies/request-body.ts';
import type { BodyRule, Described, RequestHead, Surface } from './types.ts';

export interface JudgingOptions {
  /** The first surface that a request is for. */
  readonly surfaceOf: (head: RequestHead) => Surface | undefined;
  recognise(head: RequestHead, surface: Surface): Promise<Caller | null>;
  decide(
    authorities: readonly PrincipalId[],
    access: Access,
  ): Verdict & { readonly decidedFor: PrincipalId | null };
  snapshotVersion(): number;
  /** How policy is kept up to date; absent where it is not: then `snapshotVersion` is all there will be. */
  readonly feed?: PolicyFeed;
  checkLive(caller: Caller): LockstepError | null;
  readonly clock: Clock;
  readonly log: Log;
}

export interface PolicyFeed {
  /** The revision that policy contains: no less than its version. */
  readonly through: number;
  /** Null when policy is current and contains this revision; else resolves when it does, or after a bounded time. */
  reach(revision: number): Promise<void> | null;
}

/** What is known once policy has spoken; everything after this only carries it out. */
export type Judgement =
  | {
      readonly kind: 'allowed';
      readonly described: Described;
      readonly decision: Decision;
      /** Why the body gave no attributes to decide on: then it is not served either. */
      readonly bodyFault?: LockstepError;
    }
  | {
      readonly kind: 'denied';
      readonly operation: string;
      readonly effect: 'read' | 'change';
      readonly decision: Decision;
      readonly error: LockstepError;
    };

type Stage = 'describe' | 'recognise' | 'decide';

/** How much of a body may be read of a request that is not decided yet: for its attributes, and for its place. */
const largestUndecidedBody = 65_536;
const largestUnlocatedBody = 4_194_304;

/**
 * From an admitted head to a decision, for one request: `prepare` does all that may wait (which surface, which route,
 * who asks), `conclude` the rest without a pause. In between, and only where `bodyBeforeDecision` asks for it, the body
 * is read and handed to `learn`, and the place is looked for. Every obstacle is a denial with a decision of its own.
 */
export class Judging {
  readonly #options: JudgingOptions;
  readonly #admission: Admission;
  readonly #head: RequestHead;
  #surface: Surface = genericSurface;
  #described: Described | null = null;
  #caller: Caller | null = null;
  #body: BodyRead | null = null;
  #located: Located | null = null;

  constructor(options: JudgingOptions, admission: Admission) {
    this.#options = options;
    this.#admission = admission;
    this.#head = admission.head;
  }

  /** The surface that answers, for better or worse. */
  get surface(): Surface {
    return this.#surface;
  }

  get caller(): Caller | null {
    return this.#caller;
  }

  /** Null when nothing stands against a decision. */
  async prepare(): Promise<Judgement | null> {
    if (this.#admission.kind === 'refused') {
      const { error } = this.#admission;
      return this.#deny({ kind: 'refused-at-edge', code: error.code }, error);
    }
    try {
      const surface = this.#options.surfaceOf(this.#head);
      this.#surface = surface ?? genericSurface;
      const empty = surface?.admitsEmptySegments === true ? null : emptySegmentOffence(this.#head.path);
      if (empty !== null) throw empty;
      if (surface === undefined) return this.#unknownRoute();
      if (hasEncodedSlash(this.#head.path) && surface.admitsEncodedSlash !== true) {
        throw failure('invalid_path', 'The request path holds an encoded slash (`%2F`).');
      }
      this.#described = describedOrNull(surface, this.#head);
    } catch (thrown) {
      return this.#denyFault(thrown, 'describe');
    }
    if (this.#described?.guard.kind === 'public') return null;
    try {
      this.#caller = await this.#options.recognise(this.#head, this.#surface);
    } catch (thrown) {
      // Who asks for what does not exist is worth knowing, not worth another answer.
      return this.#described === null ? this.#unknownRoute() : this.#denyFault(thrown, 'recognise');
    }
    if (this.#described === null) return this.#unknownRoute();
    await this.#reachPolicy();
    return null;
  }

  /** Waits, for whoever is recognised, until policy is current and as new as is demanded. `conclude` judges it. */
  async #reachPolicy(): Promise<void> {
    if (this.#caller === null) return;
    const demanded = demandedRevision(this.#head);
    if (demanded !== 'invalid') await this.#options.feed?.reach(demanded);
  }

  /**
   * The rule under which the body is to be read before the decision; null where it is not asked for, or where the
   * caller is refused whatever the body says.
   */
  bodyBeforeDecision(): BodyRule | null {
    const described = this.#described;
    if (described?.guard.kind !== 'action') return null;
    const { body, guard } = described;
    if (guard.accessFromBody === undefined && guard.locate === undefined) return null;
    if (body.kind !== 'buffered' || !this.#mayAsk(described)) return null;
    const largest = guard.locate === undefined ? largestUndecidedBody : largestUnlocatedBody;
    return { ...body, maxBytes: Math.min(body.maxBytes, largest) };
  }

  learn(body: BodyRead): void {
    this.#body = body;
  }

  /** Finds out where the access lies, where that is not known from the head and the caller may ask at all. */
  async locate(signal: AbortSignal): Promise<void> {
    const described = this.#described;
    if (described?.guard.kind !== 'action' || described.guard.locate === undefined) return;
    const caller = this.#caller;
    if (caller === null || !this.#mayAsk(described) || this.#body?.kind === 'failed') return;
    try {
      const access = await described.guard.locate(this.#body?.bytes ?? Buffer.alloc(0), signal, caller);
      this.#located = { kind: 'found', access };
    } catch (thrown) {
      this.#located = { kind: 'failed', thrown };
    }
  }

  /** False where `conclude` refuses the caller whatever is asked; it meets a fault of the check again, too. */
  #mayAsk(described: Described): boolean {
    try {
      return this.#caller !== null && this.#callerRefusal(this.#caller, described) === null;
    } catch {
      return false;
    }
  }

  /** Runs without a pause, so that no change can fall between what is checked and what is registered. */
  conclude(): Judgement {
    const described = this.#described;
    if (described === null) return this.#unknownRoute();
    const stale = staleRefusal(this.#head, this.#options.feed?.through ?? this.#options.snapshotVersion());
    if (stale !== null) return this.#deny({ kind: 'refused-at-edge', code: stale.code }, stale);
    const { guard } = described;
    if (guard.kind === 'public') {
      const cause: Cause = { kind: 'public', rule: guard.rule };
      return { kind: 'allowed', described, decision: this.#decision(true, cause, accessOf(described)) };
    }
    const caller = this.#caller;
    if (caller === null) {
      return this.#unauthenticated(failure('authentication_required', 'Sign in, or send a bearer token.'));
    }
    try {
      const refusal = this.#callerRefusal(caller, described);
      if (refusal !== null) return this.#unauthenticated(refusal);
    } catch (thrown) {
      return this.#denyFault(thrown, 'decide');
    }
    if (guard.kind === 'authenticated') {
      const cause: Cause = { kind: 'authenticated', rule: guard.rule };
      const decidedFor = caller.authorities[0] ?? null;
      return {
        kind: 'allowed',
        described,
        decision: this.#decision(true, cause, accessOf(described), decidedFor),
      };
    }
    return this.#judge(described, guard, caller);
  }

  #judge(described: Described, guard: ActionGuard, caller: Caller): Judgement {
    const body = this.#body;
    if (body?.kind === 'failed' && isForNow(body.error)) {
      return this.#deny({ kind: 'policy-unavailable' }, body.error);
    }
    let known: KnownAccess;
    try {
      known =
        guard.locate === undefined
          ? accessWithBody(guard, this.#body)
          : accessLocated(guard, this.#body, this.#located);
    } catch (fault) {
      return this.#denyUnlocated(fault) ?? this.#denyFault(fault, 'decide');
    }
    const { access, bodyFault } = known;
    const decision = this.decide(access);
    if (decision.allowed) {
      return { kind: 'allowed', described, decision, ...(bodyFault === null ? {} : { bodyFault }) };
    }
    const error =
      decision.cause.kind === 'policy-unavailable'
        ? withDecision(new LockstepError({ code: 'policy_unavailable' }), decision)
        : accessDenied(caller, decision);
    return { kind: 'denied', operation: described.operation, effect: described.effect, decision, error };
  }

  /** Null for what is no fault of finding the place. */
  #denyUnlocated(fault: unknown): Judgement | null {
    if (this.#located?.kind !== 'failed' || !isLockstepError(fault) || fault.code === 'internal') return null;
    return this.#deny({ kind: 'policy-unavailable' }, fault);
  }

  /** Why this caller may not ask at all, whatever the policy. */
  #callerRefusal(caller: Caller, described: Described): LockstepError | null {
    const byCookie = caller.credential.kind === 'session-cookie';
    const upgrade = this.#head.upgrade === null ? null : foreignUpgradeRefusal(this.#head, byCookie);
    const crossSite = byCookie ? crossSiteRefusal(this.#head, described.effect === 'change') : null;
    return upgrade ?? crossSite ?? this.#options.checkLive(caller);
  }

  /** One decision on an access for the caller. A fault of policy is a deny; so is having no authority at all. */
  decide(access: Access): Decision {
    const caller = this.#caller;
    if (caller === null) {
      return this.#decision(false, { kind: 'unauthenticated', code: 'authentication_required' }, access);
    }
    if (caller.authorities.length === 0) return this.#decision(false, { kind: 'unknown-principal' }, access);
    try {
      const now = this.#options.clock.now();
      const inPlace = withEnvironment(access, environmentOf(caller.chain, now));
      const question = questionAt(inPlace, now);
      const { allowed, cause, decidedFor } = this.#options.decide(caller.authorities, question.access);
      return { ...this.#decision(allowed, cause, inPlace, decidedFor), restsOnTime: question.asked() };
    } catch (fault) {
      const { action, scope } = access;
      this.#options.log.error({ err: fault, action, scope }, 'gateway: a decision failed');
      return this.#decision(false, { kind: 'policy-unavailable' }, access);
    }
  }

  #decision(allowed: boolean, cause: Cause, access: Access, decidedFor: PrincipalId | null = null): Decision {
    return {
      id: newDecisionId(this.#options.clock.now()),
      allowed,
      cause,
      decidedFor,
      authorities: this.#caller?.authorities ?? [],
      access,
      snapshotVersion: this.#options.snapshotVersion(),
      restsOnTime: false,
    };
  }

  #deny(cause: Cause, error: LockstepError): Judgement {
    const described = this.#described;
    const { method } = this.#head;
    const decision = this.#decision(false, cause, accessOf(described));
    return {
      kind: 'denied',
      operation: described?.operation ?? undescribedAccess.action,
      effect: described?.effect ?? (method === 'GET' || method === 'HEAD' ? 'read' : 'change'),
      decision,
      error: withDecision(error, decision),
    };
  }

  #unauthenticated(error: LockstepError): Judgement {
    return this.#deny({ kind: 'unauthenticated', code: error.code }, error);
  }

  #unknownRoute(): Judgement {
    const what = this.#head.upgrade === null ? 'here' : 'as one that may be upgraded';
    const plainly = `This path is not described ${what}, so it is denied.`;
    const error = failure('unknown_route', this.#toldOfUnknown() ?? plainly);
    return this.#deny({ kind: 'unknown-route' }, error);
  }

  /** What the surface tells those who may know of it; a fault on the way is no answer to them. */
  #toldOfUnknown(): string | null {
    const caller = this.#caller;
    try {
      if (caller === null || this.#options.checkLive(caller) !== null) return null;
      return this.#surface.tellUnknown?.(this.#head, caller) ?? null;
    } catch {
      return null;
    }
  }

  #denyFault(thrown: unknown, stage: Stage): Judgement {
    const { cause, error } = causeOfFault(thrown, stage);
    if (error.code === 'policy_unavailable') {
      this.#options.log.error({ err: thrown, request: this.#head.id }, `gateway: ${stage} failed`);
    }
    return this.#deny(cause, error);
  }
}

/** A route that says nothing of upgrades is unknown to a request that asks for one. */
function describedOrNull(surface: Surface, head: RequestHead): Described | null {
  const described = surface.describe(head);
  return head.upgrade !== null && described?.upgrade !== head.upgrade ? null : described;
}

/** The revision that the caller knows of and must not be answered by less than; 0 for any. */
function demandedRevision(head: RequestHead): number | 'invalid' {
  const demanded = head.headers['lockstep-minimum-policy-revision'];
  if (demanded === undefined) return 0;
  return typeof demanded === 'string' && /^\d{1,15}$/.test(demanded) ? Number(demanded) : 'invalid';
}

function staleRefusal(head: RequestHead, through: number): LockstepError | null {
  const demanded = demandedRevision(head);
  if (demanded === 'invalid') {
    return failure('invalid_request', 'Lockstep-Minimum-Policy-Revision must be a whole number.');
  }
  return demanded > through
    ? failure('stale_policy', `The policy here is at revision ${through}; ${demanded} is demanded.`)
    : null;
}

function accessOf(described: Described | null): Access {
  if (described === null) return undescribedAccess;
  const { guard } = described;
  if (guard.kind === 'action') return guard.access;
  return { action: described.operation, dataAction: false, scope: guard.scope };
}
