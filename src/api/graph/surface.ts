import { routeTable } from '../../gateway/route-table.ts';
import type { Surface } from '../../gateway/types.ts';
import type { Directory } from '../../identity/directory/directory.ts';
import type { TenantId } from '../../lib/ids.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { applicationRoutes } from './applications.ts';
import { renderGraphError } from './errors.ts';
import { federatedCredentialRoutes } from './federated-credentials.ts';
import { groupRoutes } from './groups.ts';
import type { GraphParts } from './parts.ts';
import { userRoutes } from './users.ts';

export interface GraphSurfaceOptions {
  readonly directory: Directory;
  readonly snapshot: PolicySnapshot;
  readonly tenantId: TenantId;
  /** `https://host:port`, as clients address us. */
  readonly publicUrl: string;
  /** Largest JSON body. */
  readonly jsonBytes?: number;
}

/**
 * The directory in Microsoft Graph's shapes, `/v1.0`: what az, Terraform and Graph clients ask when they look for
 * people, groups and applications. Every route needs an action of `Lockstep.Access/…` at `/providers/lockstep.access`.
 */
export function graphSurface(options: GraphSurfaceOptions): Surface {
  const { directory, snapshot, tenantId, publicUrl } = options;
  const parts: GraphParts = { directory, snapshot, tenantId, jsonBytes: options.jsonBytes ?? 1_048_576 };
  const describe = routeTable([
    ...userRoutes(parts),
    ...groupRoutes(parts),
    ...applicationRoutes(parts),
    ...federatedCredentialRoutes(parts),
  ]);
  return {
    name: 'graph',
    matches: (head) => head.path === '/v1.0' || head.path.startsWith('/v1.0/'),
    audiences: [
      'https://graph.microsoft.com',
      'https://graph.microsoft.com/',
      '00000003-0000-0000-c000-000000000000',
      'api://lockstep',
      'api://lockstep/',
      // az and Terraform name Graph by its address, and that is ours.
      publicUrl,
      `${publicUrl}/`,
    ],
    acceptsSessionCookie: false,
    describe,
    renderError: (error, head) => renderGraphError(error, head, { publicUrl, tenantId }),
  };
}
