import { inAccess } from '../../../gateway/attribute-names.ts';
import type { AttributeSet } from '../../../policy/types.ts';

const account = String.raw`/providers/microsoft\.storage/storageaccounts/([^/]+)`;
const workspace = String.raw`/providers/microsoft\.machinelearningservices/workspaces/[^/]+`;

const names = [
  [new RegExp(account, 'i'), inAccess('@Resource[Microsoft.Storage/storageAccounts:name]')],
  [
    new RegExp(String.raw`${account.replace('(', '(?:')}/blobservices/[^/]+/containers/([^/]+)`, 'i'),
    inAccess('@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]'),
  ],
  [
    new RegExp(`${workspace}/models/([^/]+)`, 'i'),
    inAccess('@Resource[Microsoft.MachineLearningServices/workspaces/models:name]'),
  ],
  [
    new RegExp(`${workspace}/data/([^/]+)`, 'i'),
    inAccess('@Resource[Microsoft.MachineLearningServices/workspaces/data:name]'),
  ],
] as const;

/** What the id of a resource says by itself of those attributes that the gateway takes from the paths of requests. */
export function namesIn(resourceId: string): AttributeSet {
  return Object.fromEntries(
    names.flatMap(([pattern, attribute]) => {
      const name = pattern.exec(resourceId)?.[1];
      return name === undefined ? [] : [[attribute, name]];
    }),
  );
}
