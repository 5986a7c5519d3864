import { createMongoAbility, type MongoAbility } from '@casl/ability';
import type { PrincipalId } from '../src/lib/ids.ts';
import { ancestry, chainsOf, flatten, type Flattened } from './decision-flatten.ts';
import type { Peer } from './decision-peer.ts';
import type { Workload } from './decision-workload.ts';

interface Abilities {
  readonly grants: MongoAbility;
  readonly denials: MongoAbility;
}

/**
 * CASL with two abilities per user, granted and denied, compiled beforehand from flattened groups; one subject type per
 * scope, and the host walks the ancestors. What a rule allows is its role; the host knows which roles contain an action.
 * That takes about a megabyte a user, so that a good part of the tenant fits.
 */
export function caslByRole(workload: Workload): Peer {
  return byRole(workload, 'a rule per scope and role', ancestry);
}

/** The same where the host has walked already: it has the scopes of the tenant at or above each one at hand. */
export function caslPrepared(workload: Workload): Peer {
  const chains = chainsOf(workload);
  return byRole(workload, 'a rule per scope and role, ancestors at hand', (scope) => chains.get(scope)!);
}

function byRole(workload: Workload, how: string, chainOf: (scope: string) => readonly string[]): Peer {
  const flat = flatten(workload);
  const containing = new Map<string, string[]>();
  for (const { id } of [...workload.rows.roleDefinitions, ...workload.rows.denyAssignments]) {
    for (const action of flat.actionsOf(id)) {
      const holders = containing.get(action);
      if (holders) holders.push(id);
      else containing.set(action, [id]);
    }
  }
  const roles = new Set(workload.rows.roleDefinitions.map(({ id }) => id));
  const rolesContaining = new Map(
    Array.from(containing, ([action, ids]) => [action, ids.filter((id) => roles.has(id))] as const),
  );
  const users = 2_000;
  const abilities = compile(workload, flat, users, (id) => (roles.has(id) ? id : flat.actionsOf(id)));
  return {
    name: `@casl/ability, compiled per user, ${how}`,
    users,
    questions: 40_000,
    allows({ principal, access }) {
      const { grants, denials } = abilities.get(principal)!;
      const candidates = rolesContaining.get(access.action) ?? [];
      let allowed = false;
      for (const scope of chainOf(access.scope)) {
        if (denials.can(access.action, scope)) return false;
        for (let i = 0; !allowed && i < candidates.length; i++) allowed = grants.can(candidates[i]!, scope);
      }
      return allowed;
    },
  };
}

/**
 * The same with every role expanded into its actions: the fastest that we found, at about a hundred megabytes a user.
 * Forty of the users are what fits.
 */
export function caslExpanded(workload: Workload): Peer {
  const flat = flatten(workload);
  const chains = chainsOf(workload);
  const every = workload.actions.length;
  const users = 40;
  const abilities = compile(workload, flat, users, (id) =>
    flat.actionsOf(id).length === every ? 'manage' : flat.actionsOf(id),
  );
  return {
    name: '@casl/ability, compiled per user, every action a rule',
    users,
    questions: 4_000,
    allows({ principal, access }) {
      const { grants, denials } = abilities.get(principal)!;
      let allowed = false;
      for (const scope of chains.get(access.scope)!) {
        if (denials.can(access.action, scope)) return false;
        allowed ||= grants.can(access.action, scope);
      }
      return allowed;
    },
  };
}

function compile(
  workload: Workload,
  flat: Flattened,
  users: number,
  actionOf: (id: string) => string | readonly string[],
): Map<PrincipalId, Abilities> {
  const ability = (held: readonly (readonly [id: string, scope: string])[]): MongoAbility =>
    createMongoAbility(
      held
        .map(([id, scope]) => ({ action: actionOf(id), subject: scope }))
        .filter(({ action }) => action.length > 0)
        .map(({ action, subject }) => ({
          action: typeof action === 'string' ? action : [...action],
          subject,
        })),
    );
  return new Map(
    workload.users.slice(0, users).map((user) => [
      user,
      {
        grants: ability(flat.grantsOf(user).map((row) => [row.roleDefinitionId, row.scope])),
        denials: ability(flat.denialsOf(user).map((row) => [row.id, row.scope])),
      },
    ]),
  );
}
