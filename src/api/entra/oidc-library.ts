import { exportJWK } from 'jose';
import {
  Provider,
  errors,
  interactionPolicy,
  type Configuration,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import type { KeyObject } from 'node:crypto';
import type { SessionId } from '../../lib/ids.ts';
import type { Sessions } from '../../identity/signin/sessions.ts';
import { delegatedPermission, keepSignedInScope } from './dialect.ts';
import type { AdapterParts } from './oidc-adapter.ts';
import { oidcAdapter } from './oidc-adapter.ts';
import { redirectUriAllowed } from './redirect-uri.ts';

export interface LibraryKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
}

/** What an id_token says of a person, in Entra's names. */
export interface PersonClaims {
  readonly oid: string;
  readonly tid: string;
  readonly name: string;
  readonly preferred_username: string;
  readonly email?: string;
}

export interface LibraryOptions extends AdapterParts {
  readonly issuer: string;
  readonly sessions: Sessions;
  readonly cookieKey: string;
  /** The claims of an enabled person; null for anyone else. */
  person(id: string): Promise<PersonClaims | null>;
  /** Where a person is sent to sign in, for the authorization request in hand. */
  signInUrl(context: KoaContextWithOIDC): string;
  readonly accessTokenSeconds: number;
  readonly codeSeconds: number;
  /** Faults of the library itself, for the operator. */
  serverError(error: unknown): void;
}

/** Where the library serves, seen from inside the bridge only. */
export const libraryRoutes = { authorization: '/authorize', token: '/token' } as const;

/**
 * `oidc-provider`, set up for one set of keys; the first signs, the others verify hints that they once signed.
 * Build another when the keys change: it keeps nothing in memory.
 */
export async function createLibrary(options: LibraryOptions, keys: readonly LibraryKey[]): Promise<Provider> {
  const jwks = await Promise.all(
    keys.map(async ({ kid, privateKey }) => ({
      ...(await exportJWK(privateKey)),
      kid,
      alg: 'RS256',
      use: 'sig',
    })),
  );
  const provider = new Provider(options.issuer, { ...configuration(options), jwks: { keys: jwks } });
  // The recipe of the library's documentation for redirect URI rules of one's own.
  provider.Client.prototype.redirectUriAllowed = function allowed(requested: string): boolean {
    return redirectUriAllowed(
      { redirectUris: this.redirectUris ?? [], publicClient: this.applicationType === 'native' },
      requested,
    );
  };
  provider.on('server_error', (_context, error) => {
    options.serverError(error);
  });
  return provider;
}

function configuration(options: LibraryOptions): Configuration {
  return {
    adapter: oidcAdapter(options),
    routes: libraryRoutes,
    scopes: ['openid', 'profile', 'email', keepSignedInScope],
    claims: {
      openid: ['sub', 'oid', 'tid', 'ver', 'nbf'],
      profile: ['name', 'preferred_username'],
      email: ['email'],
    },
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    clientAuthMethods: ['none'],
    enabledJWA: { idTokenSigningAlgValues: ['RS256'] },
    clientDefaults: { id_token_signed_response_alg: 'RS256' },
    // A confidential application proves itself before the library sees the request; every other one needs PKCE.
    pkce: { required: (_context, client) => client.applicationType === 'native' },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      dPoP: { enabled: false },
      claimsParameter: { enabled: false },
      resourceIndicators: {
        enabled: true,
        // The dialect has checked the audience; this only gives it the one permission there is.
        getResourceServerInfo: () => ({ scope: delegatedPermission, accessTokenFormat: 'opaque' }),
        useGrantedResource: () => true,
      },
    },
    interactions: {
      policy: [signInPrompt(), otherAccountPrompt()],
      url: (context) => options.signInUrl(context),
    },
    cookies: {
      keys: [options.cookieKey],
      names: { session: internalSessionCookie, interaction: 'interaction', resume: 'resume' },
      long: { signed: false },
      short: { signed: false },
    },
    findAccount: async (_context, id) => {
      const person = await options.person(id);
      if (person === null) return undefined;
      const nbf = Math.floor(Date.now() / 1000);
      return { accountId: id, claims: () => ({ sub: id, ver: '2.0', nbf, ...person }) };
    },
    loadExistingGrant: async (context) => grantAll(context),
    issueRefreshToken: (_context, client, code) =>
      client.grantTypeAllowed('refresh_token') && code.scopes.has(keepSignedInScope),
    rotateRefreshToken: true,
    expiresWithSession: () => true,
    ttl: {
      AccessToken: options.accessTokenSeconds,
      AuthorizationCode: options.codeSeconds,
      IdToken: options.accessTokenSeconds,
      Interaction: 60,
      Session: (_context, session) => Math.max(1, sessionSeconds(options, session.uid)),
      // Bounded by the session in fact: codes and refresh tokens are refused once it has ended.
      Grant: 30 * 24 * 3600,
      RefreshToken: (_context, token) => Math.max(1, sessionSeconds(options, token.sessionUid)),
    },
    renderError: (context, out) => {
      context.type = 'json';
      context.body = out;
    },
  };
}

/** The library's own session cookie; it exists only within the bridge, made from ours after ours was checked. */
export const internalSessionCookie = 'session';

function signInPrompt(): interactionPolicy.Prompt {
  const prompt = interactionPolicy.base().get('login');
  if (prompt === undefined) throw new Error('the library has no login prompt');
  return prompt;
}

function otherAccountPrompt(): interactionPolicy.Prompt {
  return new interactionPolicy.Prompt({ name: 'select_account', requestable: true });
}

/** There is no consent to ask for: what a person may do through an application, policy says. */
async function grantAll(context: KoaContextWithOIDC) {
  const { client, session, provider } = context.oidc;
  if (client === undefined || session?.accountId === undefined) throw new errors.AccessDenied();
  const known = session.grantIdFor(client.clientId);
  const found = known === undefined ? undefined : await provider.Grant.find(known);
  const grant = found ?? new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
  grant.addOIDCScope([...context.oidc.requestParamOIDCScopes].join(' '));
  for (const resource of Object.keys(context.oidc.resourceServers ?? {})) {
    grant.addResourceScope(resource, delegatedPermission);
  }
  await grant.save();
  return grant;
}

function sessionSeconds(options: LibraryOptions, id: string | undefined): number {
  const session = id === undefined ? null : options.sessions.find(id as SessionId);
  return session === null ? 0 : Math.floor((session.expiresAt - options.clock.now()) / 1000);
}
