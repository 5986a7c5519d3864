import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { ZodType } from 'zod';
import type { Caller } from '../identity/caller.ts';
import type { RecordFact, RequestFact } from '../ledger/events.ts';
import { asLockstepError, isLockstepError, LockstepError } from '../lib/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Access, Decision } from '../policy/types.ts';
import type { Attribution } from '../store/changes.ts';
import { cutError } from './denial.ts';
import type { Admission } from './edge.ts';
import { attributionOf, decidedFact, listedFact } from './facts.ts';
import { genericSurface } from './generic-surface.ts';
import type { LiveSession, LiveSessions } from './live-sessions.ts';
import { parseForm, parseJson } from './parse-body.ts';
import { RequestBody, type BodyRead } from './request-body.ts';
import { respond, withErrorHeaders } from './respond.ts';
import { boundedText } from './bounded-text.ts';
import type { BodyRule, Described, Exchange, Reply, RequestHead, Surface } from './types.ts';

export interface FlightOptions {
  snapshotVersion(): number;
  readonly record: RecordFact;
  readonly sessions: LiveSessions;
  readonly clock: Clock;
  readonly log: Log;
}

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

/** One request on its way: carries out what was decided, and sees to it that its record and its end are kept. */
export class InFlight {
  readonly head: RequestHead;
  readonly refused: LockstepError | null;
  surface: Surface = genericSurface;
  readonly #options: FlightOptions;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #abort = new AbortController();
  readonly #startedAt: number;
  #body: RequestBody | null = null;
  #read: BodyRead | null = null;
  #recorded = false;
  #answered = false;
  #failed = false;

  constructor(
    options: FlightOptions,
    request: IncomingMessage,
    response: ServerResponse,
    admission: Admission,
  ) {
    this.head = admission.head;
    this.refused = admission.kind === 'refused' ? admission.error : null;
    this.#options = options;
    this.#request = request;
    this.#response = response;
    this.#startedAt = options.clock.now();
    request.on('error', ignoreBrokenRequest);
  }

  /** Records a denial, then tells the caller. */
  async refuse(fact: RequestFact, error: LockstepError): Promise<void> {
    let told = error;
    try {
      await this.#options.record(fact);
    } catch (thrown) {
      told = this.#ledgerFailure(thrown);
    }
    await this.#answerError(told);
  }

  /** Reads a body that is to be decided on. A failure is an answer too: the request is decided either way. */
  async readBody(rule: BodyRule): Promise<BodyRead> {
    try {
      this.#body = new RequestBody(this.#request, this.#response, rule);
      this.#read = { kind: 'read', bytes: await this.#body.buffered() };
    } catch (thrown) {
      this.#read = { kind: 'failed', error: this.#body?.failed ?? asLockstepError(thrown) };
    }
    return this.#read;
  }

  /** Serves an allowed request: recorded before a change is served, and before the head of any answer leaves. */
  async serve(allowed: Allowed): Promise<void> {
    const { sessions } = this.#options;
    const session = sessions.open({
      id: this.head.id,
      caller: allowed.caller,
      authorities: allowed.decision.authorities,
      access: allowed.described.guard.kind === 'action' ? allowed.decision.access : null,
      restsOnTime: allowed.decision.restsOnTime,
      surface: this.surface.name,
      operation: allowed.described.operation,
      method: this.head.method,
      path: boundedText(this.head.path, 1024),
      remoteAddress: this.head.remoteAddress,
      end: (reason) => this.#end(reason),
    });
    const closed = (): void => {
      sessions.close(session);
      session.requestBytes = this.#body?.bytes ?? 0;
      if (!this.#response.writableFinished) this.#abort.abort(new Error('the client is gone'));
      this.#recordEnd(allowed, session);
    };
    // A client that went while its body was read is told of no more.
    if (this.#response.destroyed) setImmediate(closed);
    else this.#response.once('close', closed);
    try {
      // Records what was decided even when the body turns out to break its rule.
      const durable = this.#record(allowed.fact);
      durable.catch(() => undefined);
      let reply: Reply;
      try {
        if (allowed.bodyFault !== null) throw allowed.bodyFault;
        this.#body ??= new RequestBody(this.#request, this.#response, allowed.described.body);
        reply = await this.#prepare(allowed, session, this.#body, durable);
      } catch (thrown) {
        await durable;
        throw this.#body?.failed ?? thrown;
      }
      await this.#send(reply, session);
    } catch (thrown) {
      if (session.cutReason === null) await this.#answerError(thrown);
      else await this.#answerError(cutError(session.cutReason));
    }
  }

  async #prepare(
    allowed: Allowed,
    session: LiveSession,
    body: RequestBody,
    durable: Promise<void>,
  ): Promise<Reply> {
    const bytes = this.#read?.kind === 'read' ? this.#read.bytes : await body.buffered();
    if (allowed.described.effect === 'change') await durable;
    this.#mustLive(session);
    const preparing = allowed.described.serve(this.#exchange(allowed, session, body, bytes)).then(calm);
    // It may fail while the record is still on its way to the disk; the failure is taken up below.
    preparing.catch(() => undefined);
    try {
      await durable;
    } catch (thrown) {
      this.#abort.abort(thrown);
      preparing.then(discard, () => undefined);
      throw thrown;
    }
    const reply = await preparing;
    if (this.#answered || session.cutReason !== null) discard(reply);
    this.#mustLive(session);
    return reply;
  }

  #exchange(allowed: Allowed, session: LiveSession, body: RequestBody, bytes: Buffer): Exchange {
    return {
      head: this.head,
      caller: allowed.caller,
      decision: allowed.decision,
      attribution: allowed.attribution,
      bytes,
      get stream() {
        return body.stream();
      },
      json: <T>(schema: ZodType<T>): T => parseJson(bytes, schema),
      form: () => parseForm(bytes),
      signal: this.#abort.signal,
      conclude: () => session.conclude(),
      decideAlso: async (access) => {
        const decision = allowed.decideAlso(access);
        if (decision.allowed) session.alsoDecided(decision);
        const { head } = this;
        const attribution = attributionOf(allowed.attribution.tenantId, head, allowed.caller, decision);
        const surface = this.surface.name;
        const { effect } = allowed.described;
        await this.#record(
          decidedFact(head, { attribution, surface, operation: access.action, effect, decision }),
        );
        this.#mustLive(session);
        return decision;
      },
      decideEach: async (accesses) => {
        if (accesses.length === 0) return [];
        const decisions = accesses.map((access) => allowed.decideAlso(access));
        for (const decision of decisions) if (decision.allowed) session.alsoDecided(decision);
        const { attribution, described } = allowed;
        const { operation } = described;
        const { scope } = allowed.decision.access;
        await this.#record(
          listedFact({ attribution, surface: this.surface.name, operation, scope, decisions }),
        );
        this.#mustLive(session);
        return decisions;
      },
    };
  }

