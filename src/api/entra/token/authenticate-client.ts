import type { Exchange } from '../../../gateway/types.ts';
import { refusal } from '../errors.ts';
import { enabledClient } from './checks/enabled-client.ts';
import { knownClient } from './checks/known-client.ts';
import { oneCredential } from './checks/one-credential.ts';
import { linkOf } from './client-credentials.ts';
import type { TokenParts } from './endpoint.ts';
import { prove } from './prove.ts';

/**
 * Proves the confidential client of a grant that begins in a browser, by the same checks and methods as for its own
 * token. Throws `invalid_client` and its kin.
 */
export async function authenticateClient(
  parts: TokenParts,
  exchange: Exchange,
  expected: { readonly appId: string },
): Promise<void> {
  const request = { exchange, version: 2, form: exchange.form() } as const;
  const client = await knownClient(parts, request);
  if (client.clientId !== expected.appId.toLowerCase())
    throw refusal('invalid_client', 700_016, 'The credential is of another application.');
  const presented = oneCredential(request, client);
  const proof = await prove[presented.method](parts, request, client, presented.value);
  const sponsor = enabledClient(parts, client);
  await proof.spend?.([linkOf(sponsor), linkOf(client)]);
}
