import { expect, test } from 'vitest';
import { assetAction, assetVersionAction, azuremlActions } from '../../gateway/adapters/azureml/actions.ts';
import { blobDataAction, containerAction, serviceRead } from '../../gateway/adapters/blob/access.ts';
import { jupyterRoutes } from '../../gateway/adapters/jupyter/routes.ts';
import { ownRoutes, personRoutes } from '../../gateway/adapters/jupyterhub/routes.ts';
import { mlflowRoutes } from '../../gateway/adapters/mlflow/routes.ts';
import { knownOperation, nearestOperation } from './known-operations.ts';

const verbs = ['read', 'write', 'delete'] as const;

test('what the adapters ask for is in the catalogue, on the plane that they ask for', () => {
  const asked = [
    ...Object.values(azuremlActions),
    ...['codes', 'data', 'environments', 'models'].flatMap((collection) =>
      verbs.flatMap((verb) => [assetAction(collection, verb), assetVersionAction(collection, verb)]),
    ),
  ].map((action) => ({ action, dataAction: false }));
  const accesses = [
    serviceRead('/'),
    ...verbs.flatMap((verb) => [containerAction(verb, '/'), blobDataAction(verb, '/')]),
  ];
  for (const { action, dataAction } of [...asked, ...accesses]) {
    expect(knownOperation(action.toUpperCase())).toMatchObject({ name: action, dataAction });
  }
});

test('what is asked of the kinds of connection is in the catalogue', () => {
  const actions = [...mlflowRoutes, ...jupyterRoutes, ...ownRoutes, ...personRoutes].map(
    ({ action }) => action,
  );
  const missing = actions.filter((action) => action !== null && knownOperation(action)?.dataAction !== false);
  expect(missing).toEqual([]);
});

test.each([
  ['workspaces/jobs/write', 'Microsoft.MachineLearningServices/workspaces/jobs/write'],
  ['JOBS/cancel/action', 'Microsoft.MachineLearningServices/workspaces/jobs/cancel/action'],
  ['workspaces/job/write', 'Microsoft.MachineLearningServices/workspaces/jobs/write'],
  ['users/read', 'Lockstep.Access/users/read'],
  // Of several kinds of thing, or of nothing.
  ['versions/read', null],
  ['Contoso.Tracker/pages/read', null],
  ['read', null],
])('what %s leaves out in front is found by its end', (action, meant) => {
  expect(nearestOperation(action)).toBe(meant);
});

test('a mistyped operation is led to the one that was meant', () => {
  expect(nearestOperation('Microsoft.Authorization/roleAssignment/write')).toBe(
    'Microsoft.Authorization/roleAssignments/write',
  );
  expect(knownOperation('Microsoft.Nothing/at/all')).toBeUndefined();
});
