import type { IncomingMessage } from 'node:http';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Sessions } from '../../identity/signin/sessions.ts';
import type { CookieKeys } from '../../identity/signin/cookie-keys.ts';
import { LockstepError, failure } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { PrincipalId, SessionId, TenantId } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import type { ActorRef, Attribution, Commit, PrincipalRecord } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import type { RecordFact } from '../../ledger/events.ts';
import type { Described, Exchange, Reply, RequestHead } from '../../gateway/types.ts';
import { lockstepCli, type InteractiveClient } from './built-in-clients.ts';
import { sessionFromHeaders } from './browser-cookies.ts';
import {
  afterSignIn,
  audienceOf,
  clientInfo,
  correlationIdOf,
  entraError,
  grantedScope,
  jsonReply,
  parseScope,
  repeatedParameter,
  responseModeOf,
  standardAuthorization,
  type RequestedScope,
  type ResponseMode,
} from './dialect.ts';
import { IssuedTokens } from './issued-tokens.ts';
import { throughListener } from './node-bridge.ts';
import { createLibrary, internalSessionCookie, libraryRoutes, type LibraryKey } from './oidc-library.ts';
import { errorPage } from './pages/error-page.ts';
import { formPostPage } from './pages/form-post-page.ts';
import { formActionSource, redirectUriAllowed } from './redirect-uri.ts';

/** What is asked of the token issuer: the same tokens as everywhere else. */
export interface DelegatedTokenRequest {
  readonly subject: PrincipalRecord;
  readonly audience: string;
  readonly lifetimeSeconds: number;
  readonly chain: readonly ActorRef[];
  readonly authorities: readonly PrincipalId[];
  readonly sessionId: SessionId;
  readonly clientId: string;
  readonly idType: 'user';
  readonly scopes: readonly string[];
  readonly appidacr: '0' | '1';
}

export interface InteractiveOptions {
  readonly store: Store;
  readonly commit: Commit;
  readonly record: RecordFact;
  readonly clock: Clock;
  readonly log: Log;
  readonly tenantId: TenantId;
  /** `https://host[:port]`, as clients address Lockstep. */
  readonly publicUrl: string;
  readonly sessions: Sessions;
  readonly keys: CookieKeys;
  readonly signingKeys: { signer(): Promise<LibraryKey>; published(): readonly LibraryKey[] };
  readonly tokens: {
    issue(request: DelegatedTokenRequest): Promise<{ token: string; tokenId: string; expiresAt: number }>;
  };
  readonly directory: {
    byId(id: PrincipalId): Promise<PrincipalRecord | null>;
    applicationByAppId(appId: string): Promise<(InteractiveClient & { readonly enabled: boolean }) | null>;
  };
  /** The audience that a resource name stands for; null when it is not served here. */
  audienceOf(resource: string): string | null;
  /** Audience of a token when only identity scopes were asked for. */
  readonly defaultAudience: string;
  readonly accessTokenSeconds: number;
  /** Proves a confidential client (secret, certificate, federated assertion). Throws `invalid_client`. */
  authenticateClient?(exchange: Exchange, client: InteractiveClient): Promise<void>;
}

export interface Interactive {
  /** Authorize, logout and userinfo; null for every other path. */
  describe(head: RequestHead): Described | null;
  /** The grants `authorization_code` and `refresh_token`. */
  token(exchange: Exchange): Promise<Reply>;
  /** The application behind a path of ours that a sign-in page leads on to, and where its answer may go. */
  destination(path: string): Promise<Destination | null>;
  /** Where a sign-out leads, when a registered application asked for it; else null. */
  afterSignOut(query: URLSearchParams): Promise<string | null>;
}

export interface Destination {
  /** Path and query, rebuilt from its parts; on this host. */
  readonly path: string;
  readonly clientName: string | null;
  readonly loginHint: string | null;
  /** For `form-action`: where a form's redirects may end besides here. */
  readonly formAction: string | null;
}

const scope = '/providers/lockstep.access';
const tenantAliases = new Set(['common', 'organizations']);
const codeSeconds = 60;

/**
 * Sign-in of people for applications: authorization code with PKCE, refresh, userinfo, logout. A certified library
 * decides; this file lends it requests in standard words and gives its answers in Entra's.
 */
