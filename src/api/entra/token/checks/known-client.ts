// RFC 6749 §2.2, §2.3: the client says who it is, once, and is registered here.
import type { Workload } from '../../../../identity/directory/workloads.ts';
import { isGuid } from '../../../../lib/ids.ts';
import { refusal } from '../../errors.ts';
import type { TokenParts } from '../endpoint.ts';
import type { TokenRequestForm } from '../request.ts';
import { basicCredentials } from './basic-credentials.ts';

/** Throws AADSTS900144 without `client_id`, AADSTS700016 for one that is not known. */
export async function knownClient(parts: TokenParts, request: TokenRequestForm): Promise<Workload> {
  const basic = basicCredentials(request);
  const named = request.form.get('client_id');
  if (basic !== null && named !== undefined && basic.clientId !== named)
    throw refusal(
      'invalid_request',
      900_144,
      'The request names two clients: in its header and in its body.',
    );
  const clientId = basic?.clientId ?? named;
  if (clientId === undefined || clientId === '')
    throw refusal('invalid_request', 900_144, "The request body must contain the parameter 'client_id'.");
  const client = isGuid(clientId) ? await parts.directory.workloadByClientId(clientId) : null;
  if (client === null)
    throw refusal(
      'unauthorized_client',
      700_016,
      `The application ${JSON.stringify(clientId.slice(0, 100))} was not found in this tenant.`,
    );
  return client;
}
