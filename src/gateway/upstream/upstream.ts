import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Clock } from '../../lib/clock.ts';
import { isLockstepError, LockstepError } from '../../lib/errors.ts';
import type { UpstreamAddress } from './address.ts';
import { Admission } from './admission.ts';
import { CallerShares } from './caller-shares.ts';
import { Endpoint, isOfRequest, type Entry, type EndpointView } from './endpoint.ts';
import { RetryBudget } from './retry-budget.ts';
import type { UpstreamSettings } from './settings.ts';
import { TransportFault, type TransportFaultKind, type TransportResponse } from './transport.ts';

export interface UpstreamRequest {
  readonly method: string;
  /** Path and query without the address's own. */
  readonly path: string;
  /** Names and values in turn, for the address that is asked: its Host among them. */
  headersFor(address: UpstreamAddress): Promise<string[]> | string[];
  readonly body: Readable | Buffer | null;
  readonly signal: AbortSignal;
  /** Whose it is: who has more than a share is refused. Absent: the gateway's own. */
  readonly caller?: string | null;
  /** How long the body of the answer may stand still; default: as the connection says. 0 for any time. */
  readonly idleMilliseconds?: number;
  readonly trailers?: (() => string[]) | undefined;
  readonly expectsContinue?: boolean;
  readonly hinted?: ((headers: IncomingHttpHeaders) => void) | undefined;
  /** Told before it is sent a second time, with what became of the first. */
  again?(kind: TransportFaultKind): void;
}

export interface UpstreamAnswer extends TransportResponse {
  /** Who answered. */
  readonly address: UpstreamAddress;
}

class Answered implements UpstreamAnswer {
  readonly address: UpstreamAddress;
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly whole: Buffer | null;
  readonly endsWithHead: boolean;
  readonly #response: TransportResponse;

  constructor(response: TransportResponse, address: UpstreamAddress) {
    this.address = address;
    this.statusCode = response.statusCode;
    this.headers = response.headers;
    this.whole = response.whole;
    this.endsWithHead = response.endsWithHead;
    this.#response = response;
  }

  get body(): Readable {
    return this.#response.body;
  }

  trailers(): IncomingHttpHeaders {
    return this.#response.trailers();
  }
}

export interface UpstreamView {
  readonly endpoints: readonly EndpointView[];
  readonly requests: number;
  readonly waiting: number;
  readonly webSockets: number;
}

export interface UpstreamOptions {
  /** Its name, for those who are told that it does not answer. */
  readonly connection: string;
  /** One or more. */
  readonly addresses: readonly UpstreamAddress[];
  readonly settings: UpstreamSettings;
  readonly clock: Clock;
  readonly healthHeaders: (address: UpstreamAddress) => readonly string[];
  /** Told when one of its addresses begins to fail, is no longer used, or is used again. */
  readonly changed: (view: EndpointView) => void;
}

/** What a connection leads to: several addresses that do the same. Paths and bodies pass byte for byte. */
export class Upstream {
  /** As callers are told of it. */
  readonly #called: string;
  readonly #endpoints: readonly Endpoint[];
  readonly #admission: Admission;
  readonly #mostWebSockets: number;
  readonly #webSocketShares: CallerShares;
  readonly #budget = new RetryBudget();
  #webSockets = 0;
  #turn = 0;

