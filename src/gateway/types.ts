import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { ZodType } from 'zod';
import type { Caller } from '../identity/caller.ts';
import type { LockstepError } from '../lib/errors.ts';
import type { RequestId } from '../lib/ids.ts';
import type { Access, Decision } from '../policy/types.ts';
import type { Attribution } from '../store/changes.ts';
import type { Admit } from './web-socket/admit.ts';
import type { UpstreamWebSocket } from './web-socket/dial.ts';

/** The head of a request after the edge has checked it; `path` is byte for byte what would be forwarded. */
export interface RequestHead {
  readonly id: RequestId;
  readonly method: string;
  /** Host header without port, lower case. */
  readonly host: string;
  /** Host header as sent (with port), lower case. */
  readonly authority: string;
  /** Raw path, still percent-encoded, without query: in the one normal form that the edge admits. */
  readonly path: string;
  /** Raw query without `?`; empty when there is none. */
  readonly rawQuery: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** `headers` of a call of gRPC with the values of one name apart, for who passes it on. */
  readonly callHeaders?: IncomingHttpHeaders | undefined;
  readonly remoteAddress: string;
  /** `https://host:port` as the client addressed us. */
  readonly origin: string;
  /** What the connection is to become, where the request asks for that: the edge has checked its handshake. */
  readonly upgrade: 'websocket' | null;
  /** Whether a body comes behind it: one that is not known to be empty. */
  readonly hasBody: boolean;
}

/** How a request is let in. A route cannot exist without one. */
export type Guard =
  | {
      readonly kind: 'action';
      readonly access: Access;
      /**
       * The same access with the attributes that only the body tells. The route's body must be buffered, and is then
       * bounded to 64 KiB; it is read only for a caller who is recognised and live, and before the one decision.
       * What it throws (`invalid_json`, `invalid_request`, …) is the answer in place of `serve`, if `access` as it
       * stands is allowed; so `serve` never sees a body whose attributes were not decided on.
       */
      accessFromBody?(bytes: Buffer): Access;
      /**
       * The same action where it really lies, at `access.scope` or beneath it, where only the body, the upstream or who
       * asks can tell. A buffered body is then bounded to 4 MiB. It is asked for a caller who is recognised and live, and
       * before the one decision, between which and the answer nothing waits. A fault of the caller's that it throws (4xx)
       * is the answer if `access` as it stands is allowed; any other fault, and `too_many_requests`, is a deny that keeps
       * the fault's status, so that a client comes again.
       */
      locate?(bytes: Buffer, signal: AbortSignal, caller: Caller): Promise<Access>;
    }
  /** Whoever is authenticated, on what is their own; `rule` names it in every decision. */
  | { readonly kind: 'authenticated'; readonly rule: string; readonly scope: string }
  /** Anyone; a credential that is present is ignored, never trusted. */
  | { readonly kind: 'public'; readonly rule: string; readonly scope: string };

export type BodyRule =
  | { readonly kind: 'none' }
  /** Read whole before `serve`; refused with 413 beyond `maxBytes`, 415 for another media type. */
  | { readonly kind: 'buffered'; readonly maxBytes: number; readonly mediaTypes: readonly string[] }
  /** Handed to `serve` as a stream with backpressure; the total is cut at `maxBytes`. */
  | {
      readonly kind: 'streamed';
      readonly maxBytes: number;
      /** Whether it may stand still for any time, as the messages of a call may. */
      readonly mayPause?: boolean;
    };

/** What a surface says of one request. */
export interface Described {
  /** Operation name for the ledger; the guard's action where there is one. */
  readonly operation: string;
  readonly guard: Guard;
  /** A change is recorded before it is served; a read before its response head leaves. */
  readonly effect: 'read' | 'change';
  readonly body: BodyRule;
  /** Set where a request that asks for an upgrade is what was described. Without it, such a request is denied. */
  readonly upgrade?: 'websocket';
  serve(exchange: Exchange): Promise<Reply>;
}

