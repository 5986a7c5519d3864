import { containerScope } from '../../../policy/blob-scope.ts';
import { blobFailure } from './errors.ts';
import { checkContainerName, decodeBlobName, scopeOfBlob } from './names.ts';
import type { BlobAddress, ContainerAddress } from './store.ts';

/** A storage account that is served, and its scope in normal form. */
export interface Account {
  readonly name: string;
  readonly scope: string;
}

/** What a path names. */
export type Target =
  | { readonly kind: 'service'; readonly account: Account }
  | { readonly kind: 'container'; readonly account: Account; readonly at: ContainerAddress }
  | { readonly kind: 'blob'; readonly account: Account; readonly at: BlobAddress };

export type TargetOf<Kind extends Target['kind']> = Extract<Target, { kind: Kind }>;

/** How addresses are read: the accounts by name, and the domain beneath which each has a host of its own. */
export interface Addressing {
  readonly accounts: ReadonlyMap<string, Account>;
  readonly baseDomain: string;
}

/** `{account}.blob.{base domain}` → account; null for any other host. `host` is lower case, without port. */
export function accountOfHost(addressing: Addressing, host: string): string | null {
  const suffix = `.blob.${addressing.baseDomain}`;
  if (!host.endsWith(suffix)) return null;
  const name = host.slice(0, -suffix.length);
  return name.includes('.') ? null : name;
}

/** Whether a request is for Blob: by its host, or by a first path segment that is literally an account's name. */
export function isBlobAddress(addressing: Addressing, host: string, path: string): boolean {
  return accountOfHost(addressing, host) !== null || addressing.accounts.has(path.split('/', 2)[1] ?? '');
}

/**
 * What `host` and the raw `path` name; null when there is no such account. The host decides the style, so a container
 * that is called like an account cannot be taken for one. Account and container must be spelt literally; only a blob's
 * name is percent-decoded, once. Throws InvalidUri and InvalidResourceName.
 */
export function parseTarget(addressing: Addressing, host: string, path: string): Target | null {
  if (!path.startsWith('/')) throw blobFailure('InvalidUri', 'The path does not start with a slash.');
  const byHost = accountOfHost(addressing, host);
  const rest = byHost === null ? afterSegment(path.slice(1)) : { first: byHost, after: path.slice(1) };
  const account = addressing.accounts.get(rest.first);
  if (account === undefined) return null;
  if (rest.after === null || rest.after === '') return { kind: 'service', account };
  const { first, after } = afterSegment(rest.after);
  const container = checkContainerName(first);
  if (after === null || after === '') {
    const at = { account: account.name, container, scope: containerScope(account.scope, container) };
    return { kind: 'container', account, at };
  }
  const name = decodeBlobName(after);
  const at = { account: account.name, container, name, scope: scopeOfBlob(account.scope, container, name) };
  return { kind: 'blob', account, at };
}

function afterSegment(path: string): { readonly first: string; readonly after: string | null } {
  const cut = path.indexOf('/');
  return cut < 0 ? { first: path, after: null } : { first: path.slice(0, cut), after: path.slice(cut + 1) };
}
