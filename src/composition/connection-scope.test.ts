import { expect, test } from 'vitest';
import { connectionScope } from './connection-scope.ts';

const workspace = {
  subscriptionId: '3fbff2e1-21bb-4228-ad75-beee79e782f5',
  resourceGroup: 'ml',
  name: '$&lab',
};
const inFull =
  '/subscriptions/3fbff2e1-21bb-4228-ad75-beee79e782f5/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/$&lab';

test.each([
  ['workspace', inFull],
  ['workspace/computes/alice-nb', `${inFull}/computes/alice-nb`],
  ['/providers/contoso.tracker', '/providers/contoso.tracker'],
  ['/providers/workspace/workspace', '/providers/workspace/workspace'],
  ['/', '/'],
])('a connection configured at %s lies at %s', (configured, scope) => {
  expect(connectionScope(configured, workspace)).toBe(scope);
});
