import { blobScope, containerScope } from '../../../policy/blob-scope.ts';
import { caseSensitiveSegment, normalizeScope } from '../../../policy/scope.ts';
import { blobFailure } from './errors.ts';

/** learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata */
const accountName = /^[a-z0-9]{3,24}$/;
const containerName = /^(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*$/;
const maxNameLength = 1024;
const maxSegments = 254;
// Control characters (C0, DEL, C1), the backslash, and what XML 1.0 cannot carry.
// eslint-disable-next-line no-control-regex
const refusedCharacter = /[\u0000-\u001f\u007f-\u009f\\\ufffe\uffff]/;

export function isAccountName(text: string): boolean {
  return accountName.test(text);
}

/** Throws InvalidResourceName. `$root`, `$web` and `$logs` are not kept here. */
export function checkContainerName(text: string): string {
  if (!containerName.test(text)) {
    throw blobFailure(
      'InvalidResourceName',
      'A container name is 3 to 63 lower-case letters, digits and single hyphens, spelt without percent-encoding.',
    );
  }
  return text;
}

/**
 * A blob's name from the raw rest of a path: decoded exactly once, so `a%2Fb` and `a/b` are one name and `a%252Fb` is
 * another. Throws InvalidUri when it is not percent-encoded UTF-8, InvalidResourceName for what is not kept here.
 */
export function decodeBlobName(raw: string): string {
  let name: string;
  try {
    name = decodeURIComponent(raw);
  } catch {
    throw blobFailure('InvalidUri', 'The path is not percent-encoded UTF-8.');
  }
  const segments = name.split('/');
  if (name.length > maxNameLength || segments.length > maxSegments) {
    throw refusedName(`A blob name has at most ${maxNameLength} characters and ${maxSegments} segments.`);
  }
  if (refusedCharacter.test(name))
    throw refusedName('A blob name has no control character and no backslash.');
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    throw refusedName("A blob name has no segment '.' or '..'; most clients could never address it.");
  }
  return name;
}

/** Throws InvalidQueryParameterValue for a prefix that no name can start with. */
export function checkPrefix(prefix: string): string {
  if (prefix.length > maxNameLength || refusedCharacter.test(prefix)) {
    throw blobFailure('InvalidQueryParameterValue', 'No blob name can start with this prefix.');
  }
  return prefix;
}

/**
 * Where a blob lies. Different names lie at different scopes, and a blob lies beneath the scope of every prefix of its
 * name that ends at a `/`. Throws InvalidResourceName for a name whose scope would be too long to grant anything at.
 */
export function scopeOfBlob(accountScope: string, container: string, name: string): string {
  const path = name.split('/').map(caseSensitiveSegment).join('/');
  const scope = `${containerScope(accountScope, container)}/blobs/${path}`;
  if (normalizeScope(scope) !== scope) throw refusedName('The blob name is too long once it is encoded.');
  return scope;
}

/**
 * Where a listing is decided: at the folder that the prefix names, the part up to its last `/`; the container when
 * there is none. Every blob whose name starts with the prefix lies at or beneath it.
 */
export function scopeOfListing(accountScope: string, container: string, prefix: string): string {
  const scope = blobScope(accountScope, container, prefix.slice(0, prefix.lastIndexOf('/') + 1));
  if (normalizeScope(scope) !== scope) {
    throw blobFailure('InvalidQueryParameterValue', 'The prefix is too long once it is encoded.');
  }
  return scope;
}

function refusedName(sentence: string) {
  return blobFailure('InvalidResourceName', sentence);
}
