import type { IncomingMessage } from 'node:http';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { CookieKeys } from '../../identity/signin/cookie-keys.ts';
import type { Sessions } from '../../identity/signin/sessions.ts';
import type { TokenIssuer } from '../../identity/tokens/issue.ts';
import type { Exchange, RequestHead } from '../../gateway/types.ts';
import type { RecordFact } from '../../ledger/events.ts';
import type { Clock } from '../../lib/clock.ts';
import type { PrincipalId, TenantId } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import type { ActorRef, Commit, PrincipalRecord } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import { lockstepCli, type InteractiveClient } from './built-in-clients.ts';
import { correlationIdOf, type RequestedScope } from './dialect.ts';
import { issuerOf } from './discovery.ts';
import { refusal } from './errors.ts';
import { IssuedTokens } from './issued-tokens.ts';
import { createLibrary, type LibraryKey, type PersonClaims } from './oidc-library.ts';

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
  readonly tokens: Pick<TokenIssuer, 'issue'>;
  readonly directory: {
    byId(id: PrincipalId): Promise<PrincipalRecord | null>;
    applicationByAppId(appId: string): Promise<(InteractiveClient & { readonly enabled: boolean }) | null>;
  };
  /** The audience that a resource name stands for; null when it is not served here. */
  audienceOf(resource: string): string | null;
  /** Audience of a token when only identity scopes were asked for; userinfo takes these. */
  readonly defaultAudience: string;
  readonly accessTokenSeconds: number;
  /** Proves a confidential client (secret, certificate, federated assertion). Throws `invalid_client`. */
  authenticateClient?(exchange: Exchange, client: InteractiveClient): Promise<void>;
}

/** What the endpoints of the interactive part share. */
export interface InteractiveParts extends InteractiveOptions {
  readonly issuer: string;
  readonly issued: IssuedTokens;
  /** The library, for the keys of this moment. */
  library(): Promise<Provider>;
  /** Where to send a person to sign in, for requests in flight. */
  readonly signInUrls: WeakMap<IncomingMessage, string>;
  /** The library's own view of token requests that it granted. */
  readonly granted: WeakMap<IncomingMessage, KoaContextWithOIDC>;
  /** Why it refused one: the detail that it keeps out of its answer. */
  readonly refused: WeakMap<IncomingMessage, string>;
  /** An enabled application that may ask people to sign in. */
  client(id: string): Promise<InteractiveClient | null>;
  /** An enabled user. */
  person(id: string): Promise<PrincipalRecord | null>;
  /** The audience of a token for that scope. Throws `invalid_resource`. */
  audienceFor(requested: RequestedScope): string;
  claims(person: PrincipalRecord): PersonClaims;
  /** For error bodies. */
  traceOf(head: RequestHead): { now: number; traceId: string; correlationId: string | undefined };
}

/** A code is redeemed at once or not at all. RFC 6749 §4.1.2 allows ten minutes. */
const codeSeconds = 60;

export function interactiveParts(options: InteractiveOptions): InteractiveParts {
  const issued = new IssuedTokens(options);
  const granted = new WeakMap<IncomingMessage, KoaContextWithOIDC>();
  const refused = new WeakMap<IncomingMessage, string>();
  const signInUrls = new WeakMap<IncomingMessage, string>();
  const issuer = issuerOf(options);
  let built: { readonly kids: string; readonly library: Promise<Provider> } | null = null;

  async function client(id: string): Promise<InteractiveClient | null> {
    if (id.toLowerCase() === lockstepCli.appId) return lockstepCli;
    const application = await options.directory.applicationByAppId(id);
    return application?.enabled === true ? application : null;
  }

  async function person(id: string): Promise<PrincipalRecord | null> {
    const principal = await options.directory.byId(id as PrincipalId);
    return principal?.kind === 'user' && principal.enabled ? principal : null;
  }

  const claims = (who: PrincipalRecord): PersonClaims => ({
    oid: who.id,
    tid: options.tenantId,
    name: who.displayName,
    preferred_username: who.signInName ?? who.displayName,
  });

  async function build(keys: readonly LibraryKey[]): Promise<Provider> {
    const library = await createLibrary(
      {
        db: options.store.db,
        clock: options.clock,
        sessions: options.sessions,
        issuer,
        cookieKey: options.keys.tag('library-cookies', options.tenantId),
        accessTokenSeconds: options.accessTokenSeconds,
        codeSeconds,
        client: async (id) => metadataOf(await client(id)),
        grantRevoked: async (grantId) => issued.revoke(grantId),
        person: async (id) => {
          const found = await person(id);
          return found === null ? null : claims(found);
        },
        signInUrl: (context) => signInUrls.get(context.req) ?? '/signin',
        serverError: (error) => {
          options.log.error({ err: error }, 'sign-in: the protocol library failed');
        },
      },
      keys,
    );
    library.on('grant.success', (context) => {
      granted.set(context.req, context);
    });
    library.on('grant.error', (context, error) => {
      refused.set(context.req, error.error_detail ?? error.error_description ?? '');
    });
    return library;
  }

  return {
    ...options,
    audienceOf: (resource) => options.audienceOf(resource),
    issuer,
    issued,
    granted,
    refused,
    signInUrls,
    client,
    person,
    claims,
    async library() {
      const signer = await options.signingKeys.signer();
      const keys = [signer, ...options.signingKeys.published().filter(({ kid }) => kid !== signer.kid)];
      const kids = keys.map(({ kid }) => kid).join(' ');
      if (built?.kids !== kids) built = { kids, library: build(keys) };
      return built.library;
    },
    audienceFor(requested) {
      if (requested.resource === null) return options.defaultAudience;
      const audience = options.audienceOf(requested.resource);
      if (audience !== null) return audience;
      const shown = JSON.stringify(requested.resource.slice(0, 100));
      throw refusal('invalid_resource', 500_011, `The resource ${shown} is not served here.`);
    },
    traceOf(head) {
      const sent = head.query.get('client-request-id') ?? head.headers['client-request-id'];
      const correlationId = correlationIdOf(typeof sent === 'string' ? sent : undefined);
      return { now: options.clock.now(), traceId: head.id, correlationId };
    },
  };
}

/** A person as a link of the chain. */
export function actorOf(person: PrincipalRecord): ActorRef {
  return { kind: person.kind, id: person.id, name: person.displayName };
}

/** Every client is public towards the library: a confidential one has proved itself before the library is asked. */
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
