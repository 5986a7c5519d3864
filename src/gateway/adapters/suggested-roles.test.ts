import { expect, test } from 'vitest';
import { builtInRoles } from '../../policy/built-in-roles.ts';
import { PolicySnapshot } from '../../policy/snapshot.ts';
import { suitableRoles } from '../../policy/suitable-roles.ts';
import { rows } from '../../policy/testing/people.ts';
import { jupyterRoutes } from './jupyter/routes.ts';
import { ownRoutes, personRoutes } from './jupyterhub/routes.ts';
import { mlflowRoutes } from './mlflow/routes.ts';

const scope = '/subscriptions/s/resourcegroups/g/providers/microsoft.machinelearningservices/workspaces/lab';
const snapshot = PolicySnapshot.from({ ...rows, roleDefinitions: builtInRoles });
const onlyReads = new Set(
  builtInRoles
    .filter(({ permissions }) =>
      permissions.every(({ actions, dataActions }) =>
        [...actions, ...dataActions].every((pattern) => pattern.endsWith('/read')),
      ),
    )
    .map(({ roleName }) => roleName),
);

test.each([
  ['mlflow', mlflowRoutes],
  ['jupyter', jupyterRoutes],
  ['jupyterhub', [...ownRoutes, ...personRoutes]],
])('who may not look at something of %s is first offered a role that only looks', (_, routes) => {
  const actions = [...new Set(routes.map(({ action }) => action ?? ''))].filter((action) =>
    action.endsWith('/read'),
  );
  expect(actions).not.toHaveLength(0);
  for (const action of actions) {
    const [first] = suitableRoles(snapshot, { action, dataAction: false, scope }, [scope]);
    expect([action, onlyReads.has(first?.roleName ?? '')]).toEqual([action, true]);
  }
});
