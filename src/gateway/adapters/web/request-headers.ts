import type { RequestHead } from '../../types.ts';
import { cookiesForUpstream, type CookieRealm } from './cookies.ts';

/** Hop-by-hop (RFC 9110 §7.6.1), framing, and what some server somewhere takes for an identity or an origin. */
const dropped = new Set([
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
  'proxy',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'authorization',
  'cookie',
  'forwarded',
  'via',
  // CGI's own variables (RFC 3875 §4.1): of `SCRIPT_NAME`, gunicorn believes whoever connects, and cuts it off the path.
  'auth-type',
  'gateway-interface',
  'path-info',
  'path-translated',
  'query-string',
  'raw-uri',
  'request-method',
  'request-uri',
  'script-name',
  'x-script-name',
  // Tornado prefers it to `X-Forwarded-Proto`.
  'x-scheme',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'x-user',
  'x-user-id',
  'x-username',
  'x-email',
  'x-groups',
  'kubeflow-userid',
  'kubeflow-groups',
  'user-groups',
]);
const droppedPrefixes = [
  // Of each hop by itself (RFC 6455 §4); whoever opens the next one says its own.
  'sec-websocket-',
  'x-lockstep',
  'x-forwarded',
  'x-original',
  'x-rewrite',
  'x-http-method',
  'x-method-override',
  'x-middleware',
  'x-envoy',
  'x-auth',
  'x-remote',
  'remote-',
  'x-webauth',
  'x-ms-client-principal',
  'x-ms-token',
  'x-ms-authorization',
  'x-goog-authenticated',
  'x-goog-iap',
  'x-amzn-oidc',
  'x-pomerium',
  'x-authentik',
  'cf-access',
  'tailscale-',
  'impersonate-',
  'x-ssl',
  'ssl-client',
  'x-client-cert',
];

export interface Injected {
  /** The connection's own: its credential, who calls. They take the place of any header of their names. */
  readonly own: readonly (readonly [name: string, value: string])[];
  /** Null for none. */
  readonly assertion: string | null;
  /** Host of the upstream. */
  readonly authority: string;
  /** Public path under which the upstream is seen; empty on a host of its own. */
  readonly pathPrefix: string;
  readonly cookies: CookieRealm;
  /** In place of the caller's Origin, which was found to be ours; undefined leaves it. */
  readonly origin?: string;
}

/**
 * The header list for the upstream: what the caller sent without its credentials, without anything that could pass for
 * an identity or for ours in any spelling, and then what Lockstep itself says. Ours come last and nothing removes them:
 * the caller's Connection header only ever takes from the caller's own.
 */
export function requestHeaders(head: RequestHead, injected: Injected): string[] {
  const named = connectionNames(head.headers.connection);
  const ownNames = new Set(injected.own.map(([name]) => canonicalName(name)));
  const out: string[] = ['host', injected.authority];
  for (const [name, value] of Object.entries(head.headers)) {
    if (value === undefined) continue;
    const spelling = canonicalName(name);
    if (!isForUpstream(spelling) || named.has(spelling) || ownNames.has(spelling)) continue;
    // Only the true spelling frames the body.
    if (spelling === 'content-length' && name !== 'content-length') continue;
    if (spelling === 'origin' && injected.origin !== undefined) continue;
    for (const one of typeof value === 'string' ? [value] : value) out.push(name, one);
  }
  if (head.headers.cookie !== undefined) {
    const cookies = cookiesForUpstream(head.headers.cookie, injected.cookies);
    if (cookies !== null) out.push('cookie', cookies);
  }
  if (injected.origin !== undefined && head.headers.origin !== undefined) out.push('origin', injected.origin);
  out.push('x-forwarded-for', head.remoteAddress);
  out.push('x-forwarded-host', head.authority);
  out.push('x-forwarded-proto', 'https');
  if (injected.pathPrefix !== '') out.push('x-forwarded-prefix', injected.pathPrefix);
  out.push('x-request-id', head.id);
  if (injected.assertion !== null) out.push('x-lockstep-assertion', injected.assertion);
  for (const [name, value] of injected.own) out.push(name, value);
  return out;
}

/** CGI, WSGI and others map a header's every other character to `_`: names that become one there are one here. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-');
}

/** Whether a field of the caller's, by its canonical name, is the upstream's business at all. */
export function isForUpstream(spelling: string): boolean {
  return (
    !dropped.has(spelling) &&
    spelling !== 'x-request-id' &&
    !droppedPrefixes.some((prefix) => spelling.startsWith(prefix))
  );
}

/** What a Connection header names, except the framing of the body. */
export function connectionNames(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined) return none;
  const names = connection.split(',').map((token) => canonicalName(token.trim()));
  return new Set(names.filter((name) => name !== 'content-length' && name !== 'content-type'));
}

const none: ReadonlySet<string> = new Set();
