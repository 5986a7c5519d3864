import { expect, test } from 'vitest';
import { compileActionPattern } from './action-pattern.ts';
import { builtInRoles } from './built-in-roles.ts';
import { operationCatalogue } from './operation-catalogue.ts';

const operations = operationCatalogue.flatMap((provider) => provider.operations);

test('an operation is listed once, in the form namespace/type/verb, under its provider', () => {
  const names = operations.map(({ name }) => name.toLowerCase());
  expect(new Set(names).size).toBe(names.length);
  for (const { namespace, operations: own } of operationCatalogue) {
    for (const { name } of own) {
      expect(name.startsWith(`${namespace}/`)).toBe(true);
      expect(name).toMatch(/^[A-Za-z]+\.[A-Za-z]+(?:\/[A-Za-z]+)+\/(?:read|write|delete|action)$/);
    }
  }
});

test('every action that a built-in role grants is in the catalogue, on its own plane', () => {
  const missing: string[] = [];
  for (const { roleName, permissions } of builtInRoles) {
    for (const { actions, dataActions } of permissions) {
      for (const [patterns, isDataAction] of [
        [actions, false],
        [dataActions, true],
      ] as const) {
        for (const text of patterns) {
          const pattern = compileActionPattern(text);
          const found = operations.some(
            (operation) =>
              operation.isDataAction === isDataAction && pattern.matches(operation.name.toLowerCase()),
          );
          if (!found) missing.push(`${roleName}: ${text}`);
        }
      }
    }
  }
  expect(missing).toEqual([
    'User Access Administrator: Microsoft.Support/*',
    'Role Based Access Control Administrator: Microsoft.Support/*',
    'AzureML Compute Operator: Microsoft.MachineLearningServices/workspaces/notebooks/vm/*',
  ]);
});
