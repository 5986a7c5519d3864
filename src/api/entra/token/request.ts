import type { Exchange } from '../../../gateway/types.ts';
import type { Workload } from '../../../identity/directory/workloads.ts';
import type { ActorRef, PrincipalRecord } from '../../../store/changes.ts';
import type { EndpointVersion } from './endpoint.ts';

/** A token request as the checks read it. */
export interface TokenRequestForm {
  readonly exchange: Exchange;
  readonly version: EndpointVersion;
  readonly form: ReadonlyMap<string, string>;
}

/** How a client proved itself. */
export interface Proof {
  readonly method: 'client-secret' | 'certificate' | 'federated';
  readonly appidacr: '1' | '2';
  /** The run of a CI system that acts for the client, where the assertion names one. */
  readonly ciRun: ActorRef | null;
  /** For the ledger: which credential, which issuer, which claims. No secrets. */
  readonly detail: Readonly<Record<string, string>>;
  /** Uses up an assertion that may be used once; the last thing before the token is signed. */
  readonly spend: ((chain: readonly ActorRef[]) => Promise<void>) | null;
}

export interface KnownClient {
  readonly client: Workload;
  readonly sponsor: PrincipalRecord;
}