export function interactive(options: InteractiveOptions): Interactive {
  const issued = new IssuedTokens(options);
  const authorizePath = `/${options.tenantId}/oauth2/v2.0/authorize`;
  const signInUrls = new WeakMap<IncomingMessage, string>();
  const successes = new WeakMap<IncomingMessage, KoaContextWithOIDC>();
  let library: { kid: string; provider: Promise<Provider> } | null = null;

  async function provider(): Promise<Provider> {
    const signer = await options.signingKeys.signer();
    const published = options.signingKeys.published();
    const kid = [signer, ...published].map((key) => key.kid).join(' ');
    if (library?.kid !== kid) {
      const built = createLibrary(
        {
          ...options,
          db: options.store.db,
          issuer: `${options.publicUrl}/${options.tenantId}/v2.0`,
          cookieKey: options.keys.tag('library-cookies', options.tenantId),
          codeSeconds,
          client: async (id) => metadataOf(await clientOf(id)),
          grantRevoked: async (grantId) => issued.revoke(grantId),
          person: async (id) => claimsOf(await personOf(id), options.tenantId),
          signInUrl: (context) => signInUrls.get(context.req) ?? '/signin',
          serverError: (error) => {
            options.log.error({ err: error }, 'the sign-in library failed');
          },
        },
        [signer, ...published.filter((key) => key.kid !== signer.kid)],
      ).then((made) => {
        made.on('grant.success', (context) => successes.set(context.req, context));
        return made;
      });
      library = { kid, provider: built };
    }
    return library.provider;
  }

  async function clientOf(id: string): Promise<InteractiveClient | null> {
    if (id.toLowerCase() === lockstepCli.appId) return lockstepCli;
    const application = await options.directory.applicationByAppId(id);
    return application?.enabled === true ? application : null;
  }

  async function personOf(id: string): Promise<PrincipalRecord | null> {
    const principal = await options.directory.byId(id as PrincipalId);
    return principal?.kind === 'user' && principal.enabled ? principal : null;
  }

  function audienceFor(requested: RequestedScope): string {
    if (requested.resource === null) return options.defaultAudience;
    const audience = options.audienceOf(requested.resource);
    if (audience === null) {
      throw failure('invalid_resource', `The resource '${requested.resource}' is not served here.`);
    }
    return audience;
  }

  async function authorize(exchange: Exchange): Promise<Reply> {
    const { head } = exchange;
    const repeated = repeatedParameter(head.query);
    if (repeated !== null) {
      return refusal(
        head,
        { error: 'invalid_request', description: `parameter '${repeated}' is repeated` },
        400,
      );
    }
    const mode = responseModeOf(head.query);
    let standard: string;
    try {
      if (mode === null) throw failure('invalid_request', 'unsupported response_mode');
      const requested = parseScope(head.query.get('scope') ?? '');
      standard = standardAuthorization(head.query, requested, audienceFor(requested));
    } catch (error) {
      return redirectedRefusal(head, mode ?? 'query', error);
    }
    const session = sessionFromHeaders(head.headers, options.sessions);
    const answer = await throughListener(
      (await provider()).callback(),
      {
        method: 'GET',
        url: `${libraryRoutes.authorization}?${standard}`,
        headers: {
          host: head.authority,
          accept: 'application/json',
          ...(session === null ? {} : { cookie: `${internalSessionCookie}=${session.id}` }),
        },
      },
      (request) => {
        const onward = `${authorizePath}?${afterSignIn(head.query)}`;
        signInUrls.set(request, `/signin?${new URLSearchParams({ continue: onward }).toString()}`);
      },
    );
    const location = answer.headers?.['location'];
    if (typeof location !== 'string') return refusal(head, parseError(answer.body), answer.status);
    if (location.startsWith('/')) return redirect(location);
    const person = session === null ? null : await personOf(session.principalId);
    const extra =
      head.query.get('client_info') === '1' && person !== null
        ? { client_info: clientInfo(person.id, options.tenantId) }
        : {};
    return authorizationReply(location, head, mode ?? 'query', extra);
  }

  /** A fault found before the library saw the request goes to the client only if its redirect URI is its own. */
  async function redirectedRefusal(head: RequestHead, mode: ResponseMode, thrown: unknown): Promise<Reply> {
    if (!(thrown instanceof LockstepError)) throw thrown;
    const error = { error: oauthCode(thrown), description: thrown.publicMessage };
    const client = await clientOf(head.query.get('client_id') ?? '');
    const redirectUri = head.query.get('redirect_uri');
    if (client === null || redirectUri === null || !redirectUriAllowed(client, redirectUri)) {
      return refusal(head, error, thrown.status);
    }
    const location = new URL(redirectUri);
    location.searchParams.set('error', error.error);
    location.searchParams.set('error_description', error.description);
    const state = head.query.get('state');
    if (state !== null) location.searchParams.set('state', state);
    location.searchParams.set('iss', `${options.publicUrl}/${options.tenantId}/v2.0`);
    return authorizationReply(location.href, head, mode, {});
  }

  /** The library's redirect in the response mode and with the error text that the client expects. */
  function authorizationReply(
    location: string,
    head: RequestHead,
    mode: ResponseMode,
    extra: Readonly<Record<string, string>>,
  ): Reply {
    const target = new URL(location);
    const registered = new URL(head.query.get('redirect_uri') ?? location);
    const answer = new Map<string, string>();
    for (const [name, value] of [...target.searchParams]) {
      if (registered.searchParams.get(name) === value) continue;
      answer.set(name, value);
      target.searchParams.delete(name);
    }
    const error = answer.get('error');
    if (error === undefined) for (const [name, value] of Object.entries(extra)) answer.set(name, value);
    else {
      const body = entraError({ error, description: answer.get('error_description') }, contextOf(head));
      answer.set('error', body.error);
      answer.set('error_description', body.error_description);
    }
    const bare = head.query.get('redirect_uri') ?? target.href;
    if (mode === 'form_post') return formPostPage(bare, answer, formActionSource(bare));
    const parameters = new URLSearchParams([...answer]).toString();
    if (mode === 'fragment') return redirect(`${bare}#${parameters}`);
    return redirect(`${bare}${bare.includes('?') ? '&' : '?'}${parameters}`);
  }

  function contextOf(head: RequestHead) {
    const correlationId = correlationIdOf(
      head.query.get('client-request-id') ?? single(head.headers['client-request-id']),
    );
    return { now: options.clock.now(), traceId: head.id, correlationId };
  }

  function refusal(
    head: RequestHead,
    error: { readonly error: string; readonly description: string | undefined },
    status: number,
  ): Reply {
    const body = entraError(error, contextOf(head));
    const wantsPage = (head.headers.accept ?? '').includes('text/html');
    return wantsPage ? errorPage(status, body) : jsonReply(status, body);
  }

  async function token(exchange: Exchange): Promise<Reply> {
    const form = exchange.form();
    const grantType = form.get('grant_type') ?? '';
    const clientId = form.get('client_id') ?? '';
    const activity = grantType === 'refresh_token' ? 'token-renewal' : 'token-issue';
    try {
      const client = await clientOf(clientId);
      if (client === null) throw failure('unauthorized_client', `application ${clientId} not found`);
      await proveClient(exchange, client, form);
      const requested = parseScope(form.get('scope') ?? '');
      const asked = requested.resource === null ? null : audienceFor(requested);
      const { answer, context } = await redeem(exchange, form, client, requested);
      if (context === undefined) {
        await recordToken(exchange, activity, null, clientId, parseError(answer.body).error, null);
        return jsonReply(answer.status, entraError(parseError(answer.body), contextOf(exchange.head)));
      }
      return await mint(exchange, {
        context,
        client,
        requested,
        asked,
        activity,
        standard: answer.body,
        form,
      });
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      if (error.status >= 500) throw error;
      const code = oauthCode(error);
      await recordToken(exchange, activity, null, clientId, code, null);
      const body = entraError({ error: code, description: error.publicMessage }, contextOf(exchange.head));
      return jsonReply(error.status, body);
    }
  }

  async function proveClient(
    exchange: Exchange,
    client: InteractiveClient,
    form: ReadonlyMap<string, string>,
  ) {
    if (client.publicClient) {
      if (form.has('client_secret') || form.has('client_assertion')) {
        throw failure('invalid_client', 'a public application has no credential to present');
      }
      return;
    }
    if (options.authenticateClient === undefined) {
      throw failure('invalid_client', 'confidential applications cannot redeem codes here');
    }
    await options.authenticateClient(exchange, client);
  }

  async function redeem(
    exchange: Exchange,
    form: ReadonlyMap<string, string>,
    client: InteractiveClient,
    requested: RequestedScope,
  ) {
    const standard = new URLSearchParams({
      client_id: client.appId,
      grant_type: form.get('grant_type') ?? '',
    });
    for (const name of ['code', 'code_verifier', 'redirect_uri', 'refresh_token']) {
      const value = form.get(name);
      if (value !== undefined) standard.set(name, value);
    }
    if (form.get('grant_type') === 'refresh_token' && requested.identity.length > 0) {
      standard.set('scope', requested.identity.join(' '));
    }
    let bridged: IncomingMessage | undefined;
    const answer = await throughListener(
      (await provider()).callback(),
      {
        method: 'POST',
        url: libraryRoutes.token,
        headers: {
          host: exchange.head.authority,
          accept: 'application/json',
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: standard.toString(),
      },
      (request) => {
        bridged = request;
      },
    );
    return { answer, context: bridged === undefined ? undefined : successes.get(bridged) };
  }

  /** The library has said yes: the access token it made is replaced by one of Lockstep's own. */
  async function mint(
    exchange: Exchange,
    granted: {
      context: KoaContextWithOIDC;
      client: InteractiveClient;
      requested: RequestedScope;
      asked: string | null;
      activity: 'token-issue' | 'token-renewal';
      standard: string;
      form: ReadonlyMap<string, string>;
    },
  ): Promise<Reply> {
    const { AccessToken: source } = granted.context.oidc.entities;
    const session = options.sessions.touch((source?.sessionUid ?? '') as SessionId);
    const person = source === undefined ? null : await personOf(source.accountId ?? '');
    if (source?.grantId === undefined || session === null || person?.id !== session.principalId) {
      throw failure('invalid_grant', 'grant not found: the sign-in has ended');
    }
    const granter = typeof source.aud === 'string' ? audienceOf(source.aud) : options.defaultAudience;
    const audience = granted.asked ?? granter;
    const chain = [actorOf(person)];
    const token = await options.tokens.issue({
      subject: person,
      audience,
      lifetimeSeconds: Math.min(
        options.accessTokenSeconds,
        Math.max(1, Math.floor((session.expiresAt - options.clock.now()) / 1000)),
      ),
      chain,
      authorities: [person.id],
      sessionId: session.id,
      clientId: granted.client.appId,
      idType: 'user',
      scopes: [...delegated],
      appidacr: granted.client.publicClient ? '0' : '1',
    });
    await issued.note({
      grantId: source.grantId,
      tokenId: token.tokenId,
      principalId: person.id,
      expiresAt: token.expiresAt,
    });
    const library = await provider();
    if ((await library.Grant.find(source.grantId)) === undefined) {
      await issued.revoke(source.grantId);
      throw failure('invalid_grant', 'grant not found: it was revoked meanwhile');
    }
    await recordToken(exchange, granted.activity, person, granted.client.appId, null, {
      tokenId: token.tokenId,
      expiresAt: token.expiresAt,
      audience,
      sessionId: session.id,
    });
    const expiresIn = token.expiresAt - Math.floor(options.clock.now() / 1000);
    const standard = parseObject(granted.standard);
    return jsonReply(200, {
      token_type: 'Bearer',
      scope: grantedScope(granted.requested, audience),
      expires_in: expiresIn,
      ext_expires_in: expiresIn,
      access_token: token.token,
      ...pick(standard, ['refresh_token', 'id_token']),
      ...(granted.form.get('client_info') === '1'
        ? { client_info: clientInfo(person.id, options.tenantId) }
        : {}),
    });
  }

  async function recordToken(
    exchange: Exchange,
    activity: 'token-issue' | 'token-renewal',
    person: PrincipalRecord | null,
    clientId: string,
    failureCode: string | null,
    token: { tokenId: string; expiresAt: number; audience: string; sessionId: SessionId } | null,
  ): Promise<void> {
    const attribution: Attribution =
      person === null
        ? exchange.attribution
        : {
            ...exchange.attribution,
            chain: [actorOf(person)],
            sessionId: token?.sessionId ?? null,
            tokenId: token?.tokenId ?? null,
          };
    await options.record({
      kind: 'authentication',
      attribution,
      activity,
      succeeded: failureCode === null,
      failureCode,
      principalId: person?.id ?? null,
      principalName: person?.displayName ?? null,
      method: activity === 'token-renewal' ? 'refresh_token' : 'authorization_code',
      audience: token?.audience ?? null,
      tokenId: token?.tokenId ?? null,
      expiresAt: token?.expiresAt ?? null,
      detail: { clientId: clientId.slice(0, 64) },
    });
  }

  async function userinfo(exchange: Exchange): Promise<Reply> {
    const person = exchange.caller === null ? null : await personOf(exchange.caller.subject.id);
    if (person === null) throw failure('invalid_token', 'The token is not a person’s.');
    return jsonReply(200, { sub: person.id, ...claimsOf(person, options.tenantId) });
  }

  async function logout(exchange: Exchange): Promise<Reply> {
    const { query } = exchange.head;
    const kept = new URLSearchParams();
    for (const name of ['client_id', 'id_token_hint', 'post_logout_redirect_uri', 'state']) {
      const value = query.get(name);
      if (value !== null) kept.set(name, value);
    }
    return redirect(kept.size === 0 ? '/signin/out' : `/signin/out?${kept.toString()}`);
  }

  return {
    token,
    describe(head) {
      const [, tenant, rest] = /^\/([^/]+)\/(.+)$/.exec(head.path) ?? [];
      if (tenant === undefined || rest === undefined) return null;
      const name = tenant.toLowerCase();
      if (name !== options.tenantId && !tenantAliases.has(name)) return null;
      if (rest === 'oauth2/v2.0/authorize' && head.method === 'GET') {
        return open('Lockstep.Access/signIn/authorize', authorize);
      }
      if (rest === 'oauth2/v2.0/logout' && head.method === 'GET') {
        return open('Lockstep.Access/signIn/logout', logout);
      }
      if (rest === 'openid/userinfo' && (head.method === 'GET' || head.method === 'POST')) {
        return {
          operation: 'Lockstep.Access/signIn/userinfo',
          guard: { kind: 'authenticated', rule: 'own-identity', scope },
          effect: 'read',
          body: formBody,
          serve: userinfo,
        };
      }
      return null;
    },
    async destination(path) {
      const url = URL.parse(path, options.publicUrl);
      if (!path.startsWith('/') || url === null || url.origin !== new URL(options.publicUrl).origin)
        return null;
      if (url.pathname === '/account' || url.pathname === '/') {
        return { path: url.pathname, clientName: null, loginHint: null, formAction: null };
      }
      if (url.pathname !== authorizePath) return null;
      const client = await clientOf(url.searchParams.get('client_id') ?? '');
      const redirectUri = url.searchParams.get('redirect_uri') ?? '';
      if (client === null || !redirectUriAllowed(client, redirectUri)) return null;
      return {
        path: `${authorizePath}?${url.searchParams.toString()}`,
        clientName: client.displayName,
        loginHint: url.searchParams.get('login_hint'),
        formAction: formActionSource(redirectUri),
      };
    },
    async afterSignOut(query) {
      const wanted = query.get('post_logout_redirect_uri');
      const clientId = query.get('client_id') ?? audienceOfHint(query.get('id_token_hint'));
      if (wanted === null || clientId === null) return null;
      const client = await clientOf(clientId);
      if (client === null || !redirectUriAllowed(client, wanted)) return null;
      const state = query.get('state');
      if (state === null) return wanted;
      return `${wanted}${wanted.includes('?') ? '&' : '?'}${new URLSearchParams({ state }).toString()}`;
    },
  };
}

const delegated = ['user_impersonation'] as const;
const formBody = {
  kind: 'buffered',
  maxBytes: 16_384,
  mediaTypes: ['application/x-www-form-urlencoded'],
} as const;

function open(operation: string, serve: (exchange: Exchange) => Promise<Reply>): Described {
  return {
    operation,
    guard: { kind: 'public', rule: 'sign-in', scope },
    effect: 'read',
    body: { kind: 'none' },
    serve,
  };
}

function redirect(location: string): Reply {
  return {
    status: 303,
    headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
  };
}

/** The id_token is only a hint of which application asks; what it may do is checked against that one's registration. */
function audienceOfHint(hint: string | null): string | null {
  const payload = hint?.split('.')[1];
  if (payload === undefined) return null;
  try {
    const { aud } = parseObject(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof aud === 'string' ? aud : null;
  } catch {
    return null;
  }
}

function actorOf(person: PrincipalRecord): ActorRef {
  return { kind: 'user', id: person.id, name: person.signInName ?? person.displayName };
}

function claimsOf(person: PrincipalRecord | null, tenantId: TenantId) {
  if (person === null) return null;
  return {
    oid: person.id,
    tid: tenantId,
    name: person.displayName,
    preferred_username: person.signInName ?? person.displayName,
  };
}

function metadataOf(client: InteractiveClient | null) {
  if (client === null) return undefined;
  return {
    client_id: client.appId,
    client_name: client.displayName,
    application_type: client.publicClient ? ('native' as const) : ('web' as const),
    redirect_uris: [...client.redirectUris],
    token_endpoint_auth_method: 'none' as const,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code' as const],
  };
}

function oauthCode(error: LockstepError): string {
  switch (error.code) {
    case 'invalid_resource':
      return 'invalid_target';
    case 'unauthorized_client':
    case 'invalid_client':
    case 'invalid_scope':
    case 'invalid_grant':
      return error.code;
    default:
      return 'invalid_request';
  }
}

function parseError(body: string): { error: string; description: string | undefined } {
  const { error, error_description: description } = parseObject(body);
  return {
    error: typeof error === 'string' ? error : 'server_error',
    description: typeof description === 'string' ? description : undefined,
  };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function pick(from: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]),
  );
}

function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
