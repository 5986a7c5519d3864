import { loadPolicy, type LoadedPolicy } from '@open-policy-agent/opa-wasm';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chainsOf, flatten, groupBy } from './decision-flatten.ts';
import type { Peer } from './decision-peer.ts';
import type { Workload } from './decision-workload.ts';

/** Their flattened roles are what OPA's memory is given. */
const users = 100;

/** OPA in WebAssembly with the policy of bench/opa/policy.rego, as OPA's documentation writes such a policy. */
export async function opaDocumented(workload: Workload): Promise<Peer> {
  const policy = await loaded(workload);
  const chains = chainsOf(workload);
  return {
    name: '@open-policy-agent/opa-wasm, role-based access as documented',
    users,
    questions: 1_000,
    allows({ principal, access }) {
      let allowed = false;
      for (const scope of chains.get(access.scope)!) {
        const input = { user: principal, action: access.action, scope };
        const answer = resultOf(policy.evaluate(input, 'lockstep/documented/decision'));
        if (typeof answer !== 'object' || answer === null || !('granted' in answer && 'denied' in answer)) {
          throw new Error('OPA does not say what is granted and denied');
        }
        if (answer.denied !== false) return false;
        allowed ||= answer.granted === true;
      }
      return allowed;
    },
  };
}

/** The same with bench/opa/indexed.rego: the fastest that we found. */
export async function opaIndexed(workload: Workload): Promise<Peer> {
  const policy = await loaded(workload);
  const chains = chainsOf(workload);
  return {
    name: '@open-policy-agent/opa-wasm, indexed by hand',
    users,
    questions: 2_000,
    allows: ({ principal, access }) =>
      resultOf(
        policy.evaluate(
          { user: principal, action: access.action, scopes: chains.get(access.scope)! },
          'lockstep/indexed/allow',
        ),
      ) === true,
  };
}

async function loaded(workload: Workload): Promise<LoadedPolicy> {
  const flat = flatten(workload);
  const asked = workload.users.slice(0, users);
  const roles = workload.rows.roleDefinitions.map(({ id }) => id);
  const denials = [...new Set(asked.flatMap((user) => flat.denialsOf(user)).map(({ id }) => id))];
  const lists = (ids: readonly string[]): object =>
    Object.fromEntries(ids.map((id) => [id, flat.actionsOf(id).map((action) => ({ action }))]));
  const keys = (ids: readonly string[]): object =>
    Object.fromEntries(
      ids.map((id) => [id, Object.fromEntries(flat.actionsOf(id).map((action) => [action, true]))]),
    );
  const byScope = <T extends { readonly scope: string }>(
    rows: readonly T[],
    id: (row: T) => string,
  ): object =>
    Object.fromEntries(
      Array.from(
        groupBy(rows, ({ scope }) => scope),
        ([scope, held]) => [scope, held.map(id)],
      ),
    );
  const policy = await loadPolicy(readFileSync(join(import.meta.dirname, 'opa', 'policy.wasm')), {
    initial: 64,
    maximum: 32_768,
  });
  policy.setData({
    role_grants: lists(roles),
    denial_grants: lists(denials),
    role_actions: keys(roles),
    denial_actions: keys(denials),
    user_roles: Object.fromEntries(
      asked.map((user) => [user, byScope(flat.grantsOf(user), (row) => row.roleDefinitionId)]),
    ),
    user_denials: Object.fromEntries(
      asked.map((user) => [user, byScope(flat.denialsOf(user), (row) => row.id)]),
    ),
  });
  return policy;
}

function resultOf(answers: unknown): unknown {
  const answer: unknown = Array.isArray(answers) ? answers[0] : undefined;
  if (typeof answer !== 'object' || answer === null || !('result' in answer)) {
    throw new Error('OPA does not answer');
  }
  return answer.result;
}
