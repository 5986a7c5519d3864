import { routeTable } from '../../gateway/route-table.ts';
import { headWith } from '../../gateway/edge/checked-head.ts';
import type { Described, RequestHead, Surface } from '../../gateway/types.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { PolicySnapshot } from '../../policy/snapshot.ts';
import { versioned } from './api-version.ts';
import { renderArmError } from './errors.ts';
import { assetRoutes } from './machine-learning/assets.ts';
import { computeRoutes } from './machine-learning/computes.ts';
import { datastoreRoutes } from './machine-learning/datastores.ts';
import { jobRoutes } from './machine-learning/jobs.ts';
import type { MachineLearningParts } from './machine-learning/parts.ts';
import { runHistoryRoutes } from './machine-learning/run-history.ts';
import { workspaceRoutes } from './machine-learning/workspaces.ts';
import { managementGroupRoutes } from './management-groups/routes.ts';
import { rootRoutes } from './root/root-routes.ts';

export interface ArmSurfaceOptions extends Omit<MachineLearningParts, 'jsonBytes' | 'pageSize'> {
  /** Token audiences that are accepted, exact strings. */
  readonly audiences: readonly string[];
  readonly snapshot: PolicySnapshot;
  /** Microsoft.Authorization, at any scope; asked before the routes here. */
  readonly describeAuthorization: (head: RequestHead) => Described | null;
  /** What a principal is called in a refusal. */
  principalName(id: string): string | undefined;
  /** Whether a role is assigned to the principal, or to a group of theirs, at this scope or beneath it. */
  holdsRoleWithin(id: PrincipalId, scope: string): boolean;
  readonly jsonBytes?: number;
  readonly pageSize?: number;
}

const paths = /^\/+(?:subscriptions|providers|tenants|metadata\/endpoints|discovery|history\/v1\.0)(?:\/|$)/i;

/**
 * The resource manager: subscriptions, the machine learning workspace with its assets and jobs, role assignments, and
 * the run history beside them. Paths are compared without case; any api-version is accepted, none is not. Empty segments
 * are no segments: a scope that begins with a slash, put behind one, makes `//` in Azure's clients.
 */
export function armSurface(options: ArmSurfaceOptions): Surface {
  const parts: MachineLearningParts = { jsonBytes: 1_048_576, pageSize: 100, ...options };
  const { publicUrl, baseDomain } = parts.endpoints;
  const { store, tenantId } = parts;
  const root = rootRoutes({
    store,
    tenantId,
    publicUrl,
    baseDomain,
    holdsRoleWithin: (id, scope) => options.holdsRoleWithin(id, scope),
  });
  const describeResource = routeTable(
    [
      ...root,
      ...managementGroupRoutes({ ...parts, snapshot: options.snapshot }),
      ...workspaceRoutes(parts),
      ...datastoreRoutes(parts),
      ...computeRoutes(parts),
      ...assetRoutes(parts),
      ...jobRoutes(parts),
    ],
    { caseInsensitive: true },
  );
  const describeHistory = routeTable(runHistoryRoutes(parts), { caseInsensitive: true });
  const context = { publicUrl, tenantId, principalName: (id: string) => options.principalName(id) };
  return {
    name: 'arm',
    matches: (head) => paths.test(head.path),
    audiences: options.audiences,
    acceptsSessionCookie: false,
    admitsEmptySegments: true,
    describe(given) {
      const head = withoutEmptySegments(given);
      const described = options.describeAuthorization(head) ?? describeResource(head);
      return described === null ? describeHistory(head) : versioned(described);
    },
    renderError: (error, head) => renderArmError(error, head, context),
  };
}

function withoutEmptySegments(head: RequestHead): RequestHead {
  return head.path.includes('//') ? headWith(head, { path: head.path.replaceAll(/\/{2,}/g, '/') }) : head;
}
