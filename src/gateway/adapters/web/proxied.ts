import { Readable } from 'node:stream';
import type { ConnectionTls } from '../../../config/connections.ts';
import type { Caller } from '../../../identity/caller.ts';
import { normalizeScope } from '../../../policy/scope.ts';
import { boundedText } from '../../record/bounded-text.ts';
import type { HostRule } from '../../edge/host-rule.ts';
import { onlyPersonReads } from '../../browser/page-visit.ts';
import { headWith } from '../../edge/checked-head.ts';
import type { Described, Exchange, Reply, RequestHead, Surface } from '../../types.ts';
import { upstreamAddress, type UpstreamAddress } from '../../upstream/address.ts';
import type { EndpointView } from '../../upstream/endpoint.ts';
import { drainBody } from '../../upstream/drain-body.ts';
import { defaultUpstreamSettings, type UpstreamSettings } from '../../upstream/settings.ts';
import type { UpstreamProtocol } from '../../upstream/transport.ts';
import { Upstream, type UpstreamAnswer as Answered, type UpstreamView } from '../../upstream/upstream.ts';
import { dialWebSocket } from '../../web-socket/dial.ts';
import { subprotocols } from '../../web-socket/handshake.ts';
import { leadToSignIn, type SignInAddress } from './browser-sign-in.ts';
import { mayKnowOf, type Knowledge } from './may-know-of.ts';
import type { RefusalPage } from './refusal-page.ts';
import type { CookieRealm } from './cookies.ts';
import { canonicalName } from './request-headers.ts';
import { handshakeHeaders, responseHeaders, type ResponseRealm } from './response-headers.ts';
import { announcedTrailers, hintHeaders, requestTrailers, responseTrailers } from './trailers.ts';
import { queryWithoutTokens, subprotocolsWithoutTokens } from './carried-tokens.ts';
import {
  UpstreamHeaders,
  type ConnectionHeaders,
  type SentOn,
  type StatementOptions,
} from './upstream-headers.ts';

/** A protected upstream, its secret already read. */
export interface ProxiedConnection extends ConnectionHeaders {
  /** One address, or several that do the same. */
  readonly upstream: string | readonly string[];
  readonly scope: string;
  /** Of an https upstream. */
  readonly tls?: ConnectionTls;
  readonly protocol?: UpstreamProtocol;
  /** In place of the defaults. */
  readonly settings?: Omit<UpstreamSettings, 'tls' | 'protocol'>;
}

export interface ProxyOptions extends StatementOptions, Knowledge {
  /** On these names the connection is at `/connections/{name}/…`; beneath the base domain it has a host of its own. */
  readonly hosts: HostRule;
  /** Token audiences besides `api://lockstep/connections/{name}`. */
  readonly audiences?: readonly string[];
  /** Told when an address of the connection begins to fail, is no longer used, or is used again. */
  upstreamChanged?(connection: string, view: EndpointView): void;
  /** Where a browser is sent that has not signed in at a connection's own host; absent: nowhere. */
  readonly signInAddress?: SignInAddress;
  /** What a person's browser is told of a failure; absent: the protocol's own error. */
  readonly refusalPage?: RefusalPage;
  /** Largest request body. Default 5 TiB: a body is streamed, not held. */
  readonly maxBodyBytes?: number;
}

/** An adapter in front of an upstream. */
export interface ProxiedSurface extends Surface {
  /** How the upstream is. */
  upstreamView(): UpstreamView;
  close(): Promise<void>;
}

/** What an adapter says of its protocol: all else of its surface is alike in front of every upstream. */
export interface Dialect extends Pick<Surface, 'bearerSchemes' | 'admitsEncodedSlash'> {
  /** As connections name it: `web`, `mlflow`. */
  readonly kind: string;
  /** As a surface does, of a request that is the connection's. */
  readonly describe: (head: RequestHead, place: Place) => Described | null;
  /** As a surface does; the browser that opens a page may be answered otherwise. */
  readonly renderError: Surface['renderError'];
}

/** How the request addresses the connection; `path` is what is decided on and, byte for byte, what is forwarded. */
export interface Place {
  readonly path: string;
  readonly pathPrefix: string;
}

