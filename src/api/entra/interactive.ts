import type { SessionId } from '../../lib/ids.ts';
import type { BodyRule, Described, Exchange, Guard, Reply, RequestHead } from '../../gateway/types.ts';
import { failure } from '../../lib/errors.ts';
import type { InteractiveClient } from './built-in-clients.ts';
import { authorize, redirect } from './authorize.ts';
import { jsonReply } from './dialect.ts';
import { interactiveParts, type InteractiveOptions, type InteractiveParts } from './interactive-parts.ts';
import { clientsOfSessions } from './oidc-adapter.ts';
import { redeem } from './redeem.ts';
import { formActionSource, redirectUriAllowed } from './redirect-uri.ts';
import { tenantOf } from './tenants.ts';

export type { InteractiveOptions } from './interactive-parts.ts';

export interface Interactive {
  /** Authorize, logout and userinfo; null for every other path. */
  describe(head: RequestHead): Described | null;
  /** Audiences of the tokens that userinfo takes. */
  readonly audiences: readonly string[];
  /** The grants `authorization_code` and `refresh_token`. */
  token(exchange: Exchange): Promise<Reply>;
  /** What a path of ours that a sign-in page leads on to is about; null for any other path or host. */
  destination(path: string): Promise<Destination | null>;
  /** Removes codes, tokens and grants that have lapsed. Call it every few minutes. */
  sweep(): Promise<void>;
  /** The enabled applications that each of these sign-ins has given tokens to. */
  applicationsOf(sessions: readonly SessionId[]): Promise<Map<SessionId, readonly InteractiveClient[]>>;
  /** Where a sign-out leads, when a registered application asked for it; else null. */
  afterSignOut(query: URLSearchParams): Promise<string | null>;
}

export interface Destination {
  /** Path and query, rebuilt from their parts; on this host. */
  readonly path: string;
  readonly clientName: string | null;
  readonly loginHint: string | null;
  /** For `form-action`: where a form's redirects may end besides here. */
  readonly formAction: string | null;
}

const scope = '/providers/lockstep.access';
const noBody: BodyRule = { kind: 'none' };

/** Sign-in of people for applications: authorization code with PKCE, refresh, userinfo, logout. */
export function interactive(options: InteractiveOptions): Interactive {
  const parts = interactiveParts(options);
  return {
    audiences: [options.defaultAudience],
    describe: (head) => describe(parts, head),
    token: async (exchange) => redeem(parts, exchange),
    destination: async (path) => destination(parts, path),
    async sweep() {
      const now = options.clock.now();
      await options.store.db.deleteFrom('oidc_artifacts').where('expires_at', '<=', now).execute();
    },
    applicationsOf: async (sessions) => applicationsOf(parts, sessions),
    afterSignOut: async (query) => afterSignOut(parts, query),
  };
}

function describe(parts: InteractiveParts, head: RequestHead): Described | null {
  const [, segment, place] =
    /^\/([^/]+)\/(oauth2\/v2\.0\/(?:authorize|logout)|openid\/userinfo)$/.exec(head.path) ?? [];
  if (segment === undefined || place === undefined) return null;
  const row = (
    operation: string,
    guard: Guard,
    serve: (exchange: Exchange) => Promise<Reply>,
  ): Described => ({
    operation,
    guard,
    effect: 'read',
    body: noBody,
    async serve(exchange) {
      tenantOf(segment, parts.tenantId);
      return serve(exchange);
    },
  });
  switch (`${head.method} ${place}`) {
    case 'GET oauth2/v2.0/authorize':
      return row('entra authorize', anyone, async (exchange) => authorize(parts, exchange));
    case 'GET oauth2/v2.0/logout':
      return row('entra logout', anyone, async (exchange) => logout(exchange));
    case 'GET openid/userinfo':
      return row('entra userinfo', oneself, async (exchange) => userinfo(parts, exchange));
    default:
      return null;
  }
}

const anyone: Guard = { kind: 'public', rule: 'entra.sign-in', scope };
const oneself: Guard = { kind: 'authenticated', rule: 'entra.userinfo', scope };

/** OpenID Connect Core §5.3. */
async function userinfo(parts: InteractiveParts, exchange: Exchange): Promise<Reply> {
  const person = exchange.caller === null ? null : await parts.person(exchange.caller.subject.id);
  if (person === null) throw failure('invalid_token', 'The token is not a person’s.');
  return jsonReply(200, { sub: person.id, ...parts.claims(person) });
}

const logoutParameters = ['client_id', 'id_token_hint', 'post_logout_redirect_uri', 'state'];

/** RP-Initiated Logout 1.0 §2: the page that it leads to asks the person, and only a form of that page signs out. */
async function logout({ head }: Exchange): Promise<Reply> {
  const kept = new URLSearchParams();
  for (const name of logoutParameters) {
    const value = head.query.get(name);
    if (value !== null) kept.set(name, value);
  }
  return redirect(kept.size === 0 ? '/signin/out' : `/signin/out?${kept.toString()}`);
}

async function destination(parts: InteractiveParts, path: string): Promise<Destination | null> {
  const url = URL.parse(path, parts.publicUrl);
  if (!path.startsWith('/') || url === null || url.origin !== new URL(parts.publicUrl).origin) return null;
  if (url.pathname === '/account') {
    return { path: url.pathname, clientName: null, loginHint: null, formAction: null };
  }
  if (!/^\/[^/]+\/oauth2\/v2\.0\/authorize$/.test(url.pathname)) return null;
  const client = await parts.client(url.searchParams.get('client_id') ?? '');
  const redirectUri = url.searchParams.get('redirect_uri') ?? '';
  if (client === null || !redirectUriAllowed(client, redirectUri)) return null;
  return {
    path: `${url.pathname}?${url.searchParams.toString()}`,
    clientName: client.displayName,
    loginHint: url.searchParams.get('login_hint'),
    formAction: formActionSource(redirectUri),
  };
}

async function applicationsOf(parts: InteractiveParts, sessions: readonly SessionId[]) {
  const clients = await clientsOfSessions(parts.store.db, sessions);
  const known = new Map<string, InteractiveClient>();
  for (const id of new Set([...clients.values()].flat())) {
    const client = await parts.client(id);
    if (client !== null) known.set(id, client);
  }
  const named = (ids: readonly string[]) =>
    ids.map((id) => known.get(id)).filter((client) => client !== undefined);
  return new Map([...clients].map(([session, ids]) => [session, named(ids)]));
}

async function afterSignOut(parts: InteractiveParts, query: URLSearchParams): Promise<string | null> {
  const wanted = query.get('post_logout_redirect_uri');
  const clientId = query.get('client_id') ?? audienceOfHint(query.get('id_token_hint'));
  if (wanted === null || clientId === null) return null;
  const client = await parts.client(clientId);
  if (client === null || !redirectUriAllowed(client, wanted)) return null;
  const state = query.get('state');
  if (state === null) return wanted;
  return `${wanted}${wanted.includes('?') ? '&' : '?'}${new URLSearchParams({ state }).toString()}`;
}

/**
 * Which application an id_token_hint was made for. Its signature does not matter here: it names a client, and
 * where that may send a browser is decided by the client's own registration.
 */
function audienceOfHint(hint: string | null): string | null {
  const payload = hint?.split('.')[1];
  if (payload === undefined) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null || !('aud' in claims)) return null;
    return typeof claims.aud === 'string' ? claims.aud : null;
  } catch {
    return null;
  }
}
