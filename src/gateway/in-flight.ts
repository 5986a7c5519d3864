import type { RecordFact, RequestFact } from '../ledger/events.ts';
import type { Caller } from '../identity/caller.ts';
import { asLockstepError, LockstepError } from '../lib/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { boundedText } from './record/bounded-text.ts';
import { cutError } from './denial/denial.ts';
import type { Admission } from './edge/edge.ts';
import { destroyAtOnce, knowsInterimAnswers, type Incoming, type Outgoing } from './ends.ts';
import { withErrorHeaders } from './denial/error-headers.ts';
import { ExchangeRecord } from './record/exchange-record.ts';
import { genericSurface } from './denial/generic-surface.ts';
import { grpcTrailers, isGrpc } from './grpc.ts';
import type { Cut, LiveSession, LiveSessions } from './live-sessions.ts';
import { logFailure } from './denial/log-failure.ts';
import type { Holding, MemoryBudget } from './bodies/memory-budget.ts';
import { calm, discard } from './answer/reply-body.ts';
import { RequestBody, type BodyRead } from './bodies/request-body.ts';
import { respond } from './answer/respond.ts';
import { mustLive, ServedExchange, type Allowed } from './served-exchange.ts';
import type { BodyRule, Reply, RequestHead, Surface } from './types.ts';
import { closingsOfCut } from './web-socket/closing.ts';
import type { UpstreamWebSocket } from './web-socket/dial.ts';
import type { Joint, JointEnd } from './web-socket/join.ts';
import { switchProtocols } from './web-socket/switch-protocols.ts';
import type { WaitingSocket } from './web-socket/waiting-socket.ts';

export interface FlightOptions {
  snapshotVersion(): number;
  readonly record: RecordFact;
  readonly sessions: LiveSessions;
  /** For what callers have begun and not finished. */
  readonly memory: MemoryBudget;
  /** How long a client may take nothing of an answer. */
  readonly untakenMilliseconds?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The request as Node's server gave it. */
export interface Connected {
  readonly request: Incoming;
  readonly response: Outgoing;
  /** The connection, where Node has handed it over for an upgrade. */
  readonly waiting: WaitingSocket | null;
}

/** One request on its way: carries out what was decided, and sees to it that its record and its end are kept. */
export class InFlight {
  readonly head: RequestHead;
  readonly refused: LockstepError | null;
  surface: Surface = genericSurface;
  readonly #options: FlightOptions;
  readonly #request: Incoming;
  readonly #response: Outgoing;
  readonly #waiting: WaitingSocket | null;
  readonly #abort = new AbortController();
  readonly #record: ExchangeRecord;
  #body: RequestBody | null = null;
  #read: BodyRead | null = null;
  /** What a body holds that is read to be decided on. */
  #undecided: Holding | null = null;
  #answered = false;
  #failed = false;
  /** Whether all of the answer was written before the request had come to its end. */
  #isTold = false;
  /** Whether trailers that say why are on their way. */
  #brokenOff = false;
  #joint: Joint | null = null;

  constructor(options: FlightOptions, { request, response, waiting }: Connected, admission: Admission) {
    this.head = admission.head;
    this.refused = admission.kind === 'refused' ? admission.error : null;
    this.#options = options;
    this.#request = request;
    this.#response = response;
    this.#waiting = waiting;
    this.#record = new ExchangeRecord(options, admission.head.id);
    request.on('error', ignoreBrokenRequest);
  }

  /** Aborted when the client goes, the session is cut, or the process drains out. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Records a denial, then tells the caller. */
  async refuse(fact: RequestFact, error: LockstepError): Promise<void> {
    let told = error;
    try {
      await this.#record.write(fact);
    } catch (thrown) {
      told = asLockstepError(thrown);
    }
    await this.#answerError(told);
  }

