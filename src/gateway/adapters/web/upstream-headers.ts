import type { ConnectionHeader, IdentityFact } from '../../../config/connections.ts';
import type { Caller } from '../../../identity/caller.ts';
import type { JsonObject } from '../../../lib/canonical-json.ts';
import type { Clock } from '../../../lib/clock.ts';
import { failure } from '../../../lib/errors.ts';
import { newRequestId } from '../../../lib/ids.ts';
import type { Exchange, RequestHead } from '../../types.ts';
import type { UpstreamAddress } from '../../upstream/address.ts';
import { assertionClaims, gatewayClaims, type AssertedRequest } from './assertion.ts';
import type { CookieRealm } from './cookies.ts';
import { identityHeaders, type IdentityFacts } from './identity-headers.ts';
import { canonicalName, requestHeaders } from './request-headers.ts';

/** What Lockstep says to an upstream with each request. */
export interface ConnectionHeaders {
  /** A DNS label. */
  readonly name: string;
  readonly credential?: ConnectionHeader;
  /** Of every request besides. */
  readonly headers?: readonly ConnectionHeader[];
  /** What tells the upstream who calls, by name: only for one that nobody else can reach. */
  readonly identityHeaders?: Readonly<Record<string, IdentityFact>>;
  /** Whether each request carries a signed statement of who calls. Default true. */
  readonly assertion?: boolean | undefined;
}

export interface StatementOptions {
  /** Issuer of the identity assertion. */
  readonly issuer: string;
  /** Signs the claims of an assertion as a compact JWS with `typ` `lockstep-assertion+jwt`. */
  sign(claims: JsonObject): Promise<string>;
  readonly clock: Clock;
  /** For connections with identity headers. */
  readonly identityOf?: (caller: Caller) => IdentityFacts;
}

/** A caller's request as it is sent on, to whichever address. */
export interface SentOn {
  readonly head: RequestHead;
  /** Path and query as the upstream will receive them, without its base path. */
  readonly target: string;
  /** Public path under which the upstream is seen; empty on a host of its own. */
  readonly pathPrefix: string;
  readonly cookies: CookieRealm;
}

/** The header lists, names and values in turn, with which an upstream is asked: for a caller, and by the gateway itself. */
export class UpstreamHeaders {
  /** What no caller may say, by canonical names. */
  readonly ownNames: ReadonlySet<string>;
  readonly #connection: ConnectionHeaders;
  readonly #options: StatementOptions;
  readonly #ownPairs: readonly (readonly [name: string, value: string])[];

  constructor(connection: ConnectionHeaders, options: StatementOptions) {
    const { credential, headers = [], identityHeaders = {} } = connection;
    this.#connection = connection;
    this.#options = options;
    this.#ownPairs = [...(credential === undefined ? [] : [credential]), ...headers].map(
      ({ header, value }) => [header, value],
    );
    this.ownNames = new Set(
      [...this.#ownPairs.map(([header]) => header), ...Object.keys(identityHeaders)].map(canonicalName),
    );
  }

  /** Of what is asked for no caller. */
  own({ authority }: UpstreamAddress): string[] {
    return ['host', authority, ...this.#ownPairs.flat()];
  }

  /** A signed statement that it is the gateway that asks. */
  ownAssertion(method: string, target: string, address: UpstreamAddress): Promise<string> {
    const { clock } = this.#options;
    const id = newRequestId(clock.now());
    return this.#options.sign(gatewayClaims(this.#asserted(target, address), method, id, clock));
  }

  /** Of a request that is sent on. Throws `authentication_required` where nobody makes it, and as `identityHeaders` does. */
  async of(exchange: Exchange, sent: SentOn, address: UpstreamAddress): Promise<string[]> {
    const { caller } = exchange;
    if (caller === null) throw failure('authentication_required', 'Sign in, or send a bearer token.');
    const { head, target, pathPrefix, cookies } = sent;
    return requestHeaders(head, {
      own: [...this.#ownPairs, ...this.#identityPairs(caller)],
      assertion: await this.#assertion(exchange, caller, target, address),
      authority: address.authority,
      pathPrefix,
      cookies,
      // The upstream knows itself by another name, and would take ours for a foreign one.
      ...(head.upgrade === null ? {} : { origin: address.origin }),
    });
  }

  async #assertion(
    exchange: Exchange,
    caller: Caller,
    target: string,
    address: UpstreamAddress,
  ): Promise<string | null> {
    if (this.#connection.assertion === false) return null;
    const asserted = this.#asserted(target, address);
    return this.#options.sign(assertionClaims(exchange, caller, asserted, this.#options.clock));
  }

  #asserted(target: string, address: UpstreamAddress): AssertedRequest {
    return {
      issuer: this.#options.issuer,
      audience: this.#connection.name,
      host: address.authority,
      target: address.basePath + target,
    };
  }

  #identityPairs(caller: Caller): [name: string, value: string][] {
    const { identityHeaders: wanted } = this.#connection;
    if (wanted === undefined) return [];
    const { identityOf } = this.#options;
    if (identityOf === undefined) throw new Error('who calls cannot be told here');
    return identityHeaders(wanted, identityOf(caller));
  }
}
