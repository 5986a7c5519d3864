import { createMongoAbility, type MongoAbility } from '@casl/ability';
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { newEnforcer, newModelFromString } from 'casbin';
import { scopeAndAncestors } from '../src/policy/scope.ts';
import { PermissionSet } from '../src/policy/permission-set.ts';
import type { PolicySnapshot } from '../src/policy/snapshot.ts';
import type { PrincipalId } from '../src/lib/ids.ts';
import type { Question } from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';

/** Another engine with the same policy, and the questions that it was prepared for. */
export interface Peer {
  readonly name: string;
  readonly questions: readonly Question[];
  allows(question: Question): boolean;
}

/** CASL's index of one user's rules takes about a hundred megabytes here. */
const compiledUsers = 5;

/**
 * CASL: two abilities per user (granted, denied) compiled beforehand from flattened groups and expanded wildcards,
 * one subject type per scope; the host walks the ancestors. Compiling is not timed.
 */
export async function caslPeer(
  { rows, actions }: Workload,
  snapshot: PolicySnapshot,
  questions: readonly Question[],
): Promise<Peer> {
  const expand = expander(actions);
  const roleActions = new Map(
    rows.roleDefinitions.map((role) => [role.id, expand(new PermissionSet(role.permissions))]),
  );
  const granted = groupBy(rows.roleAssignments, (row) => row.principalId);
  const denied = groupBy(rows.denyAssignments, (row) => row.principals[0]!);
  const known = [...new Set(questions.map((question) => question.principal))].slice(0, compiledUsers);
  const abilities = new Map<PrincipalId, { grants: MongoAbility; denies: MongoAbility }>();
  for (const user of known) {
    const identities = snapshot.identitiesOf(user);
    const grants = identities.flatMap((id) => granted.get(id) ?? []);
    const denies = identities.flatMap((id) => denied.get(id) ?? []);
    abilities.set(user, {
      grants: createMongoAbility(
        grants.map((row) => ({ action: roleActions.get(row.roleDefinitionId) ?? [], subject: row.scope })),
      ),
      denies: createMongoAbility(
        denies.map((row) => ({ action: expand(new PermissionSet(row.permissions)), subject: row.scope })),
      ),
    });
  }
  return {
    name: '@casl/ability, precompiled per user',
    questions: questions.filter((question) => abilities.has(question.principal)),
    allows({ principal, access }) {
      const { grants, denies } = abilities.get(principal)!;
      let allowed = false;
      for (const scope of scopeAndAncestors(access.scope)) {
        if (denies.can(access.action, scope)) return false;
        allowed ||= grants.can(access.action, scope);
      }
      return allowed;
    },
  };
}

/**
 * Cedar: one permit and one forbid; per question the host hands over, already found and serialisable, only the
 * action sets that this user holds along the scope's ancestors. Finding them is not timed.
 */
export async function cedarPeer(
  { rows }: Workload,
  snapshot: PolicySnapshot,
  questions: readonly Question[],
): Promise<Peer> {
  const policies = `
    permit (principal, action, resource) when { action in principal.granted };
    forbid (principal, action, resource) when { action in principal.denied };`;
  const parsed = preparsePolicySet('bench', { staticPolicies: policies });
  if (parsed.type !== 'success') throw new Error('Cedar does not take the policies');
  const grantsAt = groupBy(rows.roleAssignments, (row) => row.scope);
  const deniesAt = groupBy(rows.denyAssignments, (row) => row.scope);
  const roles = rows.roleDefinitions.map((role) => ({
    id: role.id,
    set: new PermissionSet(role.permissions),
  }));
  const action = (id: string): { type: string; id: string } => ({ type: 'Action', id });
  const entity = (id: string): { __entity: { type: string; id: string } } => ({ __entity: action(id) });
  const prepared = new Map(
    questions.slice(0, 2_000).map((question) => {
      const { principal, access } = question;
      const name = access.action.toLowerCase();
      const identities = new Set<string>(snapshot.identitiesOf(principal));
      const chain = scopeAndAncestors(access.scope);
      const grants = chain.flatMap((scope) => grantsAt.get(scope) ?? []);
      const denies = chain
        .flatMap((scope) => deniesAt.get(scope) ?? [])
        .filter((row) => identities.has(row.principals[0]!));
      const held = new Set(
        grants.filter((row) => identities.has(row.principalId)).map((row) => row.roleDefinitionId),
      );
      const parents = [
        ...roles.filter((role) => role.set.contains(name, false)).map((role) => action(role.id)),
        ...denies
          .filter((row) => new PermissionSet(row.permissions).contains(name, false))
          .map((row) => action(row.id)),
      ];
      const user = { type: 'User', id: principal };
      const call = {
        principal: user,
        action: action(access.action),
        resource: { type: 'Resource', id: access.scope },
        context: {},
        preparsedPolicySetId: 'bench',
        entities: [
          {
            uid: user,
            attrs: { granted: [...held].map(entity), denied: denies.map((row) => entity(row.id)) },
            parents: [],
          },
          { uid: action(access.action), attrs: {}, parents },
        ],
      };
      return [question, call] as const;
    }),
  );
  return {
    name: '@cedar-policy/cedar-wasm, sliced by the host',
    questions: [...prepared.keys()],
    allows(question) {
      const answer = statefulIsAuthorized(prepared.get(question)!);
      if (answer.type !== 'success') throw new Error('Cedar does not answer', { cause: answer });
      return answer.response.decision === 'allow';
    },
  };
}

/** casbin: rows for assignments, `g` for groups, `g2` for the tree of scopes; roles are our own compiled sets. */
export async function casbinPeer(
  { rows }: Workload,
  _snapshot: PolicySnapshot,
  questions: readonly Question[],
): Promise<Peer> {
  const enforcer = await newEnforcer(
    newModelFromString(`
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, set, eft
[role_definition]
g = _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && g2(r.obj, p.obj) && contains(p.set, r.act)`),
  );
  const sets = new Map([
    ...rows.roleDefinitions.map((role) => [role.id, new PermissionSet(role.permissions)] as const),
    ...rows.denyAssignments.map((row) => [row.id, new PermissionSet(row.permissions)] as const),
  ]);
  await enforcer.addFunction(
    'contains',
    (set: string, action: string) => sets.get(set)?.contains(action, false) ?? false,
  );
  await enforcer.addPolicies([
    ...rows.roleAssignments.map((row) => [row.principalId, row.scope, row.roleDefinitionId, 'allow']),
    ...rows.denyAssignments.map((row) => [row.principals[0]!, row.scope, row.id, 'deny']),
  ]);
  await enforcer.addGroupingPolicies(rows.memberships.map(({ group, member }) => [member, group]));
  const asked = questions.slice(0, 10);
  const scopes = new Set(rows.roleAssignments.map((row) => row.scope));
  for (const { access } of asked) scopes.add(access.scope);
  const edges = [...scopes].flatMap((scope) => {
    const parent = scopeAndAncestors(scope)
      .slice(1)
      .find((above) => scopes.has(above));
    return parent === undefined ? [] : [[scope, parent]];
  });
  await enforcer.addNamedGroupingPolicies('g2', edges);
  return {
    name: 'casbin',
    questions: asked,
    allows: ({ principal, access }) =>
      enforcer.enforceSync(principal, access.scope, access.action.toLowerCase()),
  };
}

function expander(actions: readonly string[]): (set: PermissionSet) => string[] {
  const lower = actions.map((action) => action.toLowerCase());
  return (set) => actions.filter((_, i) => set.contains(lower[i]!, false));
}

function groupBy<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
