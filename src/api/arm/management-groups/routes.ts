import type { Route } from '../../../gateway/routes.ts';
import { groupRoutes } from './group-routes.ts';
import type { ManagementGroupParts } from './parts.ts';
import { settingsRoutes } from './settings-routes.ts';
import { groupSubscriptionRoutes } from './subscription-routes.ts';
import { tenantRoutes } from './tenant-routes.ts';

/**
 * Microsoft.Management: groups above subscriptions, and what hangs where. What is changed is in force, and recorded, when
 * the answer goes out, so no answer sends the client to wait for an operation.
 */
export function managementGroupRoutes(parts: ManagementGroupParts): Route[] {
  return [
    ...tenantRoutes(parts),
    ...groupSubscriptionRoutes(parts),
    ...groupRoutes(parts),
    ...settingsRoutes(parts),
  ];
}