export interface Exchange {
  readonly head: RequestHead;
  /** Null only under a public guard. */
  readonly caller: Caller | null;
  readonly decision: Decision;
  /** Ready for Commit and for the ledger. */
  readonly attribution: Attribution;
  /** The buffered body; empty unless the rule is `buffered`. */
  readonly bytes: Buffer;
  /** The body as a stream; empty unless the rule is `streamed`. */
  readonly stream: Readable;
  /** The buffered body as JSON through a schema. Throws `invalid_json` or `invalid_request` naming the member. */
  json<T>(schema: ZodType<T>): T;
  /** The buffered body as a form. Throws `invalid_request` for a repeated field (RFC 6749 §3.1). */
  form(): ReadonlyMap<string, string>;
  /** Fields behind the body, once `stream` has ended. */
  trailers(): Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Tells the caller of links to expect (103), if the answer has not begun when the record is durable. */
  hint(hints: Readonly<Record<string, string | readonly string[]>>): void;
  /** Aborted when the client goes, the session is cut, or the process drains out. */
  readonly signal: AbortSignal;
  /** Another decision within the same request (batch, copy source); recorded with it. Never throws for a deny. */
  decideAlso(access: Access): Promise<Decision>;
  /**
   * What a list may show: a decision on each thing that it could hold, in order, and one record of them all, so that
   * looking at many things costs the ledger no more than looking at one. For lists, and for what a caller is told that they
   * could do: what is *done* is decided with `decideAlso`. Never throws for a deny. `told` says how many, from the first
   * on, the caller learns of, where that is not all: what is behind those is not recorded.
   */
  decideEach(
    accesses: readonly Access[],
    told?: (decisions: readonly Decision[]) => number,
  ): Promise<readonly Decision[]>;
  /** Says that the upstream was asked a second time, and what became of the first: it is recorded with the end. */
  sentAgain(why: string): void;
  /**
   * Says that all that was decided for is done, and what is left is to tell of it: a change that ends the very right by
   * which it was made is then answered, not cut. To be called within the transaction, as the last thing.
   */
  conclude(): void;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array | Readable;
  /** Fields behind the body, asked for when it has ended; of a protocol that needs them they are always sent. */
  readonly trailers?: () => Readonly<Record<string, string | readonly string[]>>;
  /** In answer to an upgrade, with status 101 and without a body: the client is joined to it. */
  readonly upstream?: UpstreamWebSocket;
  /** With `upstream`: which messages of the client it gets. Absent: all of them. */
  readonly admit?: Admit;
}

/**
 * One public face of Lockstep: a protocol, its routes, its error dialect.
 * Local services and proxied upstreams are both surfaces, so both pass through the same pipeline.
 */
export interface Surface {
  /** Short, stable: `arm`, `entra`, `blob`, `web:grafana`. */
  readonly name: string;
  /** The first surface that matches takes the request; several may share a host. */
  matches(head: RequestHead): boolean;
  /** All that it can match: requests to this host, and those beneath this path of two segments. Absent: it may be any. */
  readonly at?: { readonly host: string; readonly pathPrefix: string };
  /** Token audiences accepted here (exact strings). */
  readonly audiences: readonly string[];
  /** Whether a browser session cookie is a credential here (with CSRF defence), besides bearer tokens. */
  readonly acceptsSessionCookie: boolean;
  /** The connection whose own sign-in cookie is a credential of this request; null, or absent, for none. */
  cookieConnection?(head: RequestHead): string | null;
  /** What its clients write for `Bearer`, lower case: a token under these is one of Lockstep's all the same. */
  readonly bearerSchemes?: readonly string[];
  /** Whether names in its paths may hold `%2F`; the pipeline refuses it everywhere else. */
  readonly admitsEncodedSlash?: boolean;
  /** Whether `//` may stand in its paths, which it reads as one slash; the pipeline refuses it everywhere else. */
  readonly admitsEmptySegments?: boolean;
  /** Null: the route is unknown, which is a deny. May throw `invalid_path` and the like. */
  describe(head: RequestHead): Described | null;
  /** What a caller who is recognised and live is told of a request that is not described; null: no more than that. */
  tellUnknown?(head: RequestHead, caller: Caller): string | null;
  /** Every failure, denials included (`error.details.decision` is a Decision then), in this protocol's own words. */
  renderError(error: LockstepError, head: RequestHead): Reply;
}
