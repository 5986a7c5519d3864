import type { JsonObject } from '../../../lib/canonical-json.ts';
import type { Clock } from '../../../lib/clock.ts';
import { failure } from '../../../lib/errors.ts';
import { normalizeScope } from '../../../policy/scope.ts';
import { Upstream, upstreamAddress } from '../../forward.ts';
import { renderJsonError } from '../../generic-surface.ts';
import type { HostRule } from '../../host-rule.ts';
import type { Described, Exchange, Reply, RequestHead, Surface } from '../../types.ts';
import { assertionClaims } from './assertion.ts';
import type { CookieRealm } from './cookies.ts';
import { requestHeaders } from './request-headers.ts';
import { responseHeaders } from './response-headers.ts';
import { compileRules, type WebRule } from './rules.ts';

/** A protected upstream, its secret already read. */
export interface WebConnection {
  /** A DNS label. */
  readonly name: string;
  readonly upstream: string;
  readonly scope: string;
  readonly rules: readonly WebRule[];
  readonly credential?: { readonly header: string; readonly value: string };
}

export interface WebOptions {
  /** On these names the connection is at `/connections/{name}/…`; beneath the base domain it has a host of its own. */
  readonly hosts: HostRule;
  /** Token audiences besides `api://lockstep/connections/{name}`. */
  readonly audiences?: readonly string[];
  /** Issuer of the identity assertion. */
  readonly issuer: string;
  /** Signs the claims of an assertion as a compact JWS with `typ` `lockstep-assertion+jwt`. */
  sign(claims: JsonObject): Promise<string>;
  readonly clock: Clock;
  /** Largest request body. Default 5 TiB: a body is streamed, not held. */
  readonly maxBodyBytes?: number;
}

export interface WebSurface extends Surface {
  close(): Promise<void>;
}

/** How the request addresses the connection; `path` is what is decided on and, byte for byte, what is forwarded. */
interface Place {
  readonly path: string;
  readonly pathPrefix: string;
}

/**
 * A protected upstream that speaks HTTP. Every method and path needs a rule that names its operation. The upstream
 * gets its own credential and a signed statement of who is calling, never the caller's credentials.
 * Throws at once for an address, scope or rule that is not well formed.
 */
export function webSurface(connection: WebConnection, options: WebOptions): WebSurface {
  const { name, credential = null } = connection;
  if (!/^[a-z][a-z0-9-]{0,40}$/.test(name))
    throw new Error(`connection ${name}: the name is not a DNS label`);
  const scope = normalizeScope(connection.scope);
  if (scope === null) throw new Error(`connection ${name}: ${connection.scope} is not a scope`);
  const upstream = new Upstream(upstreamAddress(connection.upstream));
  const { address } = upstream;
  const findRule = compileRules(connection.rules);
  const ownHost = `${name}.${options.hosts.baseDomain}`;
  const prefix = `/connections/${name}`;
  const maxBytes = options.maxBodyBytes ?? 5_497_558_138_880;

  const placeOf = (head: RequestHead): Place | null => {
    if (head.host === ownHost) return { path: head.path, pathPrefix: '' };
    if (!options.hosts.names.includes(head.host)) return null;
    if (!head.path.startsWith(`${prefix}/`)) return null;
    return { path: head.path.slice(prefix.length), pathPrefix: prefix };
  };

  const serve = async (exchange: Exchange, place: Place): Promise<Reply> => {
    const { head, caller } = exchange;
    if (caller === null) throw failure('authentication_required', 'Sign in, or send a bearer token.');
    const target = head.rawQuery === '' ? place.path : `${place.path}?${head.rawQuery}`;
    const cookies: CookieRealm =
      place.pathPrefix === ''
        ? { namePrefix: '', path: null }
        : { namePrefix: `up-${name}.`, path: `${prefix}/` };
    const claims = assertionClaims(
      exchange,
      caller,
      {
        issuer: options.issuer,
        audience: name,
        host: address.authority,
        target: address.basePath + target,
      },
      options.clock,
    );
    const headers = requestHeaders(head, {
      credential,
      assertion: await options.sign(claims),
      authority: address.authority,
      pathPrefix: place.pathPrefix,
      cookies,
    });
    exchange.signal.throwIfAborted();
    const answer = await upstream.send(exchange, target, headers);
    const bodiless = head.method === 'HEAD' || answer.statusCode === 204 || answer.statusCode === 304;
    if (bodiless) await answer.body.dump();
    return {
      status: answer.statusCode,
      headers: responseHeaders(answer.headers, {
        address,
        publicOrigin: head.origin,
        pathPrefix: place.pathPrefix,
        cookies,
      }),
      ...(bodiless ? {} : { body: answer.body }),
    };
  };

  return {
    name: `web:${name}`,
    matches: (head) => placeOf(head) !== null,
    audiences: [`api://lockstep/connections/${name}`, ...(options.audiences ?? [])],
    acceptsSessionCookie: false,
    describe: (head): Described | null => {
      const place = placeOf(head);
      const rule = place === null ? null : findRule(head.method, place.path);
      if (place === null || rule === null) return null;
      const reads = head.method === 'GET' || head.method === 'HEAD' || head.method === 'OPTIONS';
      return {
        operation: rule.action,
        guard: {
          kind: 'action',
          access: { action: rule.action, dataAction: rule.dataAction ?? false, scope },
        },
        effect: reads ? 'read' : 'change',
        body: reads ? { kind: 'none' } : { kind: 'streamed', maxBytes },
        serve: (exchange) => serve(exchange, place),
      };
    },
    renderError: renderJsonError,
    close: () => upstream.close(),
  };
}
