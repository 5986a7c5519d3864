import { readFile } from 'node:fs/promises';
import * as oidc from 'openid-client';
import { fetch as undiciFetch, type Agent } from 'undici';
import { CliError } from '../cli-error.ts';
import type { Account, CredentialsFile } from './credentials.ts';
import { connectionFailure, signInHint } from './failures.ts';

/** A token that is used at once is renewed when it has less than this left. */
const marginMilliseconds = 30_000;

interface KeptToken {
  readonly accessToken: string;
  readonly expiresAt: number;
}

export interface TokenSource {
  readonly file: CredentialsFile;
  readonly server: string;
  readonly agent: Agent;
  readonly advice: string;
}

/**
 * An access token for `resource`, from the file while what is left of it suffices, else renewed, for however long the
 * server grants. Throws `not-signed-in`.
 */
export async function accessToken(
  source: TokenSource,
  resource: string,
  suffices: (kept: KeptToken) => boolean = ({ expiresAt }) => expiresAt - Date.now() > marginMilliseconds,
): Promise<string> {
  const kept = (await source.file.read()).servers[source.server]?.tokens[resource];
  if (kept && suffices(kept)) return kept.accessToken;
  return source.file.change(async (present) => {
    const account = present.servers[source.server];
    if (account === undefined) throw notSignedIn(source.server);
    const now = account.tokens[resource];
    if (now && suffices(now)) return { next: present, result: now.accessToken };
    const granted = await renew(source, account, resource);
    const next: Account = {
      ...account,
      refreshToken: granted.refresh_token ?? account.refreshToken,
      tokens: {
        ...account.tokens,
        [resource]: {
          accessToken: granted.access_token,
          expiresAt: Date.now() + (granted.expiresIn() ?? 60) * 1000,
        },
      },
    };
    return {
      next: { ...present, servers: { ...present.servers, [source.server]: next } },
      result: granted.access_token,
    };
  });
}

async function renew(source: TokenSource, account: Account, resource: string) {
  const scope = `${resource}/.default`;
  try {
    if (account.kind === 'person') {
      if (account.refreshToken === null) throw notSignedIn(source.server);
      const config = await discover(source, account.issuer, account.clientId, oidc.None());
      return await oidc.refreshTokenGrant(config, account.refreshToken, { scope });
    }
    return await applicationGrant(source, account, scope);
  } catch (error) {
    throw tokenFailure(error, source, account);
  }
}

/** The client-credentials grant of an application; its proof is read from its file, never kept. */
export async function applicationGrant(
  source: Omit<TokenSource, 'file'>,
  account: Pick<Account, 'kind' | 'issuer' | 'clientId' | 'proofFile'>,
  scope: string,
) {
  if (account.proofFile === null) throw notSignedIn(source.server);
  const proof = (await readFile(account.proofFile, 'utf8')).trim();
  const authentication = account.kind === 'secret' ? oidc.ClientSecretPost(proof) : assertion(proof);
  const config = await discover(source, account.issuer, account.clientId, authentication);
  return oidc.clientCredentialsGrant(config, { scope });
}

/** The client proves itself by a token of another issuer. RFC 7521 §4.2 */
function assertion(token: string): oidc.ClientAuth {
  return (_server, client, body) => {
    body.set('client_id', client.client_id);
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    body.set('client_assertion', token);
  };
}

export async function discover(
  source: Pick<TokenSource, 'agent'>,
  issuer: string,
  clientId: string,
  authentication: oidc.ClientAuth,
): Promise<oidc.Configuration> {
  return oidc.discovery(new URL(issuer), clientId, undefined, authentication, {
    [oidc.customFetch]: fetchThrough(source.agent),
    timeout: 30,
  });
}

/** `fetch` that trusts what the agent trusts. */
function fetchThrough(agent: Agent): oidc.CustomFetch {
  return async (url, options) => {
    const reply = await undiciFetch(url, {
      method: options.method,
      headers: options.headers,
      redirect: options.redirect,
      dispatcher: agent,
      ...(typeof options.body === 'string' || options.body instanceof URLSearchParams
        ? { body: options.body }
        : {}),
      ...(options.signal ? { signal: options.signal } : {}),
    });
    return new Response(await reply.arrayBuffer(), { status: reply.status, headers: [...reply.headers] });
  };
}

export function tokenFailure(
  error: unknown,
  source: Omit<TokenSource, 'file'>,
  account: Pick<Account, 'kind'>,
): CliError {
  if (error instanceof CliError) return error;
  const again = account.kind === 'person' ? signInHint : 'Check the application and its credential.';
  if (error instanceof oidc.WWWAuthenticateChallengeError) {
    const message = 'The token service does not accept the credential.';
    return new CliError('not-signed-in', message, { hint: again, cause: error });
  }
  if (error instanceof oidc.ResponseBodyError) {
    return new CliError(
      'not-signed-in',
      error.error_description ?? `The token service answered ${error.error}.`,
      {
        code: error.error,
        hint: again,
        cause: error,
      },
    );
  }
  if (error instanceof oidc.ClientError && error.code !== 'OAUTH_TIMEOUT' && error.code !== 'OAUTH_ABORT') {
    const message = `The token service’s answer is not valid: ${error.message}.`;
    return new CliError('not-signed-in', message, { hint: again, cause: error });
  }
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
    return new CliError('not-signed-in', `The credential file is gone: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return connectionFailure(error, source.server, source.advice);
}

export function notSignedIn(server: string): CliError {
  return new CliError('not-signed-in', `You are not signed in to ${server}.`, {
    hint: signInHint,
  });
}
