import { advised } from './connect-advice.ts';
import type { Clock } from '../../lib/clock.ts';
import type { UpstreamAddress } from './address.ts';
import { Breaker, type Pass } from './breaker.ts';
import { HealthCheck } from './health-check.ts';
import { openTransport } from './open-transport.ts';
import type { UpstreamSettings } from './settings.ts';
import {
  TransportFault,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts';

/** What is known of an address; `lastError` is that of the last failure, of which `failures` came in a row. */
export type EndpointState =
  /** Nobody has answered there, and nobody failed to. */
  | { readonly kind: 'not-tried' }
  /** Whoever was asked last has answered. */
  | { readonly kind: 'up' }
  /** Still asked. `limit`: so many failures and it is not; null for those that do not count to that. */
  | {
      readonly kind: 'failing';
      readonly failures: number;
      readonly limit: number | null;
      readonly lastError: string;
    }
  /** Not asked until `askedAgainAt`, milliseconds since the epoch; null: the next request is the one that asks. */
  | { readonly kind: 'down'; readonly askedAgainAt: number | null; readonly lastError: string }
  /** It was down, and one request is on its way to find out whether it still is. */
  | { readonly kind: 'probing'; readonly lastError: string }
  /** Its health check fails: nothing else asks it until that passes. */
  | { readonly kind: 'unhealthy'; readonly lastError: string };

export interface EndpointView {
  /** `http(s)://host:port`. */
  readonly address: string;
  readonly state: EndpointState;
  /** Since when, in milliseconds since the epoch; a probe does not interrupt `down`. */
  readonly since: number;
  /** Requests and WebSockets under way. */
  readonly outstanding: number;
}

export interface EndpointOptions {
  readonly address: UpstreamAddress;
  readonly settings: UpstreamSettings;
  /** Of the health check, Host included. */
  readonly healthHeaders: readonly string[];
  readonly clock: Clock;
  /** Told when it begins to fail, when it is no longer used, and when it is used again. */
  readonly changed: (view: EndpointView) => void;
}

/** Whether requests are sent there. */
export function isUsed({ kind }: Pick<EndpointState, 'kind'>): boolean {
  return kind === 'not-tried' || kind === 'up' || kind === 'failing';
}

/** Null where it says of no failure. */
export function lastErrorOf(state: EndpointState): string | null {
  return 'lastError' in state ? state.lastError : null;
}

/** So many connections in a row that were closed without an answer, and the other addresses are asked first. */
const closings = 3;
const avoidedMilliseconds = 10_000;
/** An address that fails now and then is told of so often at most. */
const toldAgainMilliseconds = 60_000;

/** One address of an upstream: what it is spoken to by, and whether it is worth asking. */
export class Endpoint {
  readonly address: UpstreamAddress;
  readonly #options: EndpointOptions;
  /** Opened when it is first needed: of ten thousand connections, few are asked for anything. */
  #transport: Transport | null = null;
  #isClosed = false;
  readonly #breaker: Breaker;
  readonly #check: HealthCheck | null;
  #outstanding = 0;
  #closings = 0;
  #avoidedUntil = Number.NEGATIVE_INFINITY;
  /** Whether a request was ever answered. */
  #answered = false;
  #lastError = '';
  #toldOfFailing = Number.NEGATIVE_INFINITY;
  #noted: EndpointState['kind'] = 'not-tried';
  #since: number;

  constructor(options: EndpointOptions) {
    const { address, settings, clock } = options;
    this.address = address;
    this.#options = options;
    this.#breaker = new Breaker(settings.circuit, clock);
    this.#since = clock.now();
    this.#check =
      settings.health === null
        ? null
        : new HealthCheck({
            transport: this.#open(),
            path: address.basePath + settings.health.path,
            headers: options.healthHeaders,
            settings: settings.health,
            checked: () => this.#note(),
          });
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  /** Whether others are to be asked first: it closes connections instead of answering. */
  get isAvoided(): boolean {
    return this.#options.clock.elapsed() < this.#avoidedUntil;
  }

  get view(): EndpointView {
    return {
      address: this.address.origin,
      state: this.#state,
      since: this.#since,
      outstanding: this.#outstanding,
    };
  }

  get #state(): EndpointState {
    const lastError = this.#lastError;
    const { circuit, health } = this.#options.settings;
    if (this.#check?.isHealthy === false) {
      return { kind: 'unhealthy', lastError: this.#check.lastError ?? '' };
    }
    if (this.#breaker.state !== 'closed') {
      if (this.#breaker.isProbing) return { kind: 'probing', lastError };
      const wait = this.#breaker.wait();
      return { kind: 'down', askedAgainAt: wait === 0 ? null : this.#options.clock.now() + wait, lastError };
    }
    if (this.#breaker.failures > 0) {
      return { kind: 'failing', failures: this.#breaker.failures, limit: circuit.failures, lastError };
    }
    if (this.#closings > 0) return { kind: 'failing', failures: this.#closings, limit: null, lastError };
    if (this.#check !== null && this.#check.failures > 0) {
      const { failures, lastError: why } = this.#check;
      return { kind: 'failing', failures, limit: health?.failures ?? null, lastError: why ?? '' };
    }
    return { kind: this.#answered || this.#check?.hasPassed === true ? 'up' : 'not-tried' };
  }

  /** Milliseconds until it may be asked; 0 where it may at once. */
  wait(): number {
    const { health } = this.#options.settings;
    if (this.#check?.isHealthy === false && health !== null) return health.intervalMilliseconds;
    return this.#breaker.wait();
  }

  /** Only while `wait` is 0. */
  enter(): Entry {
    const transport = this.#open();
    this.#outstanding++;
    return new Entry(this.#breaker.enter(), {
      transport,
      statuses: this.#options.settings.circuit.statuses,
      answered: () => {
        this.#answered = true;
        this.#closings = 0;
        this.#avoidedUntil = Number.NEGATIVE_INFINITY;
        this.#breaker.answered();
        this.#note();
      },
      failed: (pass, why) => {
        if (!this.#breaker.failed(pass)) return;
        this.#lastError = why;
        this.#note();
      },
      closed: (pass, why) => {
        this.#breaker.abandoned(pass);
        this.#lastError = why;
        if (++this.#closings >= closings) {
          this.#avoidedUntil = this.#options.clock.elapsed() + avoidedMilliseconds;
        }
        this.#note();
      },
      abandoned: (pass) => this.#breaker.abandoned(pass),
      left: () => {
        this.#outstanding--;
      },
    });
  }

  async close(): Promise<void> {
    this.#check?.stop();
    this.#isClosed = true;
    await this.#transport?.close();
  }

  #open(): Transport {
    if (this.#isClosed) throw new TransportFault('connect', false, 'the connection is closed');
    const { address, settings } = this.#options;
    this.#transport ??= openTransport({
      origin: address.origin,
      protocol: settings.protocol,
      tls: settings.tls,
      timeouts: settings.timeouts,
    });
    return this.#transport;
  }

  #note(): void {
    const { kind } = this.#state;
    const noted = kind === 'probing' ? 'down' : kind;
    if (noted === this.#noted) return;
    const wasUsed = isUsed({ kind: this.#noted });
    this.#noted = noted;
    this.#since = this.#options.clock.now();
    if (isUsed(this.#state) !== wasUsed || this.#beginsToFail()) this.#options.changed(this.view);
  }

  /** Not of connections that are closed without an answer: a server may close one at any time between two requests. */
  #beginsToFail(): boolean {
    const state = this.#state;
    if (state.kind !== 'failing' || state.limit === null) return false;
    const now = this.#options.clock.elapsed();
    if (now - this.#toldOfFailing < toldAgainMilliseconds) return false;
    this.#toldOfFailing = now;
    return true;
  }
}

interface Told {
  readonly transport: Transport;
  readonly statuses: readonly number[];
  answered(): void;
  failed(pass: Pass, why: string): void;
  closed(pass: Pass, why: string): void;
  abandoned(pass: Pass): void;
  left(): void;
}

/** One request, or one WebSocket, at an address; what becomes of it is what is known of the address. */
export class Entry {
  readonly #pass: Pass;
  readonly #told: Told;
  #over = false;

  constructor(pass: Pass, told: Told) {
    this.#pass = pass;
    this.#told = told;
  }

  /** Rejects as the transport does; holds its place until the answer was whole, or its body is closed. */
  async request(request: TransportRequest): Promise<TransportResponse> {
    let response: TransportResponse;
    try {
      response = await this.#told.transport.request(request);
    } catch (thrown) {
      this.failed(thrown);
      throw thrown;
    }
    if (this.#told.statuses.includes(response.statusCode)) {
      this.#told.failed(this.#pass, `it answered ${response.statusCode}`);
    } else this.#told.answered();
    if (response.whole === null) response.body.once('close', () => this.leave());
    else this.leave();
    return response;
  }

  answered(): void {
    this.#told.answered();
  }

  /** Of what is no TransportFault nothing follows. Leaves. */
  failed(thrown: unknown): void {
    if (this.#over) return;
    if (!(thrown instanceof TransportFault) || isOfRequest(thrown)) this.#told.abandoned(this.#pass);
    else if (thrown.kind === 'connect')
      this.#told.failed(this.#pass, `no connection: ${advised(thrown.cause, thrown.message)}`);
    else if (thrown.kind === 'connect-timeout') this.#told.failed(this.#pass, 'no connection in time');
    else if (thrown.kind === 'timeout') this.#told.failed(this.#pass, 'it answered nobody in time');
    else this.#told.closed(this.#pass, advised(thrown.cause, 'it closed the connection without an answer'));
    this.leave();
  }

  leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#told.left();
  }
}

/** Whether it could not be sent as it is, to whatever address: whoever may ask so says nothing about the upstream. */
export function isOfRequest({ kind, sent }: TransportFault): boolean {
  return kind === 'protocol' && !sent;
}