  constructor({ connection, addresses, settings, clock, healthHeaders, changed }: UpstreamOptions) {
    this.#called = `The upstream of connection \`${connection}\``;
    this.#endpoints = addresses.map(
      (address) => new Endpoint({ address, settings, clock, changed, healthHeaders: healthHeaders(address) }),
    );
    this.#admission = new Admission(settings.bounds);
    this.#mostWebSockets = settings.bounds.webSockets;
    this.#webSocketShares = new CallerShares(settings.bounds.webSocketsPerCaller, 'WebSockets');
  }

  get view(): UpstreamView {
    return {
      endpoints: this.#endpoints.map(({ view }) => view),
      requests: this.#admission.inside,
      waiting: this.#admission.waiting,
      webSockets: this.#webSockets,
    };
  }

  /**
   * Sends a request to the address that has the least to do, and a second time, at most, where that is safe: nothing of
   * it was sent and there is another address; or its connection was closed without an answer, it is a GET, HEAD or
   * OPTIONS without a body. Throws `too_many_requests`, `upstream_unavailable` where it is refused unasked, `upstream_timeout`,
   * `upstream_unreachable`, or the reason of the signal.
   */
  async request(request: UpstreamRequest): Promise<UpstreamAnswer> {
    this.#mustBeWorthAsking();
    const leave = await this.#admission.enter(request.signal, request.caller ?? null);
    try {
      const { method, body, signal, path, idleMilliseconds, trailers, expectsContinue, hinted } = request;
      const answer = await this.#attempts(request, async (entry, address) => {
        const response = await entry.request({
          method,
          path: address.basePath + path,
          headers: await request.headersFor(address),
          body,
          signal,
          ...(idleMilliseconds !== undefined && { idleMilliseconds }),
          ...(trailers !== undefined && { trailers }),
          ...(expectsContinue !== undefined && { expectsContinue }),
          ...(hinted !== undefined && { hinted }),
        });
        return { response, address };
      });
      if (answer.response.whole === null) answer.response.body.once('close', leave);
      else leave();
      return new Answered(answer.response, answer.address);
    } catch (thrown) {
      leave();
      throw thrown;
    }
  }

  /**
   * Opens a WebSocket with `dial`, which rejects with a TransportFault where the address is to blame; a second one is
   * dialed where there is no connection. `over` is to be called when it has ended.
   */
  async open<T>(
    request: Pick<UpstreamRequest, 'signal' | 'again' | 'caller'>,
    dial: (address: UpstreamAddress) => Promise<T>,
  ): Promise<{ readonly opened: T; readonly address: UpstreamAddress; readonly over: () => void }> {
    this.#mustBeWorthAsking();
    if (this.#webSockets >= this.#mostWebSockets) {
      throw unavailable('This upstream has as many WebSockets as it may have.', 1000);
    }
    const { caller = null } = request;
    this.#webSocketShares.take(caller);
    this.#webSockets++;
    let counted = true;
    const uncount = (): void => {
      if (!counted) return;
      counted = false;
      this.#webSockets--;
      this.#webSocketShares.give(caller);
    };
    try {
      // What a handshake begins is no safe method's: it is not made twice.
      return await this.#attempts({ ...request, method: 'OPEN', body: null }, async (entry, address) => {
        let opened: T;
        try {
          opened = await dial(address);
        } catch (thrown) {
          entry.failed(thrown);
          throw thrown;
        }
        entry.answered();
        const over = (): void => {
          uncount();
          entry.leave();
        };
        return { opened, address, over };
      });
    } catch (thrown) {
      uncount();
      throw thrown;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.close()));
  }

  async #attempts<T>(
    request: Pick<UpstreamRequest, 'method' | 'body' | 'signal' | 'again'>,
    ask: (entry: Entry, address: UpstreamAddress) => Promise<T>,
  ): Promise<T> {
    this.#budget.earn();
    const first = this.#choose(null);
    if (first === null) throw this.#refusal();
    let fault: TransportFault;
    try {
      return await this.#ask(first, ask);
    } catch (thrown) {
      if (request.signal.aborted || !(thrown instanceof TransportFault))
        throw this.#told(thrown, request.signal);
      fault = thrown;
    }
    const second = isSafeAgain(fault, request) ? this.#choose(first) : null;
    const repeats = second !== null && (second !== first || fault.kind === 'closed');
    if (!repeats || !this.#budget.spend()) throw this.#told(fault, request.signal);
    request.again?.(fault.kind);
    try {
      return await this.#ask(second, ask);
    } catch (thrown) {
      throw this.#told(thrown, request.signal);
    }
  }

  async #ask<T>(endpoint: Endpoint, ask: (entry: Entry, address: UpstreamAddress) => Promise<T>): Promise<T> {
    const entry = endpoint.enter();
    try {
      return await ask(entry, endpoint.address);
    } catch (thrown) {
      entry.failed(thrown);
      throw thrown;
    }
  }

  /** Null where no address may be asked. From here to `enter` nothing waits, so that one probe is one probe. */
  #choose(tried: Endpoint | null): Endpoint | null {
    let best: Endpoint | null = null;
    this.#turn++;
    for (let i = 0; i < this.#endpoints.length; i++) {
      const one = this.#endpoints[(i + this.#turn) % this.#endpoints.length];
      if (one === undefined || one.wait() > 0) continue;
      if (best === null || precedes(one, best, tried)) best = one;
    }
    return best;
  }

  #mustBeWorthAsking(): void {
    if (this.#endpoints.every((endpoint) => endpoint.wait() > 0)) throw this.#refusal();
  }

  #refusal(): LockstepError {
    const wait = Math.min(...this.#endpoints.map((endpoint) => endpoint.wait()));
    return unavailable(`${this.#called} does not answer at the moment; it was not asked again.`, wait);
  }

  #told(thrown: unknown, signal: AbortSignal): unknown {
    if (isLockstepError(thrown)) return thrown;
    if (!(thrown instanceof TransportFault)) return signal.aborted ? this.#unreachable(thrown) : thrown;
    const late = thrown.kind === 'timeout' || thrown.kind === 'connect-timeout';
    if (!late) return this.#unreachable(thrown);
    return new LockstepError({
      code: 'upstream_timeout',
      publicMessage: `${this.#called} did not answer in time.`,
      internalMessage: `the upstream did not answer in time: ${thrown.message}`,
      cause: thrown,
    });
  }

  #unreachable(thrown: unknown): LockstepError {
    return new LockstepError({
      code: 'upstream_unreachable',
      publicMessage: `${this.#called} cannot be reached.`,
      internalMessage: `the upstream did not answer: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      cause: thrown,
    });
  }
}

function precedes(one: Endpoint, other: Endpoint, tried: Endpoint | null): boolean {
  if ((one === tried) !== (other === tried)) return other === tried;
  if (one.isAvoided !== other.isAvoided) return other.isAvoided;
  return one.outstanding < other.outstanding;
}

function isSafeAgain(
  fault: TransportFault,
  { method, body }: Pick<UpstreamRequest, 'method' | 'body'>,
): boolean {
  // What was taken of it is gone, though the upstream says that it has not looked at it (RFC 9113 §8.7).
  if (body instanceof Readable && (body.readableDidRead || body.readableEnded)) return false;
  if (!fault.sent) return !isOfRequest(fault);
  const isSafe = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
  return fault.kind === 'closed' && isSafe && body === null;
}

function unavailable(publicMessage: string, waitMilliseconds: number): LockstepError {
  return new LockstepError({
    code: 'upstream_unavailable',
    publicMessage,
    details: { retryAfterSeconds: Math.max(1, Math.ceil(waitMilliseconds / 1000)) },
  });
}
