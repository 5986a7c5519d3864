import { newEnforcer, newModelFromString } from 'casbin';
import { ancestry, flatten } from './decision-flatten.ts';
import type { Peer } from './decision-peer.ts';
import { questionAt, uniformStream } from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';

const questions = 8;

/** casbin: a row for each assignment, `g` for groups, `g2` for the tree of scopes; roles are compiled sets of ours. */
export async function casbinPeer(workload: Workload): Promise<Peer> {
  const { rows } = workload;
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
  const flat = flatten(workload);
  const sets = new Map<string, ReadonlySet<string>>();
  await enforcer.addFunction('contains', (set: string, action: string) => {
    let actions = sets.get(set);
    if (!actions) sets.set(set, (actions = new Set(flat.actionsOf(set))));
    return actions.has(action);
  });
  await enforcer.addPolicies([
    ...rows.roleAssignments.map((row) => [row.principalId, row.scope, row.roleDefinitionId, 'allow']),
    ...rows.denyAssignments.flatMap((row) =>
      row.principals.map((named) => [named, row.scope, row.id, 'deny']),
    ),
  ]);
  await enforcer.addGroupingPolicies(rows.memberships.map(({ group, member }) => [member, group]));
  const scopes = new Set([...rows.roleAssignments, ...rows.denyAssignments].map((row) => row.scope));
  const stream = uniformStream(workload, questions);
  for (let i = 0; i < questions; i++) scopes.add(questionAt(workload, stream, i).access.scope);
  const edges = [...scopes].flatMap((scope) => {
    const parent = ancestry(scope)
      .slice(1)
      .find((above) => scopes.has(above));
    return parent === undefined ? [] : [[scope, parent]];
  });
  await enforcer.addNamedGroupingPolicies('g2', edges);
  return {
    name: 'casbin',
    users: workload.users.length,
    questions,
    allows: ({ principal, access }) => enforcer.enforceSync(principal, access.scope, access.action),
  };
}
