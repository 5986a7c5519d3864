import type { Route } from '../../gateway/routes.ts';
import { ownScope } from '../own-actions.ts';
import { noBody } from './replies.ts';

/** What anyone may know of this server, and what its command line starts from. */
export interface DiscoveryFacts {
  readonly version: string;
  readonly publicUrl: string;
  readonly tenantId: string;
  readonly issuer: string;
  readonly cliClientId: string;
  readonly workspaceId: string;
  readonly storageAccountId: string;
  /** Asked each time: keys are exchanged while the server runs. */
  readonly ledger: {
    readonly verifierKey: string;
    readonly verifierKeys: readonly string[];
    readonly retiredKeys: readonly string[];
  };
}

export const discoveryPath = '/lockstep/v1/discovery';

export function discoveryRoutes(facts: DiscoveryFacts): Route[] {
  const { ledger, ...rest } = facts;
  const document = () => {
    const { verifierKey, verifierKeys, retiredKeys } = ledger;
    return JSON.stringify({
      product: 'lockstep',
      ...rest,
      resources: {
        admin: 'api://lockstep',
        arm: 'https://management.azure.com',
        directory: 'https://graph.microsoft.com',
        storage: 'https://storage.azure.com',
      },
      ledger: { verifierKey, verifierKeys, retiredKeys, path: '/ledger', policy: '/ledger/policy' },
    });
  };
  return [
    {
      method: 'GET',
      path: discoveryPath,
      operation: 'Lockstep.Access/discovery/read',
      effect: 'read',
      body: noBody,
      guard: () => ({ kind: 'public', rule: 'discovery', scope: ownScope }),
      serve: () =>
        Promise.resolve({
          status: 200,
          headers: { 'content-type': 'application/json', 'cache-control': 'no-cache' },
          body: document(),
        }),
    },
  ];
}