  /**
   * Reads a body that is to be decided on, which counts to the caller until it is `decided`. A failure is an answer too:
   * the request is decided either way.
   */
  async readBody(rule: BodyRule, caller: Caller | null): Promise<BodyRead> {
    this.#undecided = this.#holdingOf(caller);
    try {
      this.#body = new RequestBody(this.#request, this.#response, rule);
      this.#read = { kind: 'read', bytes: await this.#body.buffered(this.#undecided) };
    } catch (thrown) {
      this.#read = { kind: 'failed', error: this.#body?.failed ?? asLockstepError(thrown) };
    }
    return this.#read;
  }

  /** Called in every case, whether a body was read or not. */
  decided(): void {
    this.#undecided?.release();
  }

  /** What anyone may send is counted to nobody. */
  #holdingOf(caller: Caller | null): Holding | null {
    return caller === null ? null : this.#options.memory.holdingOf(caller.subject.id);
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
      end: (cut) => this.#end(cut, session),
    });
    const over = (joined: JointEnd | null): void => {
      sessions.close(session);
      this.#recordEnd(allowed, session, joined);
    };
    const closed = (): void => {
      if (!this.#response.writableFinished) this.#abort.abort(new Error('the client is gone'));
      if (this.#joint !== null) return void this.#joint.over.then((end) => over(end));
      session.requestBytes = this.#body?.bytes ?? 0;
      over(null);
    };
    // A client that went while its body was read is told of no more.
    if (this.#response.destroyed) setImmediate(closed);
    else this.#response.once('close', closed);
    try {
      // Records what was decided even when the body turns out to break its rule.
      const durable = this.#record.write(allowed.fact);
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
      await this.#answerError(session.cut === null ? thrown : cutError(session.cut.reason));
    }
  }

  async #prepare(
    allowed: Allowed,
    session: LiveSession,
    body: RequestBody,
    durable: Promise<void>,
  ): Promise<Reply> {
    const bytes = this.#read?.kind === 'read' ? this.#read.bytes : await this.#readWhole(body, allowed);
    if (allowed.described.effect === 'change') await durable;
    const { signal } = this.#abort;
    mustLive(session, signal);
    const exchange = new ServedExchange({
      head: this.head,
      allowed,
      session,
      surface: this.surface.name,
      request: this.#request,
      body,
      bytes,
      record: this.#record,
      signal,
      hint: (hints) => void this.#hint(hints, durable),
    });
    const preparing = allowed.described.serve(exchange).then(calm);
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
    if (this.#answered || session.cut !== null) discard(reply);
    mustLive(session, signal);
    return reply;
  }

  /** Reads a body that was not to be decided on: it counts until it is whole. */
  async #readWhole(body: RequestBody, { caller }: Allowed): Promise<Buffer> {
    const holding = this.head.hasBody ? this.#holdingOf(caller) : null;
    try {
      return await body.buffered(holding);
    } finally {
      holding?.release();
    }
  }

  /** Called by the registry, within the tick of the cut. */
  #end(cut: Cut, session: LiveSession): void {
    if (this.#joint !== null) {
      const tell = this.#joint.cut(closingsOfCut(cut));
      session.later(() => {
        this.#abort.abort(cutError(cut.reason));
        tell();
      });
      return;
    }
    const error = cutError(cut.reason);
    this.#abort.abort(error);
    // Before the record is durable nothing may be said; `serve` answers when it is.
    if (this.#response.headersSent) this.#breakOff(error, cut);
    else if (this.#record.isDurable) void this.#answerError(error);
  }

  /** A call is told why, where there is room for it behind what it was sent. */
  #breakOff(error: LockstepError, { detail }: Cut): void {
    if (!isGrpc(this.head) || this.#response.breakOff === undefined) {
      destroyAtOnce(this.#request, this.#response);
      return;
    }
    this.#brokenOff = true;
    const why = detail === undefined ? error.publicMessage : `${error.publicMessage} (${detail})`;
    const told = new LockstepError({ code: error.code, publicMessage: why, cause: error });
    this.#response.breakOff(grpcTrailers(told, this.head));
  }

  /** Never before the record is durable, and never behind the answer. */
  async #hint(
    hints: Readonly<Record<string, string | readonly string[]>>,
    durable: Promise<void>,
  ): Promise<void> {
    try {
      await durable;
      if (this.#answered || this.#response.headersSent || this.#abort.signal.aborted) return;
      if (!knowsInterimAnswers(this.#request)) return;
      const fields = Object.entries(hints).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : [...value],
      ]);
      this.#response.writeEarlyHints(Object.fromEntries(fields));
    } catch (thrown) {
      this.#options.log.debug({ err: thrown, request: this.head.id }, 'gateway: a hint was not passed on');
    }
  }

  async #answerError(thrown: unknown): Promise<void> {
    if (this.#answered || this.#response.destroyed) return;
    const error = asLockstepError(thrown);
    if (error.status >= 500) {
      const failed = { request: this.head.id, surface: this.surface.name };
      logFailure(this.#options.log, error, failed, 'gateway: a request failed');
    }
    if (this.#response.headersSent) {
      this.#failed = true;
      destroyAtOnce(this.#request, this.#response);
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
      destroyAtOnce(this.#request, this.#response);
    }
  }

  /** Whether nothing is missing in what the client got, or goes to it. */
  get #isWhole(): boolean {
    return this.#response.writableFinished || this.#isTold;
  }

  async #send(reply: Reply, session: LiveSession): Promise<void> {
    if (this.#answered) return discard(reply);
    if (reply.upstream !== undefined) return this.#join(reply, reply.upstream, session);
    try {
      await respond(reply, this.#responding(session));
      this.#answered = true;
    } catch (thrown) {
      discard(reply);
      if (session.cut === null && !this.#response.destroyed && !this.#abort.signal.aborted) throw thrown;
      if (!this.#brokenOff) destroyAtOnce(this.#request, this.#response);
    }
  }

  #responding(session: LiveSession | null) {
    return {
      head: this.head,
      request: this.#request,
      response: this.#response,
      revision: this.#options.snapshotVersion(),
      // A head that breaks the rules says nothing sure about where the next request begins.
      last: this.refused !== null || this.#waiting !== null,
      untakenMilliseconds: this.#options.untakenMilliseconds,
      sent: (bytes: number): void => {
        if (session !== null) session.responseBytes += bytes;
      },
      told: (): void => {
        this.#isTold = true;
      },
      broke: (): void => {
        this.#failed ||= !this.#abort.signal.aborted;
      },
    };
  }

  /** From here on messages are passed on, not an answer. Waits for nothing. */
  #join(reply: Reply, upstream: UpstreamWebSocket, session: LiveSession): void {
    const waiting = this.#waiting;
    const socket = waiting?.release() ?? null;
    if (waiting === null || socket === null) {
      discard(reply);
      destroyAtOnce(this.#request, this.#response);
      return;
    }
    const headers = { ...reply.headers, 'x-request-id': this.head.id };
    const { admit = null } = reply;
    const { caller } = session.exchange;
    const holdings = { client: this.#holdingOf(caller), upstream: this.#holdingOf(caller) };
    const { request } = waiting;
    this.#joint = switchProtocols({ request, socket, upstream, headers, admit, holdings }, session);
    this.#answered = true;
  }

  #recordEnd(
    { attribution, decision, described }: Allowed,
    session: LiveSession,
    joined: JointEnd | null,
  ): void {
    this.#record.end({
      attribution,
      decision,
      described,
      surface: this.surface.name,
      session,
      status: this.#response.headersSent ? this.#response.statusCode : 0,
      ending: this.#failed ? 'failed' : this.#isWhole ? 'completed' : 'client-gone',
      joined,
    });
  }
}

/** Reported where the body is read; without a reader it is only a client that left. */
function ignoreBrokenRequest(): void {
  // Nothing to do.
}