  async #record(fact: RequestFact): Promise<void> {
    try {
      await this.#options.record(fact);
    } catch (thrown) {
      throw this.#ledgerFailure(thrown);
    }
    this.#recorded = true;
  }

  #ledgerFailure(thrown: unknown): LockstepError {
    this.#options.log.error(
      { err: thrown, request: this.head.id },
      'gateway: the ledger did not take a record',
    );
    if (isLockstepError(thrown) && thrown.code === 'ledger_unavailable') return thrown;
    return new LockstepError({
      code: 'ledger_unavailable',
      internalMessage: asLockstepError(thrown).message,
      cause: thrown,
    });
  }

  #mustLive(session: LiveSession): void {
    if (session.cutReason !== null) throw cutError(session.cutReason);
    this.#abort.signal.throwIfAborted();
  }

  /** Called by the registry, within the tick of the cut. */
  #end(reason: string): void {
    const error = cutError(reason);
    this.#abort.abort(error);
    // Before the record is durable nothing may be said; `serve` answers when it is.
    if (this.#response.headersSent) destroyAtOnce(this.#response);
    else if (this.#recorded) void this.#answerError(error);
  }

  async #answerError(thrown: unknown): Promise<void> {
    if (this.#answered || this.#response.destroyed) return;
    const error = asLockstepError(thrown);
    if (error.status >= 500) {
      this.#options.log.error(
        { err: error, request: this.head.id, code: error.code },
        'gateway: a request failed',
      );
    }
    if (this.#response.headersSent) {
      this.#failed = true;
      destroyAtOnce(this.#response);
      return;
    }
    let reply: Reply;
    try {
      reply = withErrorHeaders(this.surface.renderError(error, this.head), error);
    } catch (fault) {
      this.#options.log.error(
        { err: fault, surface: this.surface.name },
        'gateway: an error could not be rendered',
      );
      reply = withErrorHeaders(genericSurface.renderError(error, this.head), error);
    }
    this.#answered = true;
    try {
      await respond(reply, this.#responding(null));
    } catch {
      this.#failed = true;
      destroyAtOnce(this.#response);
    }
  }

  async #send(reply: Reply, session: LiveSession): Promise<void> {
    if (this.#answered) return discard(reply);
    try {
      await respond(reply, this.#responding(session));
      this.#answered = true;
    } catch (thrown) {
      discard(reply);
      if (session.cutReason === null && !this.#response.destroyed && !this.#abort.signal.aborted)
        throw thrown;
      destroyAtOnce(this.#response);
    }
  }

  #responding(session: LiveSession | null) {
    return {
      head: this.head,
      request: this.#request,
      response: this.#response,
      revision: this.#options.snapshotVersion(),
      // A head that breaks the rules says nothing sure about where the next request begins.
      last: this.refused !== null,
      sent: (bytes: number): void => {
        if (session !== null) session.responseBytes += bytes;
      },
      broke: (): void => {
        this.#failed ||= !this.#abort.signal.aborted;
      },
    };
  }

  #recordEnd(allowed: Allowed, session: LiveSession): void {
    const { log, clock, record } = this.#options;
    const ending =
      session.cutReason ??
      (this.#failed ? 'failed' : this.#response.writableFinished ? 'completed' : 'client-gone');
    record({
      kind: 'request.ended',
      attribution: allowed.attribution,
      surface: this.surface.name,
      operation: boundedText(allowed.described.operation, 512),
      scope: boundedText(allowed.decision.access.scope, 4096),
      status: this.#response.headersSent ? this.#response.statusCode : 0,
      requestBytes: session.requestBytes,
      responseBytes: session.responseBytes,
      durationMilliseconds: Math.max(0, clock.now() - this.#startedAt),
      ending,
    }).catch((thrown: unknown) => {
      log.error({ err: thrown, request: this.head.id }, 'gateway: the end of an exchange was not recorded');
    });
  }
}

/** A body may break before anybody listens; whoever reads it later finds it destroyed. */
function calm(reply: Reply): Reply {
  if (reply.body instanceof Readable) reply.body.on('error', ignoreBrokenBody);
  return reply;
}

function ignoreBrokenBody(): void {
  // Nothing to do.
}

function discard(reply: Reply): void {
  if (reply.body instanceof Readable) reply.body.on('error', ignoreBrokenBody).destroy();
}

/** The connection goes too: a body that breaks off must not look like one that ended. */
function destroyAtOnce(response: ServerResponse): void {
  response.socket?.destroy();
  response.destroy();
}

/** Reported where the body is read; without a reader it is only a client that left. */
function ignoreBrokenRequest(): void {
  // Nothing to do.
}
