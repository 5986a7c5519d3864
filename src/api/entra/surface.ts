import type {
  BodyRule,
  Described,
  Exchange,
  Guard,
  Reply,
  RequestHead,
  Surface,
} from '../../gateway/types.ts';
import type { Clock } from '../../lib/clock.ts';
import type { PublicJwk } from '../../identity/tokens/key-kind.ts';
import { discoveryDocument, instanceDiscovery, publicJson, type Authority } from './discovery.ts';
import { renderEntraError } from './errors.ts';
import { tenantOf, type TenantSegment } from './tenants.ts';
import type { TokenEndpoint } from './token/endpoint.ts';

/** The part of the token service that people meet in a browser: its own paths, and its own grants. */
export interface InteractivePart {
  /** Null for what is none of its paths. */
  describe(head: RequestHead): Described | null;
  /** Audiences of the tokens that its userinfo endpoint takes. */
  readonly audiences: readonly string[];
}

export interface EntraSurfaceOptions extends Authority {
  /** The key set to publish: RFC 7517 §5. */
  readonly keys: { publicJwks(): { readonly keys: readonly PublicJwk[] } };
  readonly tokenEndpoint: TokenEndpoint;
  readonly clock: Clock;
  readonly interactive?: InteractivePart;
}

const noBody: BodyRule = { kind: 'none' };
const tokenForm: BodyRule = {
  kind: 'buffered',
  maxBytes: 65_536,
  mediaTypes: ['application/x-www-form-urlencoded'],
};
/** How long clients may keep the key set; new keys are published long before they sign. */
const keysMaxAgeSeconds = 300;

type Place = 'discovery' | 'keys' | 'token-v1' | 'token-v2';

/** Paths below the tenant's segment, in lower case. */
const places: Readonly<Record<string, Place>> = {
  '/v2.0/.well-known/openid-configuration': 'discovery',
  '/.well-known/openid-configuration': 'discovery',
  '/discovery/v2.0/keys': 'keys',
  '/discovery/keys': 'keys',
  '/oauth2/v2.0/token': 'token-v2',
  '/oauth2/token': 'token-v1',
};

/**
 * The security token service in Entra's dialect: discovery, keys, instance discovery and the token endpoint, with
 * the interactive part's paths before them. Everything here is public; the token endpoint authenticates by itself.
 */
export function entraSurface(options: EntraSurfaceOptions): Surface {
  const describe = (head: RequestHead): Described | null =>
    options.interactive?.describe(head) ?? describeOwn(options, head);
  return {
    name: 'entra',
    audiences: options.interactive?.audiences ?? [],
    acceptsSessionCookie: false,
    matches: (head) =>
      placeOf(head.path) !== null ||
      isInstanceDiscovery(head.path) ||
      (options.interactive?.describe(head) ?? null) !== null,
    describe,
    renderError: (error, head) => renderEntraError(error, head, options.clock),
  };
}

function describeOwn(options: EntraSurfaceOptions, head: RequestHead): Described | null {
  if (isInstanceDiscovery(head.path)) {
    return get(head, 'instance discovery', async () =>
      publicJson(instanceDiscovery(options, head.query), 3600),
    );
  }
  const found = placeOf(head.path);
  if (found === null) return null;
  const { segment, place } = found;
  const tenant = (): TenantSegment => tenantOf(segment, options.tenantId);
  switch (place) {
    case 'discovery':
      return get(head, 'discovery', async () =>
        publicJson(discoveryDocument(options, segment, tenant()), keysMaxAgeSeconds),
      );
    case 'keys':
      return get(head, 'keys', async () => {
        tenant();
        return publicJson(options.keys.publicJwks(), keysMaxAgeSeconds);
      });
    case 'token-v1':
    case 'token-v2':
      if (head.method !== 'POST') return null;
      return {
        operation: 'entra token',
        guard: open('entra.token'),
        effect: 'change',
        body: tokenForm,
        serve: async (exchange) => {
          tenant();
          return options.tokenEndpoint.serve(exchange, place === 'token-v1' ? 1 : 2);
        },
      };
  }
}

function get(
  head: RequestHead,
  what: string,
  serve: (exchange: Exchange) => Promise<Reply>,
): Described | null {
  if (head.method !== 'GET' && head.method !== 'HEAD') return null;
  return {
    operation: `entra ${what}`,
    guard: open(`entra.${what.replace(' ', '-')}`),
    effect: 'read',
    body: noBody,
    serve,
  };
}

function open(rule: string): Guard {
  return { kind: 'public', rule, scope: '/' };
}

function placeOf(path: string): { segment: string; place: Place } | null {
  const end = path.indexOf('/', 1);
  if (end < 0) return null;
  const place = Object.hasOwn(places, path.slice(end).toLowerCase())
    ? places[path.slice(end).toLowerCase()]
    : undefined;
  return place === undefined ? null : { segment: path.slice(1, end), place };
}

function isInstanceDiscovery(path: string): boolean {
  return path.toLowerCase() === '/common/discovery/instance';
}
