import type { Exchange, Reply } from '../../../gateway/types.ts';
import type { TokenIssuer } from '../../../identity/tokens/issue.ts';
import type { Directory } from '../../../identity/directory/directory.ts';
import type { ExternalIssuers } from '../../../identity/federation/external-issuers.ts';
import type { UsedAssertions } from '../../../identity/federation/used-assertions.ts';
import type { Liveness } from '../../../identity/liveness.ts';
import type { SignInThrottle } from '../../../identity/signin/throttle.ts';
import type { RecordFact } from '../../../ledger/events.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Authority } from '../discovery.ts';
import { refusal } from '../errors.ts';
import type { Resource } from '../resources.ts';
import { authenticateClient } from './authenticate-client.ts';
import { clientCredentials } from './client-credentials.ts';
import { VerifiedSecrets } from './verified-secrets.ts';

export interface TokenEndpointOptions extends Authority {
  readonly directory: Directory;
  readonly liveness: Liveness;
  readonly issuer: TokenIssuer;
  readonly externalIssuers: ExternalIssuers;
  readonly usedAssertions: UsedAssertions;
  readonly throttle: SignInThrottle;
  readonly record: RecordFact;
  readonly resources: readonly Resource[];
  readonly clock: Clock;
  /** Life of an application's token where the application names none, in seconds. */
  readonly applicationSeconds: number;
  /** Grants that begin in a browser: authorization_code, refresh_token, device codes. */
  readonly interactiveToken?: (exchange: Exchange) => Promise<Reply>;
}

/** What every check of a grant can reach. */
export interface TokenParts extends TokenEndpointOptions {
  readonly verifiedSecrets: VerifiedSecrets;
}

/** 1: Azure AD's first endpoint (`resource`), 2: the present one (`scope`). */
export type EndpointVersion = 1 | 2;

const interactiveGrants = new Set([
  'authorization_code',
  'refresh_token',
  'device_code',
  'urn:ietf:params:oauth:grant-type:device_code',
]);

/** The token endpoint: reads the grant type and hands over to the grant. RFC 6749 §3.2. */
export class TokenEndpoint {
  readonly #parts: TokenParts;

  constructor(options: TokenEndpointOptions) {
    this.#parts = { ...options, verifiedSecrets: new VerifiedSecrets() };
  }

  async serve(exchange: Exchange, version: EndpointVersion): Promise<Reply> {
    const grantType = exchange.form().get('grant_type');
    if (grantType === undefined || grantType === '')
      throw refusal('invalid_request', 900_144, "The request body must contain the parameter 'grant_type'.");
    if (grantType === 'client_credentials') return clientCredentials(this.#parts, exchange, version);
    if (interactiveGrants.has(grantType) && this.#parts.interactiveToken !== undefined)
      return this.#parts.interactiveToken(exchange);
    throw refusal(
      'unsupported_grant_type',
      70_003,
      `The grant type ${JSON.stringify(grantType.slice(0, 100))} is not supported.`,
    );
  }

  /** For the interactive grants: proves a confidential client. Throws `invalid_client` and its kin. */
  authenticateClient(exchange: Exchange, client: { readonly appId: string }): Promise<void> {
    return authenticateClient(this.#parts, exchange, client);
  }
}
