import type { IncomingMessage } from 'node:http';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Exchange, Reply } from '../../gateway/types.ts';
import { LockstepError } from '../../lib/errors.ts';
import type { SessionId } from '../../lib/ids.ts';
import type { PrincipalRecord, SessionRecord } from '../../store/changes.ts';
import type { InteractiveClient } from './built-in-clients.ts';
import {
  audienceOf,
  clientInfo,
  delegatedPermission,
  entraError,
  grantedScope,
  jsonReply,
  parseScope,
  type RequestedScope,
} from './dialect.ts';
import { refusal } from './errors.ts';
import { actorOf, type InteractiveParts } from './interactive-parts.ts';
import { parseStandardError, parseTokens } from './library-answers.ts';
import { throughListener } from './node-bridge.ts';
import { libraryRoutes } from './oidc-library.ts';

/** A token request, and what becomes known of it. */
interface Redemption {
  readonly exchange: Exchange;
  readonly form: ReadonlyMap<string, string>;
  readonly activity: 'token-issue' | 'token-renewal';
  readonly clientId: string;
}

/**
 * The grants `authorization_code` (RFC 6749 §4.1.3) and `refresh_token` (§6, rotated as RFC 9700 §4.14.2 says).
 * The library says yes or no; its access token is replaced by one of Lockstep's own, bound to the session.
 * Whatever the outcome, it is in the ledger before the answer leaves.
 */
export async function redeem(parts: InteractiveParts, exchange: Exchange): Promise<Reply> {
  const form = exchange.form();
  const renewal = form.get('grant_type') === 'refresh_token';
  const redemption: Redemption = {
    exchange,
    form,
    activity: renewal ? 'token-renewal' : 'token-issue',
    clientId: form.get('client_id') ?? '',
  };
  try {
    const client = await provenClient(parts, redemption);
    const requested = parseScope(form.get('scope') ?? '');
    const audience = requested.resource === null ? null : parts.audienceFor(requested);
    const answer = await askLibrary(parts, redemption, client, requested);
    if (answer.context === undefined) {
      const error = { ...parseStandardError(answer.body), description: answer.detail };
      await recordFailure(parts, redemption, error.error);
      return jsonReply(answer.status, entraError(error, parts.traceOf(exchange.head)));
    }
    const { refreshToken, idToken } = parseTokens(answer.body);
    const minted = await mint(parts, redemption, { context: answer.context, client, audience });
    return jsonReply(200, {
      token_type: 'Bearer',
      scope: grantedScope(requested, minted.audience),
      expires_in: minted.expiresIn,
      ext_expires_in: minted.expiresIn,
      access_token: minted.token,
      ...(refreshToken !== undefined && { refresh_token: refreshToken }),
      ...(idToken !== undefined && { id_token: idToken }),
      ...(form.get('client_info') === '1' && { client_info: clientInfo(minted.personId, parts.tenantId) }),
    });
  } catch (thrown) {
    if (thrown instanceof LockstepError && thrown.status < 500) {
      await recordFailure(parts, redemption, thrown.code);
    }
    throw thrown;
  }
}

/** RFC 6749 §2.3 and §3.2.1: a public client has nothing to prove, any other does. */
async function provenClient(
  parts: InteractiveParts,
  { exchange, form, clientId }: Redemption,
): Promise<InteractiveClient> {
  const client = await parts.client(clientId);
  if (client === null) {
    const shown = JSON.stringify(clientId.slice(0, 100));
    throw refusal('unauthorized_client', 700_016, `The application ${shown} was not found in this tenant.`);
  }
  if (!client.publicClient) {
    if (parts.authenticateClient === undefined) {
      throw refusal('invalid_client', 7_000_218, 'The application must prove itself, and cannot do so here.');
    }
    await parts.authenticateClient(exchange, client);
  } else if (
    form.has('client_secret') ||
    form.has('client_assertion') ||
    exchange.head.headers.authorization !== undefined
  ) {
    throw refusal(
      'invalid_client',
      700_025,
      'The application is public, so it must not present a credential.',
    );
  }
  return client;
}

