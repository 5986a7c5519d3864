import { Actions } from '../engine/actions.ts';
import { Assignments } from '../engine/assignments.ts';
import { MaskTier, untold } from '../engine/mask-tier.ts';
import { Memberships } from '../engine/memberships.ts';
import { Principals } from '../engine/principals.ts';
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
  return { principals, scopes, actions, assignments, granted, denied };
}

/** Masks by themselves: what this principal is told at once, and null where that is left to the other tiers. */
export function maskedAnswers(rows: PolicyRows, id: string): (asked: Access) => number {
  const parts = enginePartsOf(rows);
  const masks = new MaskTier(parts, parts.granted, parts.denied, { bytes: 2 ** 17, compileAfter: 1 });
  const node = parts.principals.get(id);
  if (!node || !masks.ask(node)) return () => untold;
  return ({ action, dataAction, scope }) =>
    masks.allows(node.index, parts.actions.number(action, dataAction), parts.scopes.resolve(scope));
}
