import type { Access } from '../../../policy/types.ts';
import { inAccess } from '../../attribute-names.ts';
import type { Target } from './target.ts';

const account = inAccess('@Resource[Microsoft.Storage/storageAccounts:name]');
const container = inAccess('@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]');
const path = inAccess('@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path]');
const prefixName = inAccess(
  '@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:prefix]',
);

const delimiterName = inAccess(
  '@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:delimiter]',
);

/** The access with what conditions may ask of the target. */
export function atTarget(access: Access, target: Target): Access {
  return {
    ...access,
    attributes: {
      ...access.attributes,
      resource: {
        [account]: target.account.name,
        ...(target.kind === 'service' ? {} : { [container]: target.at.container }),
        ...(target.kind === 'blob' ? { [path]: target.at.name } : {}),
      },
    },
  };
}

/** The access with what conditions may ask of a listing. */
export function asListing(access: Access, prefix: string, delimiter: string): Access {
  const request = { [prefixName]: prefix, ...(delimiter === '' ? {} : { [delimiterName]: delimiter }) };
  return { ...access, subOperation: 'Blob.List', attributes: { request } };
}
