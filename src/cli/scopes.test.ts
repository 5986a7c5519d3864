import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CliError } from './cli-error.ts';
import { pathOfScope, scopeNamed, scopeToGiveAt, shortScope } from './scopes.ts';

const group = '/subscriptions/s1/resourceGroups/ml/providers';
const places = {
  tenantId: '11111111-2222-4333-8444-555555555555',
  workspaceId: `${group}/Microsoft.MachineLearningServices/workspaces/lab`,
  storageAccountId: `${group}/Microsoft.Storage/storageAccounts/labstore`,
};

test.each([
  ['/', '/'],
  ['workspace', places.workspaceId],
  ['workspace/jobs/j1', `${places.workspaceId}/jobs/j1`],
  ['resource-group', '/subscriptions/s1/resourceGroups/ml'],
  ['subscription', '/subscriptions/s1'],
  ['storage', places.storageAccountId],
  ['container:data', `${places.storageAccountId}/blobServices/default/containers/data`],
  ['container:data/blobs/a/b', `${places.storageAccountId}/blobServices/default/containers/data/blobs/a/b`],
  ['directory', '/providers/Lockstep.Access'],
  ['management-group:research', '/providers/Microsoft.Management/managementGroups/research'],
  ['root-management-group', `/providers/Microsoft.Management/managementGroups/${places.tenantId}`],
])('%s is %s, and is shown as it was written', (name, scope) => {
  expect(scopeNamed(name, places)).toBe(scope);
  expect(shortScope(scope.toLowerCase(), places)).toBe(name);
});

test.each(['workspaces', 'container:', 'container:../x', 'management-group:', 'management-group:..', ''])(
  '%j is no scope',
  (name) => {
    expect(() => scopeNamed(name, places)).toThrow(CliError);
  },
);

test.each([
  ['worksapce/jobs/j1', '`workspace/jobs/j1`'],
  ['subscriptions/s1', '`/subscriptions/s1`'],
])('%s is a typing error that is named', (name, near) => {
  expect(() => scopeNamed(name, places)).toThrow(
    expect.objectContaining({ hint: `Did you mean ${near}?` }) as Error,
  );
});

const subscription = '/subscriptions/6f0c2a4e-1111-4222-8333-944445555566';

test.each([
  '/',
  '/providers/Contoso.Tracker',
  '/providers/Microsoft.Management/managementGroups/research',
  subscription,
  `${subscription}/`,
  `${subscription}/resourceGroups/ml`,
  `${subscription}/RESOURCEGROUPS/ml/providers/Microsoft.MachineLearningServices/workspaces/lab/jobs/j1`,
  `${subscription}/providers/Microsoft.Contoso/things/one`,
])('%s is a scope to give at', (scope) => {
  expect(scopeToGiveAt(scope, places)).toBe(scope);
});

test.each([
  '/subscription/6f0c2a4e-1111-4222-8333-944445555566',
  '/subscriptions/6f0c…',
  `${subscription}/resourceGroups`,
  `${subscription}/resourceGroup/ml`,
  `${subscription}/resourceGroups/ml/Microsoft.MachineLearningServices/workspaces/lab`,
  `${subscription}/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces`,
  '//',
])('nothing can lie at %s', (scope) => {
  expect(() => scopeToGiveAt(scope, places)).toThrow('Nothing can lie at');
});

test('whatever is shown short names the same scope again', () => {
  const segment = fc.stringMatching(/^[a-z0-9-]{1,8}$/);
  const base = fc.constantFrom(
    places.workspaceId,
    places.storageAccountId,
    '/subscriptions/s1',
    '/providers/Microsoft.Management/managementGroups/research',
    `/providers/Microsoft.Management/managementGroups/${places.tenantId}`,
    `/providers/Microsoft.Management/managementGroups/${places.tenantId}0`,
    `${group}x/a`,
  );
  fc.assert(
    fc.property(base, fc.array(segment, { maxLength: 4 }), (start, more) => {
      const scope = [start, ...more].join('/');
      expect(scopeNamed(shortScope(scope, places), places).toLowerCase()).toBe(scope.toLowerCase());
    }),
  );
});

test('a name of which case and blanks count stands in a path as it stands in the scope', () => {
  expect(pathOfScope('/')).toBe('');
  const scope = '/a/b/directories/%54eam%20%42';
  expect(pathOfScope(scope)).toBe('/a/b/directories/%2554eam%2520%2542');
  expect(decodeURIComponent(pathOfScope(scope))).toBe(scope);
});

test('a blank in a scope is told how to be written', () => {
  const error = (() => {
    try {
      const workspaceId = places.workspaceId.replace('/s1/', '/6f0c0000-0000-4000-8000-000000000001/');
      return scopeToGiveAt('workspace/computes/nb/directories/Team B', { ...places, workspaceId });
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(CliError);
  expect(error).toMatchObject({ hint: expect.stringContaining('`%54eam%20%42`') as string });
});
