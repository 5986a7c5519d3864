import { expect, test } from 'vitest';
import { operationWords } from './operation-words.ts';

test.each([
  ['Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read', 'read a blob'],
  ['microsoft.machinelearningservices/WORKSPACES/jobs/write', 'create or change a job'],
  ['Contoso.Lab/pages/read', 'see pages'],
  ['Contoso.Lab/trainingRuns/write', 'create or change training runs'],
  ['Contoso.Lab/sockets/action', 'use sockets'],
  ['Contoso.Lab/kernels/restart/action', 'restart kernels'],
  ['Contoso.Lab/stores/listKeys/action', 'list keys of stores'],
  ['Contoso.Lab/frobnicate', 'perform Contoso.Lab/frobnicate'],
  ['', 'perform '],
])('%s is to %s', (action, words) => {
  expect(operationWords(action)).toBe(words);
});
