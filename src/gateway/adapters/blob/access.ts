import type { Access } from '../../../policy/types.ts';

const service = 'Microsoft.Storage/storageAccounts/blobServices';

/**
 * Operation names as Azure publishes them.
 * learn.microsoft.com/azure/role-based-access-control/permissions/storage#microsoftstorage
 */
export function serviceRead(scope: string): Access {
  return { action: `${service}/read`, dataAction: false, scope };
}

export function containerAction(verb: 'read' | 'write' | 'delete', scope: string): Access {
  return { action: `${service}/containers/${verb}`, dataAction: false, scope };
}

export function blobDataAction(verb: 'read' | 'write' | 'delete', scope: string): Access {
  return { action: `${service}/containers/blobs/${verb}`, dataAction: true, scope };
}
