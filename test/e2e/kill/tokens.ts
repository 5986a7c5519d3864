import type { Acknowledged } from './acknowledged.ts';
import { Unexpected, untilAnswered } from './actor.ts';
import type { Answer } from './client.ts';
import type { Stage, Workload } from './stage.ts';

export const armResource = 'https://management.azure.com';
export const storageResource = 'https://storage.azure.com';

/** Tokens of a workload, each exchanged for a fresh assertion of the CI system. */
export class WorkloadTokens {
  readonly #stage: Stage;
  readonly #workload: Workload;
  readonly #acknowledged: Acknowledged;

  constructor(stage: Stage, workload: Workload, acknowledged: Acknowledged) {
    this.#stage = stage;
    this.#workload = workload;
    this.#acknowledged = acknowledged;
  }

  async exchange(resource: string): Promise<string> {
    let assertion = '';
    const answer = await untilAnswered(async () => {
      assertion = await this.#assertion();
      return this.present(assertion, resource);
    });
    if (answer.status !== 200) throw new Unexpected('the exchange', answer);
    this.#acknowledged.assertions.push(assertion);
    return (answer.json() as { access_token: string }).access_token;
  }

  present(assertion: string, resource: string): Promise<Answer> {
    const { client, tenantId } = this.#stage;
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: this.#workload.appId,
      scope: `${resource}/.default`,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    });
    return client.send('POST', `/${tenantId}/oauth2/v2.0/token`, { body });
  }

  async #assertion(): Promise<string> {
    const run = this.#stage.issuer.runs['production'];
    const address = new URL(run?.requestUrl ?? '');
    address.searchParams.set('audience', 'api://AzureADTokenExchange');
    const response = await fetch(address, {
      headers: { authorization: `Bearer ${run?.requestToken ?? ''}` },
    });
    return ((await response.json()) as { value: string }).value;
  }
}
