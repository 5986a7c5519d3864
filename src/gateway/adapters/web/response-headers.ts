import type { UpstreamAddress } from '../../upstream/address.ts';
import type { TransportResponse } from '../../upstream/transport.ts';
import { cookieForBrowser, type CookieRealm } from './cookies.ts';
import { connectionNames } from './request-headers.ts';

/** Hop-by-hop, ours, and what reaches beyond the answer: other origins, other hosts, the browser's whole state. */
const dropped = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'alt-svc',
  'strict-transport-security',
  'public-key-pins',
  'refresh',
  'x-request-id',
  // A script that somebody put into one folder of the upstream would see the sign-in beneath `/.lockstep`.
  'service-worker-allowed',
]);
/** On the common host also these: there they would speak for other surfaces. */
const droppedUnderPath = new Set(['clear-site-data', 'set-login', 'nel', 'report-to']);

export interface ResponseRealm {
  readonly address: UpstreamAddress;
  /** `https://host:port` as the client addressed us. */
  readonly publicOrigin: string;
  /** Public path of the upstream; empty on a host of its own. */
  readonly pathPrefix: string;
  readonly cookies: CookieRealm;
}

/** The upstream's response headers as the caller may see them. */
export function responseHeaders(
  upstream: TransportResponse['headers'],
  realm: ResponseRealm,
): Record<string, string | readonly string[]> {
  const underPath = realm.pathPrefix !== '';
  const named = connectionNames(firstOf(upstream['connection']));
  const out: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(upstream)) {
    if (value === undefined || named.has(name) || !isForCaller(name)) continue;
    if (underPath && (droppedUnderPath.has(name) || name.startsWith('access-control-'))) continue;
    if (name === 'set-cookie') {
      const cookies = listOf(value)
        .map((text) => cookieForBrowser(text, realm.cookies))
        .filter((text) => text !== null);
      if (cookies.length > 0) out[name] = cookies;
    } else if (name === 'location' || name === 'content-location') {
      out[name] = publicLocation(firstOf(value) ?? '', realm);
    } else out[name] = value;
  }
  if (underPath) {
    // A page of the upstream must not act with the common host's origin.
    out['content-security-policy'] = [...listOf(out['content-security-policy']), 'sandbox'];
  }
  return out;
}

/** Whether a field of the upstream's, by its lower-case name, is the caller's business at all. */
export function isForCaller(name: string): boolean {
  return !dropped.has(name) && !name.startsWith('x-lockstep');
}

/** The same of the answer that opens a WebSocket: there is no document that the others could speak of. */
export function handshakeHeaders(
  upstream: TransportResponse['headers'],
  realm: ResponseRealm,
): Record<string, string | readonly string[]> {
  return Object.fromEntries(
    Object.entries(responseHeaders(upstream, realm)).filter(
      ([name]) => name === 'set-cookie' || (name.startsWith('x-') && name !== 'x-request-id'),
    ),
  );
}

/** A place at the upstream's own origin, as it is seen from outside; any other place unchanged. */
export function publicLocation(location: string, realm: ResponseRealm): string {
  const { address, pathPrefix, publicOrigin } = realm;
  const absolute = /^[a-z][a-z0-9+.-]*:|^[/\\]{2}/i.test(location);
  if (!absolute && !location.startsWith('/')) return location;
  let target: URL;
  try {
    target = new URL(location, address.origin);
  } catch {
    return location;
  }
  if (target.origin !== address.origin) return location;
  const { basePath } = address;
  const beneath = target.pathname === basePath || target.pathname.startsWith(`${basePath}/`);
  if (!beneath) return location;
  const path = `${pathPrefix}${target.pathname.slice(basePath.length)}${target.search}${target.hash}`;
  // A path that begins like the name of another host would be taken for that.
  return absolute || /^[/\\]{2}/.test(path) ? publicOrigin + path : path;
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}
