import type { Readable } from 'node:stream';
import type { ZodType } from 'zod';
import type { Caller } from '../identity/caller.ts';
import type { RequestFact } from '../ledger/events.ts';
import type { LockstepError } from '../lib/errors.ts';
import type { Access, Decision } from '../policy/types.ts';
import type { Attribution } from '../store/changes.ts';
import { cutError } from './denial/denial.ts';
import type { Incoming } from './ends.ts';
import type { ExchangeRecord } from './record/exchange-record.ts';
import { attributionOf, decidedFact, listedFact } from './record/facts.ts';
import type { LiveSession } from './live-sessions.ts';
import { parseForm, parseJson } from './bodies/parse-body.ts';
import type { RequestBody } from './bodies/request-body.ts';
import type { Described, Exchange, RequestHead } from './types.ts';

/** An exchange that policy has allowed. */
export interface Allowed {
  readonly described: Described;
  /** Why the body cannot be served, where that is known before the decision. */
  readonly bodyFault: LockstepError | null;
  readonly caller: Caller | null;
  readonly decision: Decision;
  readonly attribution: Attribution;
  readonly fact: RequestFact;
  decideAlso(access: Access): Decision;
}

export interface ServedParts {
  readonly head: RequestHead;
  readonly allowed: Allowed;
  readonly session: LiveSession;
  readonly surface: string;
  readonly request: Incoming;
  readonly body: RequestBody;
  readonly bytes: Buffer;
  readonly record: ExchangeRecord;
  readonly signal: AbortSignal;
  readonly hint: Exchange['hint'];
}

/**
 * What a surface is given of one request. A class, for its one accessor: an object that is written with one has a shape
 * of its own each time, which V8 keeps beyond a short collection, and with it all that the request held.
 */
export class ServedExchange implements Exchange {
  readonly head: RequestHead;
  readonly caller: Caller | null;
  readonly decision: Decision;
  readonly attribution: Attribution;
  readonly bytes: Buffer;
  readonly signal: AbortSignal;
  readonly #parts: ServedParts;

  constructor(parts: ServedParts) {
    const { head, allowed, bytes, signal } = parts;
    this.head = head;
    this.caller = allowed.caller;
    this.decision = allowed.decision;
    this.attribution = allowed.attribution;
    this.bytes = bytes;
    this.signal = signal;
    this.#parts = parts;
  }

  get stream(): Readable {
    return this.#parts.body.stream();
  }

  json<T>(schema: ZodType<T>): T {
    return parseJson(this.bytes, schema);
  }

  form(): ReadonlyMap<string, string> {
    return parseForm(this.bytes);
  }

  trailers(): ReturnType<Exchange['trailers']> {
    return this.#parts.request.trailers;
  }

  hint(hints: Parameters<Exchange['hint']>[0]): void {
    this.#parts.hint(hints);
  }

  conclude(): void {
    this.#parts.session.conclude();
  }

  sentAgain(why: string): void {
    this.#parts.session.sentAgain = why;
  }

  async decideAlso(access: Access): Promise<Decision> {
    const { allowed, head, record, session, signal, surface } = this.#parts;
    const decision = allowed.decideAlso(access);
    if (decision.allowed) session.alsoDecided(decision);
    const attribution = attributionOf(allowed.attribution.tenantId, head, allowed.caller, decision);
    const { effect } = allowed.described;
    await record.write(
      decidedFact(head, { attribution, surface, operation: access.action, effect, decision }),
    );
    mustLive(session, signal);
    return decision;
  }

  async decideEach(
    accesses: readonly Access[],
    told: (decisions: readonly Decision[]) => number = () => accesses.length,
  ): Promise<readonly Decision[]> {
    if (accesses.length === 0) return [];
    const { allowed, record, session, signal, surface } = this.#parts;
    const all = accesses.map((access) => allowed.decideAlso(access));
    const decisions = all.slice(0, told(all));
    if (decisions.length === 0) return all;
    for (const decision of decisions) if (decision.allowed) session.alsoDecided(decision);
    const { attribution, described } = allowed;
    const { operation } = described;
    const { scope } = allowed.decision.access;
    await record.write(listedFact({ attribution, surface, operation, scope, decisions }));
    mustLive(session, signal);
    return all;
  }
}

/** Throws why it was cut, or why it is aborted. */
export function mustLive({ cut }: LiveSession, signal: AbortSignal): void {
  if (cut !== null) throw cutError(cut.reason);
  signal.throwIfAborted();
}
