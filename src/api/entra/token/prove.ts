import { certificateAssertion } from './checks/certificate-assertion.ts';
import { clientSecret } from './checks/client-secret.ts';
import { federatedAssertion } from './checks/federated-assertion.ts';

/** How each credential is proved; each answers a Proof or throws `invalid_client` and its kin. */
export const prove = {
  'client-secret': clientSecret,
  certificate: certificateAssertion,
  federated: federatedAssertion,
} as const;
