import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import type { PrincipalId } from '../src/lib/ids.ts';
import { ancestry, flatten } from './decision-flatten.ts';
import type { Peer } from './decision-peer.ts';
import type { Question } from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';

/**
 * Cedar: one permit and one forbid; per question the host hands over, already found and serialisable, only the
 * action sets that this user holds along the scope's ancestors. Finding them is not timed.
 */
export function cedarSliced(workload: Workload): Peer {
  const policies = `
    permit (principal, action, resource) when { action in principal.granted };
    forbid (principal, action, resource) when { action in principal.denied };`;
  const read = preparsePolicySet('bench', { staticPolicies: policies });
  if (read.type !== 'success') throw new Error('Cedar does not take the policies', { cause: read });
  const slice = slicer(workload);
  const calls = new Map<Question, ReturnType<typeof slice>>();
  return {
    name: '@cedar-policy/cedar-wasm, sliced by the host',
    users: workload.users.length,
    questions: 1_000,
    allows(question) {
      let call = calls.get(question);
      if (!call) calls.set(question, (call = slice(question)));
      const answer = statefulIsAuthorized(call);
      if (answer.type !== 'success') throw new Error('Cedar does not answer', { cause: answer });
      return answer.response.decision === 'allow';
    },
  };
}

function slicer(workload: Workload) {
  const flat = flatten(workload);
  const actionSets = new Map(
    workload.rows.roleDefinitions.map(({ id }) => [id, new Set(flat.actionsOf(id))] as const),
  );
  const uid = (id: string) => ({ type: 'Action', id });
  const entity = (id: string) => ({ __entity: uid(id) });
  return ({ principal, access: { action, scope } }: Question) => {
    const chain = new Set(ancestry(scope));
    const at = <T extends { readonly scope: string }>(rows: readonly T[]): T[] =>
      rows.filter((row) => chain.has(row.scope));
    const held = new Set(at(flat.grantsOf(principal)).map((row) => row.roleDefinitionId));
    const denials = at(flat.denialsOf(principal)).map((row) => row.id);
    const roles = Array.from(actionSets, ([id, actions]) => (actions.has(action) ? [id] : [])).flat();
    const parents = [...roles, ...denials.filter((id) => flat.actionsOf(id).includes(action))];
    const user: { type: string; id: PrincipalId } = { type: 'User', id: principal };
    return {
      principal: user,
      action: uid(action),
      resource: { type: 'Resource', id: scope },
      context: {},
      preparsedPolicySetId: 'bench',
      entities: [
        { uid: user, attrs: { granted: [...held].map(entity), denied: denials.map(entity) }, parents: [] },
        { uid: uid(action), attrs: {}, parents: parents.map(uid) },
      ],
    };
  };
}
