import { request, Agent } from 'undici';
import { z } from 'zod';
import { LockstepClient } from '../../examples/four-day-training-job/lockstep-client.ts';
import type { CiIssuer } from '../../examples/four-day-training-job/processes.ts';
import type { House } from './house.ts';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const idTokenAnswer = z.object({ value: z.string() });
const tokenAnswer = z.looseObject({
  access_token: z.string().optional(),
  error: z.string().optional(),
  error_description: z.string().optional(),
});

export interface TokenAnswer {
  readonly status: number;
  /** Empty when none was given. */
  readonly token: string;
  readonly error: string;
  readonly description: string;
}

/** A CI run by hand: it can also do what no client library would. */
export class CiClient {
  readonly client: LockstepClient;
  readonly #house: House;
  readonly #issuer: CiIssuer;
  readonly #appId: string;
  readonly #agent: Agent;
  readonly #tokens = new Map<string, Promise<string>>();

  constructor(house: House, issuer: CiIssuer, appId: string) {
    this.#house = house;
    this.#issuer = issuer;
    this.#appId = appId;
    this.#agent = new Agent({ connect: { ca: house.ca } });
    this.client = new LockstepClient(house.url, house.ca, (resource) => this.token(resource));
  }

  /** What the CI system gives a run of this name, as a step of it would ask. */
  async assertion(run = 'production', audience = 'api://AzureADTokenExchange'): Promise<string> {
    const { requestUrl = '', requestToken = '' } = this.#issuer.runs[run] ?? {};
    const address = `${requestUrl}&audience=${encodeURIComponent(audience)}`;
    const { body } = await request(address, { headers: { authorization: `Bearer ${requestToken}` } });
    return idTokenAnswer.parse(await body.json()).value;
  }

  /** Presents an assertion at the token service. */
  async exchange(assertion: string, resource = 'https://management.azure.com'): Promise<TokenAnswer> {
    return this.#ask(resource, { client_assertion_type: assertionType, client_assertion: assertion });
  }

  /** The same application without any run behind it. */
  async withSecret(secret: string, resource: string): Promise<TokenAnswer> {
    return this.#ask(resource, { client_secret: secret });
  }

  /** The status of a GET with just this token. */
  async sendWith(token: string, path: string, headers: Readonly<Record<string, string>>): Promise<number> {
    const authorization = `Bearer ${token}`;
    const answer = await request(new URL(path, this.#house.url), {
      dispatcher: this.#agent,
      headers: { ...headers, authorization },
    });
    await answer.body.dump();
    return answer.statusCode;
  }

  async #ask(resource: string, proof: Readonly<Record<string, string>>): Promise<TokenAnswer> {
    const { statusCode, body } = await request(
      `${this.#house.url}/${this.#house.stage.place.tenantId}/oauth2/v2.0/token`,
      {
        method: 'POST',
        dispatcher: this.#agent,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: this.#appId,
          scope: `${resource}/.default`,
          ...proof,
        }).toString(),
      },
    );
    const answer = tokenAnswer.parse(await body.json());
    return {
      status: statusCode,
      token: answer.access_token ?? '',
      error: answer.error ?? '',
      description: answer.error_description ?? '',
    };
  }

  /** A token of the production run, asked for once per resource. */
  token(resource: string): Promise<string> {
    const known = this.#tokens.get(resource);
    if (known !== undefined) return known;
    const asked = this.assertion().then(async (assertion) => {
      const { token, description } = await this.exchange(assertion, resource);
      if (token === '') throw new Error(`the production run was refused: ${description}`);
      return token;
    });
    this.#tokens.set(resource, asked);
    return asked;
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.#agent.close();
  }
}