/** What an adapter puts in place of what the caller sent. */
export interface Substitute {
  /** Query without `?`. */
  readonly rawQuery?: string;
  /** Of the same media type, framed anew. */
  readonly body?: Buffer;
  /** In place of the caller's headers of these names (lower case); undefined takes one away. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** The answer of an upstream, its headers as the caller may see them. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Bytes where it came whole. */
  readonly body: Readable | Buffer;
  /** Whether there is none: the head was all. */
  readonly endsWithHead: boolean;
  /** Fields behind the body, once that has ended. */
  readonly trailers: () => Record<string, string | readonly string[]>;
}

/** On whose account the gateway asks something: what is asked counts to their share of the upstream. */
export interface Asker {
  readonly signal: AbortSignal;
  /** Null for the gateway itself. */
  readonly caller: string | null;
}

export interface OwnQuestion extends Asker {
  readonly json?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether a statement goes with it that it is the gateway that asks, for an upstream that answers nobody without. */
  readonly asserted?: boolean;
}

/**
 * What every adapter in front of an upstream does alike: where a request addresses the connection, and sending it on
 * with the upstream's credential and a signed statement of who is calling, never the caller's credentials.
 * Throws at once for a name, address or scope that is not well formed.
 */
export class Proxied {
  /** Normalized. */
  readonly scope: string;
  readonly maxBodyBytes: number;
  readonly #connection: ProxiedConnection;
  readonly #options: ProxyOptions;
  readonly #headers: UpstreamHeaders;
  readonly #upstream: Upstream;
  readonly #ownHost: string;
  readonly #prefix: string;

