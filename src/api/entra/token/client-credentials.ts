import type { Exchange, Reply } from '../../../gateway/types.ts';
import { asLockstepError, type LockstepError } from '../../../lib/errors.ts';
import type { ActorRef, PrincipalRecord } from '../../../store/changes.ts';
import { jsonReply } from '../dialect.ts';
import { confidentialClient } from './checks/confidential-client.ts';
import { enabledClient } from './checks/enabled-client.ts';
import { knownClient } from './checks/known-client.ts';
import { oneCredential } from './checks/one-credential.ts';
import { requestedResource } from './checks/requested-resource.ts';
import type { EndpointVersion, TokenParts } from './endpoint.ts';
import { prove } from './prove.ts';
import type { KnownClient, Proof, TokenRequestForm } from './request.ts';

/** What is known of the request when it succeeds or fails, for the ledger. */
interface Progress {
  client: KnownClient['client'] | null;
  audience: string | null;
  method: Proof['method'] | 'none';
}

/**
 * The client credentials grant, RFC 6749 §4.4 with RFC 7523 §2.2, in Entra's dialect. The checks stand in their
 * order; each throws its own refusal. Whatever the outcome, it is in the ledger before the answer leaves.
 */
export async function clientCredentials(
  parts: TokenParts,
  exchange: Exchange,
  version: EndpointVersion,
): Promise<Reply> {
  const request: TokenRequestForm = { exchange, version, form: exchange.form() };
  const progress: Progress = { client: null, audience: null, method: 'none' };
  try {
    const client = (progress.client = await knownClient(parts, request));
    const presented = oneCredential(request, client);
    progress.method = presented.method;
    const audience = (progress.audience = requestedResource(parts, request));
    confidentialClient(client);
    const proof = await prove[presented.method](parts, request, client, presented.value);
    const sponsor = enabledClient(parts, client);
    return await issue(parts, request, { client, sponsor, proof, audience });
  } catch (thrown) {
    const error = asLockstepError(thrown);
    await recordFailure(parts, exchange, progress, error);
    throw error;
  }
}

interface Grant extends KnownClient {
  readonly proof: Proof;
  readonly audience: string;
}

async function issue(
  parts: TokenParts,
  { exchange, version }: TokenRequestForm,
  grant: Grant,
): Promise<Reply> {
  const { client, sponsor, proof, audience } = grant;
  const lifetimeSeconds = client.accessTokenSeconds ?? parts.applicationSeconds;
  const chain: ActorRef[] = [linkOf(sponsor), ...(proof.ciRun === null ? [] : [proof.ciRun]), linkOf(client)];
  await proof.spend?.(chain);
  const issued = await parts.issuer.issue({
    subject: client,
    audience,
    lifetimeSeconds,
    chain,
    authorities: [client.id],
    clientId: client.clientId,
    idType: 'app',
    appidacr: proof.appidacr,
  });
  await parts.record({
    kind: 'authentication',
    attribution: { ...exchange.attribution, chain, tokenId: issued.tokenId },
    activity: 'token-issue',
    succeeded: true,
    failureCode: null,
    principalId: client.id,
    principalName: client.displayName,
    method: proof.method,
    audience,
    tokenId: issued.tokenId,
    expiresAt: issued.expiresAt,
    detail: proof.detail,
  });
  const common = { token_type: 'Bearer', access_token: issued.token };
  if (version === 2)
    return jsonReply(200, { ...common, expires_in: lifetimeSeconds, ext_expires_in: lifetimeSeconds });
  return jsonReply(200, {
    ...common,
    expires_in: String(lifetimeSeconds),
    ext_expires_in: String(lifetimeSeconds),
    expires_on: String(issued.expiresAt),
    not_before: String(issued.expiresAt - lifetimeSeconds),
    resource: audience,
  });
}

async function recordFailure(
  parts: TokenParts,
  exchange: Exchange,
  progress: Progress,
  error: LockstepError,
): Promise<void> {
  const aadsts = error.details['aadsts'];
  await parts.record({
    kind: 'authentication',
    attribution: exchange.attribution,
    activity: 'token-issue',
    succeeded: false,
    failureCode: error.code,
    principalId: progress.client?.id ?? null,
    principalName: progress.client?.displayName ?? null,
    method: progress.method,
    audience: progress.audience,
    tokenId: null,
    expiresAt: null,
    detail: { ...(typeof aadsts === 'number' && { aadsts: String(aadsts) }), reason: error.publicMessage },
  });
}

export function linkOf({ kind, id, displayName }: PrincipalRecord): ActorRef {
  return { kind, id, name: displayName };
}
