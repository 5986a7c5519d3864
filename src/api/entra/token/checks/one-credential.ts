// RFC 6749 §2.3: a client uses one method of authentication in a request. RFC 7523 §2.2: assertions name their type.
import { readAssertion } from '../../../../identity/federation/outside-token.ts';
import type { Workload } from '../../../../identity/directory/workloads.ts';
import { refusal } from '../../errors.ts';
import type { Proof, TokenRequestForm } from '../request.ts';
import { basicCredentials } from './basic-credentials.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** An assertion that names the client itself as issuer is signed with its certificate; any other is federated. */
export function oneCredential(
  request: TokenRequestForm,
  client: Workload,
): { readonly method: Proof['method']; readonly value: string } {
  const { form } = request;
  const assertion = form.get('client_assertion');
  const secrets = [basicCredentials(request)?.secret, form.get('client_secret')].filter(
    (secret) => secret !== undefined,
  );
  const [secret] = secrets;
  if (secrets.length + (assertion === undefined ? 0 : 1) > 1)
    throw refusal(
      'invalid_request',
      7_000_216,
      'Send one credential: a client secret or a client assertion.',
    );
  if (secret !== undefined) return { method: 'client-secret', value: secret };
  if (assertion === undefined)
    throw refusal(
      'invalid_client',
      7_000_218,
      "The request body must contain 'client_assertion' or 'client_secret'.",
    );
  if (form.get('client_assertion_type') !== assertionType)
    throw refusal('invalid_request', 50_027, `client_assertion_type must be ${assertionType}.`);
  return { method: isOwn(assertion, client) ? 'certificate' : 'federated', value: assertion };
}

function isOwn(assertion: string, client: Workload): boolean {
  return readAssertion(assertion, { needsKid: false }).claims.iss.toLowerCase() === client.clientId;
}
