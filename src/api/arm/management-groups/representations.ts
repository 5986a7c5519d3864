import type { ScopePlacement } from '../../../store/changes.ts';
import type { Hierarchy } from './hierarchy.ts';
import { isGroupScope, nameOf, shownId } from './names.ts';

export const groupType = 'Microsoft.Management/managementGroups';

/** A group as lists show it. */
export function groupInfo({ scope, displayName }: ScopePlacement, tenantId: string): object {
  return {
    id: shownId(scope),
    type: groupType,
    name: nameOf(scope),
    properties: { tenantId, displayName },
  };
}

export interface GroupDetails {
  readonly tenantId: string;
  /** Already the caller's to see; null when they were not asked for. */
  readonly children: readonly object[] | null;
  readonly withAncestors: boolean;
  readonly withPath: boolean;
}

/** learn.microsoft.com/rest/api/managementgroups/management-groups/get */
export function groupBody(hierarchy: Hierarchy, group: ScopePlacement, wanted: GroupDetails): object {
  const { tenantId, children, withAncestors, withPath } = wanted;
  const parent = hierarchy.find(hierarchy.parentOf(group) ?? '');
  const above = hierarchy.above(group.scope);
  return {
    ...groupInfo(group, tenantId),
    properties: {
      tenantId,
      displayName: group.displayName,
      details: {
        ...(parent ? { parent: reference(parent) } : {}),
        ...(withAncestors
          ? {
              managementGroupAncestors: above.map(({ scope }) => nameOf(scope)),
              managementGroupAncestorsChain: above.map(pathElement),
            }
          : {}),
        ...(withPath ? { path: above.toReversed().map(pathElement) } : {}),
      },
      ...(children === null ? {} : { children }),
    },
  };
}

export function childBody(
  { scope, displayName }: ScopePlacement,
  children: readonly object[] | null,
): object {
  return {
    id: shownId(scope),
    type: typeOf(scope),
    name: nameOf(scope),
    displayName,
    ...(children === null || children.length === 0 ? {} : { children }),
  };
}

export function descendantBody(hierarchy: Hierarchy, placement: ScopePlacement): object {
  const { scope, displayName } = placement;
  return {
    id: shownId(scope),
    type: isGroupScope(scope) ? groupType : `${groupType}/subscriptions`,
    name: nameOf(scope),
    properties: { displayName, parent: { id: shownId(hierarchy.parentOf(placement) ?? '') } },
  };
}

/** learn.microsoft.com/rest/api/managementgroups/management-group-subscriptions */
export function subscriptionBody(
  parent: string,
  { scope, displayName }: ScopePlacement,
  tenant: string,
): object {
  return {
    id: `${shownId(parent)}/subscriptions/${nameOf(scope)}`,
    type: `${groupType}/subscriptions`,
    name: nameOf(scope),
    properties: { tenant, displayName, parent: { id: shownId(parent) }, state: 'Active' },
  };
}

/** One of what `getEntities` lists; `visible` tells which of the groups above may be named. */
export function entityBody(
  hierarchy: Hierarchy,
  placement: ScopePlacement,
  tenantId: string,
  visible: ReadonlySet<string>,
): object {
  const { scope, displayName } = placement;
  const parent = hierarchy.parentOf(placement);
  const seen = (each: ScopePlacement) => visible.has(each.scope);
  const above = hierarchy.above(scope).filter(seen).toReversed();
  const children = hierarchy.childrenOf(scope).filter(seen);
  return {
    id: shownId(scope),
    type: typeOf(scope),
    name: nameOf(scope),
    properties: {
      tenantId,
      displayName,
      parent: { id: parent === null ? null : shownId(parent) },
      parentDisplayNameChain: above.map((each) => each.displayName),
      parentNameChain: above.map((each) => nameOf(each.scope)),
      numberOfDescendants: hierarchy.beneath(scope).filter(seen).length,
      numberOfChildren: children.length,
      numberOfChildGroups: children.filter((each) => isGroupScope(each.scope)).length,
    },
  };
}

function typeOf(scope: string): string {
  return isGroupScope(scope) ? groupType : '/subscriptions';
}

function reference({ scope, displayName }: ScopePlacement): object {
  return { id: shownId(scope), name: nameOf(scope), displayName };
}

function pathElement({ scope, displayName }: ScopePlacement): object {
  return { name: nameOf(scope), displayName };
}
