import type { Clock } from '../../lib/clock.ts';
import type { UpstreamAddress } from './address.ts';
import { Breaker, type BreakerState, type Pass } from './breaker.ts';
import { HealthCheck } from './health-check.ts';
import { openTransport } from './open-transport.ts';
import type { UpstreamSettings } from './settings.ts';
import {
  TransportFault,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts';

/** `failing`: by its health check; else as the breaker has it. */
export type EndpointState = BreakerState | 'failing';

export interface EndpointView {
  /** `http(s)://host:port`. */
  readonly address: string;
  readonly state: EndpointState;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Why it is not `closed`; null while it is. */
  readonly why: string | null;
  /** Requests and WebSockets under way. */
  readonly outstanding: number;
}

export interface EndpointOptions {
  readonly address: UpstreamAddress;
  readonly settings: UpstreamSettings;
  /** Of the health check, Host included. */
  readonly healthHeaders: readonly string[];
  readonly clock: Clock;
  /** Told when the address is no longer used, or used again. */
  readonly changed: (view: EndpointView) => void;
}

/** So many connections in a row that were closed without an answer, and the other addresses are asked first. */
const closings = 3;
const avoidedMilliseconds = 10_000;

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
  /** Why its health check fails; null while it does not. */
  #failing: string | null = null;
  #told: EndpointState = 'closed';
  #since: number;
  #why: string | null = null;

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
            changed: (_healthy, why) => {
              this.#failing = why;
              this.#tell(why);
            },
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
    const state = this.#failing === null ? this.#breaker.state : 'failing';
    return {
      address: this.address.origin,
      state,
      since: this.#since,
      why: state === 'closed' ? null : this.#why,
      outstanding: this.#outstanding,
    };
  }

  /** Milliseconds until it may be asked; 0 for now. */
  wait(): number {
    const { health } = this.#options.settings;
    if (this.#failing !== null && health !== null) return health.intervalMilliseconds;
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
        this.#closings = 0;
        this.#avoidedUntil = Number.NEGATIVE_INFINITY;
        this.#breaker.answered();
        this.#tell(null);
      },
      failed: (pass, why) => {
        this.#breaker.failed(pass);
        this.#tell(why);
      },
      closed: (pass) => {
        this.#breaker.abandoned(pass);
        if (++this.#closings >= closings) {
          this.#avoidedUntil = this.#options.clock.elapsed() + avoidedMilliseconds;
        }
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

  /** Half open is still not in use. */
  #tell(why: string | null): void {
    if (why !== null) this.#why = why;
    const { state } = this.view;
    const told = state === 'half-open' ? 'open' : state;
    if (told === this.#told) return;
    this.#told = told;
    this.#since = this.#options.clock.now();
    this.#options.changed(this.view);
  }
}

interface Told {
  readonly transport: Transport;
  readonly statuses: readonly number[];
  answered(): void;
  failed(pass: Pass, why: string): void;
  closed(pass: Pass): void;
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
    else if (thrown.kind === 'connect') this.#told.failed(this.#pass, `no connection: ${thrown.message}`);
    else if (thrown.kind === 'connect-timeout') this.#told.failed(this.#pass, 'no connection in time');
    else if (thrown.kind === 'timeout') this.#told.failed(this.#pass, 'it answered nobody in time');
    else this.#told.closed(this.#pass);
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
