// RFC 6749 §4.4: the client credentials grant is for confidential clients only.
import type { Workload } from '../../../../identity/directory/workloads.ts';
import { refusal } from '../../errors.ts';

/** Throws AADSTS700025 for an application that runs on people's machines. */
export function confidentialClient(client: Workload): void {
  if (client.publicClient)
    throw refusal(
      'unauthorized_client',
      700_025,
      `${client.displayName} is a public client, so it cannot sign in by itself.`,
    );
}
