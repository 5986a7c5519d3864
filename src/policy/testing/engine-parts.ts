import { Actions } from '../engine/actions.ts';
import { Assignments } from '../engine/assignments.ts';
import { ConditionAttributes } from '../engine/condition-attributes.ts';
import { MaskTier, untold } from '../engine/mask-tier.ts';
import { Memberships } from '../engine/memberships.ts';
import { Principals } from '../engine/principals.ts';
import { ResourceTags } from '../engine/resource-tags.ts';
import { RightsTier } from '../engine/rights-tier.ts';
import { Roles } from '../engine/roles.ts';
import { Scopes } from '../engine/scopes.ts';
import type { PolicyRows } from '../snapshot.ts';
import type { Access } from '../types.ts';

/** The engine's columns for a world that does not change, put together as the engine does, each within reach of a test. */
export interface EngineParts {
  readonly principals: Principals;
  readonly scopes: Scopes;
  readonly actions: Actions;
  readonly assignments: Assignments;
  readonly granted: Memberships;
  readonly denied: Memberships;
  readonly roles: Roles;
  readonly attributes: ConditionAttributes;
}

export function enginePartsOf(rows: PolicyRows): EngineParts {
  const actions: Actions = new Actions(
    (from) => {
      for (const each of [granted, denied]) each.forgetFrom(from);
    },
    (kept) => {
      for (const each of [granted, denied]) each.expandRow(kept);
    },
  );
  const granted = new Memberships(actions);
  const denied = new Memberships(actions);
  const roles = new Roles(granted, denied);
  const principals = new Principals(
    () => 1,
    () => undefined,
  );
  const scopes = new Scopes();
  const assignments = new Assignments({ principals, scopes, roles }, () => undefined);
  for (const record of rows.principals) principals.put(record);
  for (const { group, member } of rows.memberships) principals.addMember(group, member);
  for (const definition of rows.roleDefinitions) roles.put(definition);
  for (const placement of rows.placements ?? []) scopes.place(placement);
  for (const each of rows.roleAssignments) assignments.putGrant(each);
  for (const each of rows.denyAssignments) assignments.putDenial(each);
  const attributes = new ConditionAttributes(principals, new ResourceTags());
  return { principals, scopes, actions, assignments, granted, denied, roles, attributes };
}

/**
 * Masks by themselves, asked about actions as code names them; `untold` where there is no table for this principal. And of
 * its table the one group of roles that it is about, -1 where there are several, and in how many buckets it begins to search.
 */
export function masksOf(
  rows: PolicyRows,
  id: string,
): {
  readonly masks: MaskTier;
  readonly ask: (asked: Access) => number;
  readonly group: number;
  readonly buckets: number;
} {
  const parts = enginePartsOf(rows);
  const { principals, actions, scopes } = parts;
  const masks = new MaskTier(parts, parts.granted, parts.denied, { bytes: 2 ** 18, compileAfter: 1 });
  const node = principals.get(id);
  const told = node !== undefined && masks.ask(node);
  const place = principals.index(id) * 4;
  return {
    masks,
    ask: ({ action, dataAction, scope }) =>
      told ? masks.allows(node.index, actions.keep(action, dataAction), scopes.resolve(scope)) : untold,
    buckets: principals.masks.columns[place + 1] ?? 0,
    group: principals.masks.columns[place + 2] ?? 0,
  };
}

/** Compiled rights by themselves: the outcome for this principal, and how many places its table is searched at. */
export function rightsOf(
  rows: PolicyRows,
  id: string,
): {
  readonly rights: RightsTier;
  readonly ask: (asked: Access, told?: Access | null) => number;
  readonly places: () => number;
} {
  const parts = enginePartsOf(rows);
  const { principals, actions, scopes } = parts;
  const rights = new RightsTier(parts, { bytes: 2 ** 17, compileAfter: 1 });
  const principal = principals.index(id);
  return {
    rights,
    ask: (asked, told = asked) => {
      const scope = scopes.resolve(asked.scope);
      const action = actions.number(asked.action, asked.dataAction);
      return rights.search(principal, action, scope, scopes.exact, told);
    },
    places: () => principals.rights.columns[principal * 4 + 1] ?? 0,
  };
}
