import type { Exchange } from '../../../gateway/types.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { TenantId } from '../../../lib/ids.ts';
import type { PolicySnapshot } from '../../../policy/snapshot.ts';
import type { Commit, ScopePlacement } from '../../../store/changes.ts';
import { refusal } from '../authorization/refusals.ts';
import { Hierarchy } from './hierarchy.ts';
import { isGroupScope, nameOf } from './names.ts';

export interface ManagementGroupParts {
  readonly snapshot: PolicySnapshot;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly tenantId: TenantId;
  readonly jsonBytes: number;
  /** Elements of one page. */
  readonly pageSize: number;
}

export const actions = {
  read: 'Microsoft.Management/managementGroups/read',
  write: 'Microsoft.Management/managementGroups/write',
  delete: 'Microsoft.Management/managementGroups/delete',
  descendants: 'Microsoft.Management/managementGroups/descendants/read',
  readSettings: 'Microsoft.Management/managementGroups/settings/read',
  writeSettings: 'Microsoft.Management/managementGroups/settings/write',
  deleteSettings: 'Microsoft.Management/managementGroups/settings/delete',
  readSubscription: 'Microsoft.Management/managementGroups/subscriptions/read',
  writeSubscription: 'Microsoft.Management/managementGroups/subscriptions/write',
  deleteSubscription: 'Microsoft.Management/managementGroups/subscriptions/delete',
} as const;

export function hierarchyNow({ snapshot, tenantId }: ManagementGroupParts): Hierarchy {
  return new Hierarchy(snapshot.placements(), tenantId);
}

/** Throws `not_found` as Azure does. */
export function requireGroup(hierarchy: Hierarchy, scope: string): ScopePlacement {
  const found = hierarchy.find(scope);
  if (found) return found;
  throw refusal('not_found', 'NotFound', `The management group '${nameOf(scope)}' cannot be found.`);
}

/** Of these, what the caller may see, in the same order; decided with the request and recorded as one event. */
export async function visibleOf(
  exchange: Exchange,
  placements: Iterable<ScopePlacement>,
): Promise<ScopePlacement[]> {
  const looked = [...placements];
  const decisions = await exchange.decideEach(
    looked.map(({ scope }) => ({
      action: isGroupScope(scope) ? actions.read : actions.readSubscription,
      dataAction: false,
      scope,
    })),
  );
  return looked.filter((_, index) => decisions[index]?.allowed === true);
}
