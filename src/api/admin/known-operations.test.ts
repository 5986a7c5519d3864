import { expect, test } from 'vitest';
import { assetAction, assetVersionAction, azuremlActions } from '../../gateway/adapters/azureml/actions.ts';
import { blobDataAction, containerAction, serviceRead } from '../../gateway/adapters/blob/access.ts';
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

test('a mistyped operation is led to the one that was meant', () => {
  expect(nearestOperation('Microsoft.Authorization/roleAssignment/write')).toBe(
    'Microsoft.Authorization/roleAssignments/write',
  );
  expect(knownOperation('Microsoft.Nothing/at/all')).toBeUndefined();
});
