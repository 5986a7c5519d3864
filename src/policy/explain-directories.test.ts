import { expect, it } from 'vitest';
import { explain } from './explain.ts';
import { PolicySnapshot } from './snapshot.ts';
import { ada, rows, subscription } from './testing/people.ts';

const workspace = `${subscription}/resourcegroups/elsewhere/providers/microsoft.machinelearningservices/workspaces/w`;
const directory = `${workspace}/computes/lab/directories/team-a`;

it.each([
  ['write', `${directory}/new.txt`],
  ['read', `${directory}/new.txt`],
])('offers to %s a file of a notebook server no right at the whole workspace', (verb, scope) => {
  const bare = { ...rows, roleAssignments: [] };
  const access = {
    action: `Microsoft.MachineLearningServices/workspaces/notebooks/storage/${verb}`,
    dataAction: false,
    scope,
  };
  const request = explain(PolicySnapshot.from(bare), [ada], access).authorities[0]?.remedy?.request;
  expect(request?.scope.startsWith(directory)).toBe(true);
});
