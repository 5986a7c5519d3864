import { expect, test } from 'vitest';
import { ManualClock } from '../../../lib/clock.ts';
import type { PrincipalId } from '../../../lib/ids.ts';
import { PolicySnapshot } from '../../../policy/snapshot.ts';
import { ada, ben, cleo, job, rows, training } from '../../../policy/testing/people.ts';
import { accessAnswers } from './access-answer.ts';
import { accessQuestion } from './access-question.ts';

// Ada may read `training` and so may her job, which may list no jobs; Ada may.
const read = {
  Id: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
  IsDataAction: true,
};
const submit = { Id: 'Microsoft.MachineLearningServices/workspaces/computes/read' };
const workspace = `${training.split('/providers/')[0]}/providers/microsoft.machinelearningservices/workspaces/lab`;

function decisionOn(
  attributes: object,
  action: object,
  at: string,
  actsAs: Readonly<Record<string, readonly PrincipalId[]>> = {},
): string | undefined {
  const snapshot = PolicySnapshot.from(rows);
  const question = accessQuestion(
    { Subject: { Attributes: attributes }, Actions: [action], Resource: { Id: at } },
    'tenant',
  );
  const [answer] = accessAnswers(question, {
    snapshot,
    clock: new ManualClock(0),
    tenantId: 'tenant',
    actsAs: (id) => actsAs[id] ?? [id],
  });
  return answer?.decision;
}

const running = { [job]: [ada, job] };

test('a job that is named as the application narrows the answer to what owner and job may both do', () => {
  expect(decisionOn({ ObjectId: ada }, submit, workspace, running)).toBe('Allowed');
  expect(decisionOn({ ObjectId: ada, ApplicationId: job }, submit, workspace, running)).toBe('NotAllowed');
  expect(decisionOn({ ObjectId: ada, ApplicationId: job }, read, training, running)).toBe('Allowed');
  expect(decisionOn({ ObjectId: job }, read, training, running)).toBe('Allowed');
});

test('a job that has ended, or is somebody else’s, is nobody’s application', () => {
  const ended = { [job]: [] };
  expect(decisionOn({ ObjectId: ada, ApplicationId: job }, read, training, ended)).toBe('NotAllowed');
  expect(decisionOn({ ObjectId: job }, read, training, ended)).toBe('NotAllowed');
  expect(decisionOn({ ObjectId: ben, ApplicationId: job }, read, training, running)).toBe('NotAllowed');
});

test('an application that is no job changes nothing, and never adds what the subject lacks', () => {
  expect(decisionOn({ ObjectId: ada, ApplicationId: cleo }, read, training)).toBe('Allowed');
  expect(decisionOn({ ObjectId: cleo, ApplicationId: ada }, read, training)).toBe('NotAllowed');
});
