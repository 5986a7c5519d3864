import { caseSensitiveSegment } from './scope.ts';

/** Where a container of a storage account lies in the tree of scopes. `accountScope` is in normal form. */
export function containerScope(accountScope: string, container: string): string {
  return `${accountScope}/blobservices/default/containers/${container.toLowerCase()}`;
}

/**
 * Where a blob, or a prefix of blob names that ends at a `/`, lies: each segment of the name in turn, case kept
 * (see caseSensitiveSegment). An empty name, or `/`, is the container itself.
 */
export function blobScope(accountScope: string, container: string, name: string): string {
  const trimmed = name.endsWith('/') ? name.slice(0, -1) : name;
  const scope = containerScope(accountScope, container);
  if (trimmed === '') return scope;
  return `${scope}/blobs/${trimmed.split('/').map(caseSensitiveSegment).join('/')}`;
}