  constructor(connection: ProxiedConnection, options: ProxyOptions) {
    const { name } = connection;
    if (!/^[a-z][a-z0-9-]{0,40}$/.test(name))
      throw new Error(`connection ${name}: the name is not a DNS label`);
    const scope = normalizeScope(connection.scope);
    if (scope === null) throw new Error(`connection ${name}: ${connection.scope} is not a scope`);
    this.#connection = connection;
    this.#options = options;
    this.#headers = new UpstreamHeaders(connection, options);
    this.#upstream = new Upstream({
      connection: name,
      addresses: [connection.upstream].flat().map(upstreamAddress),
      settings: {
        ...(connection.settings ?? defaultUpstreamSettings),
        protocol: connection.protocol ?? 'http1',
        tls: connection.tls,
      },
      clock: options.clock,
      healthHeaders: (address) => this.#headers.own(address),
      changed: (view) => options.upstreamChanged?.(name, view),
    });
    this.#ownHost = `${name}.${options.hosts.baseDomain}`;
    this.#prefix = `/connections/${name}`;
    this.scope = scope;
    this.maxBodyBytes = options.maxBodyBytes ?? 5_497_558_138_880;
  }

  /** The whole surface of an adapter that speaks the dialect. */
  surface({ kind, describe, renderError, ...more }: Dialect): ProxiedSurface {
    const { name } = this.#connection;
    return {
      ...more,
      name: `${kind}:${name}`,
      matches: (head) => this.placeOf(head) !== null,
      at: { host: this.#ownHost, pathPrefix: this.#prefix },
      audiences: [`api://lockstep/connections/${name}`, ...(this.#options.audiences ?? [])],
      acceptsSessionCookie: false,
      cookieConnection: (head) => this.#cookieConnection(head),
      describe: (head) => {
        const place = this.placeOf(head);
        return place === null ? null : describe(head, place);
      },
      tellUnknown: (head, caller) => this.#tellUnknown(kind, head, caller),
      renderError: this.#rendering(renderError),
      upstreamView: () => this.#upstream.view,
      close: () => this.close(),
    };
  }

  /** Null for a request that is not this connection's. */
  placeOf(head: RequestHead): Place | null {
    if (head.host === this.#ownHost) return { path: head.path, pathPrefix: '' };
    if (!this.#options.hosts.names.includes(head.host)) return null;
    if (!head.path.startsWith(`${this.#prefix}/`)) return null;
    return { path: head.path.slice(this.#prefix.length), pathPrefix: this.#prefix };
  }

  /** Who holds no role here is not told what the connection is like. */
  #tellUnknown(kind: string, head: RequestHead, caller: Caller): string | null {
    const place = this.placeOf(head);
    if (place === null || !mayKnowOf(this.#options, caller, this.scope)) return null;
    const connection = `connection \`${this.#connection.name}\``;
    const path = boundedText(place.path, 200);
    const asked =
      head.upgrade === null ? `${boundedText(head.method, 20)} ${path}` : `a WebSocket at ${path}`;
    return kind === 'web'
      ? `No rule of ${connection} is for ${asked}.`
      : `No route of ${connection}, which is of the kind ${kind}, is for ${asked}.`;
  }

  /** On its own host a connection has a sign-in of its own; under a path of ours its pages could use everybody's. */
  #cookieConnection(head: RequestHead): string | null {
    const { signInAddress } = this.#options;
    return signInAddress !== undefined && head.host === this.#ownHost ? this.#connection.name : null;
  }

  /** Errors as the adapter renders them, but for the browser that opens a page: it is sent to sign in, or shown one. */
  #rendering(render: Surface['renderError']): Surface['renderError'] {
    const { signInAddress, refusalPage } = this.#options;
    const { name } = this.#connection;
    return (error, head) => {
      const onOwnHost = head.host === this.#ownHost;
      const away = onOwnHost && signInAddress !== undefined;
      const led = away ? leadToSignIn(error, head, name, signInAddress) : null;
      if (led !== null) return led;
      const told = render(error, head);
      if (refusalPage === undefined || !onlyPersonReads(head)) return told;
      return refusalPage({ error, head, status: told.status, connection: { name, onOwnHost } });
    };
  }

  /** Sends the request on and answers with what the upstream answers. Throws as `Upstream` does. */
  async serve(exchange: Exchange, place: Place, substitute: Substitute = {}): Promise<Reply> {
    const { head } = exchange;
    if (head.upgrade !== null) return this.#open(exchange, place, substitute);
    const { status, headers, body, endsWithHead, trailers } = await this.send(exchange, place, substitute);
    const bodiless = endsWithHead || head.method === 'HEAD' || [204, 205, 304].includes(status);
    if (bodiless) {
      if (body instanceof Readable) await drainBody(body);
      return { status, headers };
    }
    return body instanceof Readable ? { status, headers, body, trailers } : { status, headers, body };
  }

  /** Sends the request on, as it came but for what is substituted, for an adapter that reads the answer. */
  async send(exchange: Exchange, place: Place, substitute: Substitute = {}): Promise<UpstreamAnswer> {
    const { callHeaders } = exchange.head;
    const sender =
      callHeaders === undefined ? exchange.head : headWith(exchange.head, { headers: callHeaders });
    const head = withSubstitute(sender, substitute);
    const target = withQuery(place.path, head.rawQuery);
    const sent = this.#sentOn(head, place, target);
    const streamed = exchange.head.hasBody ? exchange.stream : null;
    // Its sender waits to be told that it is wanted, which the upstream is to say.
    const expectsContinue =
      streamed !== null && substitute.body === undefined && exchange.head.headers.expect !== undefined;
    const isChunked =
      streamed !== null && substitute.body === undefined && head.headers['content-length'] === undefined;
    const announced = isChunked ? announcedTrailers(head.headers.trailer, this.#headers.ownNames) : null;
    const answer = await this.#upstream.request({
      method: head.method,
      path: target,
      headersFor: async (address) => {
        const headers = await this.#headers.of(exchange, sent, address);
        return announced === null ? headers : [...headers, 'trailer', announced];
      },
      body: substitute.body ?? streamed,
      signal: exchange.signal,
      caller: exchange.caller?.subject.id ?? null,
      again: (kind) => exchange.sentAgain(kind),
      trailers: substitute.body === undefined ? () => this.#trailersOf(exchange) : undefined,
      ...(expectsContinue && { expectsContinue }),
      hinted: (hints) => exchange.hint(hintHeaders(hints)),
      // A stream of events may have nothing to say for hours; that its connection stands, TCP's keep-alive sees to.
      ...(/\btext\/event-stream\b/i.test(head.headers.accept ?? '') ? { idleMilliseconds: 0 } : {}),
    });
    return {
      status: answer.statusCode,
      headers: responseHeaders(answer.headers, this.#realmOf(head, place, answer.address)),
      body: answer.whole ?? answer.body,
      endsWithHead: answer.endsWithHead,
      trailers: () => responseTrailers(answer.trailers()),
    };
  }

  #trailersOf(exchange: Exchange): string[] {
    return requestTrailers(exchange.trailers(), this.#headers.ownNames);
  }

  /** Asks the upstream something as the gateway, with JSON. Throws as `Upstream` does. */
  async ask(method: 'GET' | 'POST', target: string, question: OwnQuestion): Promise<Answered> {
    const { json = null, headers = {}, asserted = false, signal, caller } = question;
    const body = json === null ? null : Buffer.from(JSON.stringify(json));
    return this.#upstream.request({
      method,
      path: target,
      headersFor: async (address) => [
        ...this.#headers.own(address),
        'accept',
        'application/json',
        ...(body === null ? [] : ['content-type', 'application/json', 'content-length', String(body.length)]),
        ...Object.entries(headers).flat(),
        ...(asserted
          ? ['x-lockstep-assertion', await this.#headers.ownAssertion(method, target, address)]
          : []),
      ],
      body,
      signal,
      caller,
    });
  }

  /** Opens a WebSocket at the upstream. An upstream that will not have one answers as to any other request. */
  async #open(exchange: Exchange, place: Place, substitute: Substitute): Promise<Reply> {
    const { signal } = exchange;
    const head = withSubstitute(exchange.head, substitute);
    const target = withQuery(place.path, queryWithoutTokens(head));
    const sent = this.#sentOn(head, place, target);
    const offered = subprotocols(head.headers['sec-websocket-protocol']);
    const dial = async (address: UpstreamAddress) =>
      dialWebSocket({
        address,
        tls: this.#connection.tls,
        target,
        headers: await this.#headers.of(exchange, sent, address),
        subprotocols: subprotocolsWithoutTokens(offered, head.headers.authorization),
        signal,
      });
    const again = (kind: string) => exchange.sentAgain(kind);
    const caller = exchange.caller?.subject.id ?? null;
    const { opened: dialed, address, over } = await this.#upstream.open({ signal, again, caller }, dial);
    const realm = this.#realmOf(head, place, address);
    if (dialed.kind === 'open') {
      dialed.upstream.webSocket.once('close', over);
      return { status: 101, headers: handshakeHeaders(dialed.headers, realm), upstream: dialed.upstream };
    }
    const { response } = dialed;
    response.once('close', over);
    return {
      status: response.statusCode ?? 502,
      headers: responseHeaders(response.headers, realm),
      body: response,
    };
  }

  close(): Promise<void> {
    return this.#upstream.close();
  }

  #sentOn(head: RequestHead, place: Place, target: string): SentOn {
    return { head, target, pathPrefix: place.pathPrefix, cookies: this.#cookiesOf(place) };
  }

  #realmOf(head: RequestHead, place: Place, address: UpstreamAddress): ResponseRealm {
    return {
      address,
      publicOrigin: head.origin,
      pathPrefix: place.pathPrefix,
      cookies: this.#cookiesOf(place),
    };
  }

  #cookiesOf(place: Place): CookieRealm {
    return place.pathPrefix === ''
      ? { namePrefix: '', path: null }
      : { namePrefix: `up-${this.#connection.name}.`, path: `${this.#prefix}/` };
  }
}

/** On the account of whoever makes the exchange. */
export function askerOf({ caller, signal }: Exchange): Asker {
  return { signal, caller: caller?.subject.id ?? null };
}

function withSubstitute(head: RequestHead, { rawQuery, body, headers = {} }: Substitute): RequestHead {
  const framing =
    body === undefined ? {} : { 'transfer-encoding': undefined, 'content-length': String(body.length) };
  const replaced = new Set([...Object.keys(framing), ...Object.keys(headers)]);
  if (replaced.size === 0 && rawQuery === undefined) return head;
  // In every spelling that an upstream may fold into one.
  const kept = Object.entries(head.headers).filter(([name]) => !replaced.has(canonicalName(name)));
  // What the caller calls hop-by-hop takes nothing of this away.
  const named = head.headers.connection?.split(',') ?? [];
  const connection = {
    connection: named.filter((name) => !replaced.has(canonicalName(name.trim()))).join(','),
  };
  return headWith(head, {
    rawQuery: rawQuery ?? head.rawQuery,
    headers: { ...Object.fromEntries(kept), ...connection, ...framing, ...headers },
  });
}

function withQuery(path: string, rawQuery: string): string {
  return rawQuery === '' ? path : `${path}?${rawQuery}`;
}
