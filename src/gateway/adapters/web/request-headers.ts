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
  /** The upstream's own credential; takes the place of any header of that name. */
  readonly credential: { readonly header: string; readonly value: string } | null;
  readonly assertion: string;
  /** Host of the upstream. */
  readonly authority: string;
  /** Public path under which the upstream is seen; empty on a host of its own. */
  readonly pathPrefix: string;
  readonly cookies: CookieRealm;
}

/**
 * The header list for the upstream: what the caller sent without its credentials, without anything that could pass for
 * an identity or for ours in any spelling, and then what Lockstep itself says. Ours come last and nothing removes them:
 * the caller's Connection header only ever takes from the caller's own.
 */
export function requestHeaders(head: RequestHead, injected: Injected): string[] {
  const named = connectionNames(head.headers.connection);
  const credentialName = injected.credential === null ? null : canonical(injected.credential.header);
  const out: string[] = ['host', injected.authority];
  for (const [name, value] of Object.entries(head.headers)) {
    if (value === undefined) continue;
    const spelling = canonical(name);
    if (isDropped(spelling) || named.has(spelling) || spelling === credentialName) continue;
    // Only the true spelling frames the body.
    if (spelling === 'content-length' && name !== 'content-length') continue;
    for (const one of typeof value === 'string' ? [value] : value) out.push(name, one);
  }
  if (head.headers.cookie !== undefined) {
    const cookies = cookiesForUpstream(head.headers.cookie, injected.cookies);
    if (cookies !== null) out.push('cookie', cookies);
  }
  out.push('x-forwarded-for', head.remoteAddress);
  out.push('x-forwarded-host', head.authority);
  out.push('x-forwarded-proto', 'https');
  if (injected.pathPrefix !== '') out.push('x-forwarded-prefix', injected.pathPrefix);
  out.push('x-request-id', head.id);
  out.push('x-lockstep-assertion', injected.assertion);
  if (injected.credential !== null) out.push(injected.credential.header, injected.credential.value);
  return out;
}

/** CGI, WSGI and others map a header's every other character to `_`: names that become one there are one here. */
function canonical(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-');
}

function isDropped(spelling: string): boolean {
  return (
    dropped.has(spelling) ||
    spelling === 'x-request-id' ||
    droppedPrefixes.some((prefix) => spelling.startsWith(prefix))
  );
}

/** What a Connection header names, except the framing of the body. */
export function connectionNames(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined) return none;
  const names = connection.split(',').map((token) => canonical(token.trim()));
  return new Set(names.filter((name) => name !== 'content-length' && name !== 'content-type'));
}

const none: ReadonlySet<string> = new Set();