async function askLibrary(
  parts: InteractiveParts,
  { exchange, form }: Redemption,
  client: InteractiveClient,
  requested: RequestedScope,
) {
  const standard = new URLSearchParams({ client_id: client.appId });
  for (const name of ['grant_type', 'code', 'code_verifier', 'redirect_uri', 'refresh_token']) {
    const value = form.get(name);
    if (value !== undefined) standard.set(name, value);
  }
  if (form.get('grant_type') === 'refresh_token' && requested.identity.length > 0) {
    standard.set('scope', requested.identity.join(' '));
  }
  let bridged: IncomingMessage | undefined;
  const answer = await throughListener(
    (await parts.library()).callback(),
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
  const context = bridged === undefined ? undefined : parts.granted.get(bridged);
  const detail = bridged === undefined ? undefined : parts.refused.get(bridged);
  return { status: answer.status, body: answer.body, context, detail };
}

async function mint(
  parts: InteractiveParts,
  redemption: Redemption,
  granted: { context: KoaContextWithOIDC; client: InteractiveClient; audience: string | null },
) {
  const source = granted.context.oidc.entities.AccessToken;
  const grantId = source?.grantId;
  const session = parts.sessions.touch((source?.sessionUid ?? '') as SessionId);
  const person = await parts.person(source?.accountId ?? '');
  if (grantId === undefined || session === null || person === null || person.id !== session.principalId) {
    throw refusal('invalid_grant', 50_173, 'The sign-in behind this grant has ended.');
  }
  const resource = typeof source?.aud === 'string' ? audienceOf(source.aud) : parts.defaultAudience;
  const audience = granted.audience ?? resource;
  const now = Math.floor(parts.clock.now() / 1000);
  const lifetimeSeconds = Math.min(parts.accessTokenSeconds, Math.floor(session.expiresAt / 1000) - now);
  if (lifetimeSeconds < 1) throw refusal('invalid_grant', 50_173, 'The sign-in behind this grant has ended.');
  const token = await parts.tokens.issue({
    subject: person,
    audience,
    lifetimeSeconds,
    chain: [actorOf(person)],
    authorities: [person.id],
    sessionId: session.id,
    clientId: granted.client.appId,
    idType: 'user',
    scopes: [delegatedPermission],
    appidacr: granted.client.publicClient ? '0' : '1',
  });
  const { tokenId, expiresAt } = token;
  const { appId: clientId } = granted.client;
  const signInEndsAt = session.expiresAt;
  await parts.issued.note({ grantId, clientId, tokenId, principalId: person.id, expiresAt, signInEndsAt });
  await requireGrant(parts, grantId, clientId);
  await recordSuccess(parts, redemption, person, session, { tokenId, expiresAt, audience });
  return { token: token.token, audience, expiresIn: expiresAt - now, personId: person.id };
}

/**
 * While this token was being made, a second use of the code or refresh token may have ended the grant, and somebody
 * may have shut the application out.
 */
async function requireGrant(parts: InteractiveParts, grantId: string, clientId: string): Promise<void> {
  const library = await parts.library();
  const stands = (await library.Grant.find(grantId)) !== undefined;
  if (stands && (await parts.client(clientId)) !== null) return;
  await parts.issued.revoke(grantId);
  if (stands) throw refusal('unauthorized_client', 7_000_112, 'The application is disabled.');
  throw refusal('invalid_grant', 50_173, 'The grant was revoked: its code or refresh token was used twice.');
}

async function recordSuccess(
  parts: InteractiveParts,
  { exchange, activity, clientId }: Redemption,
  person: PrincipalRecord,
  session: SessionRecord,
  token: { readonly tokenId: string; readonly expiresAt: number; readonly audience: string },
): Promise<void> {
  const { attribution } = exchange;
  await parts.record({
    kind: 'authentication',
    attribution: {
      ...attribution,
      chain: [actorOf(person)],
      sessionId: session.id,
      tokenId: token.tokenId,
    },
    activity,
    succeeded: true,
    failureCode: null,
    principalId: person.id,
    principalName: person.signInName,
    method: methodOf(activity),
    ...token,
    detail: { clientId },
  });
}

async function recordFailure(
  parts: InteractiveParts,
  { exchange, activity, clientId }: Redemption,
  failureCode: string,
): Promise<void> {
  await parts.record({
    kind: 'authentication',
    attribution: exchange.attribution,
    activity,
    succeeded: false,
    failureCode,
    principalId: null,
    principalName: null,
    method: methodOf(activity),
    audience: null,
    tokenId: null,
    expiresAt: null,
    detail: { clientId: clientId.slice(0, 64) },
  });
}

function methodOf(activity: Redemption['activity']): string {
  return activity === 'token-renewal' ? 'refresh_token' : 'authorization_code';
}
