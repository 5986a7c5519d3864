import { failure } from '../../../lib/errors.ts';
import { normalizeScope } from '../../../policy/scope.ts';

export interface AuthorizationPath {
  /** In normal form. */
  readonly scope: string;
  /** The same scope as the client wrote it. */
  readonly writtenScope: string;
  /** Lower case: `roleassignments`, `permissions`, … */
  readonly type: string;
  /** Lower case; null for a collection. */
  readonly name: string | null;
}

/**
 * Splits `{scope}/providers/Microsoft.Authorization/{type}[/{name}]`; any path prefix is a scope, and the last
 * mention of the provider is the one that counts. Null for every other path. Throws `invalid_path` when the prefix
 * is not a scope. learn.microsoft.com/rest/api/authorization
 */
export function parseAuthorizationPath(path: string): AuthorizationPath | null {
  const segments = path.split('/').slice(1);
  const provider = segments.findLastIndex(
    (segment, i) =>
      segment.toLowerCase() === 'microsoft.authorization' && segments[i - 1]?.toLowerCase() === 'providers',
  );
  const [type, name = null, ...more] = segments.slice(provider + 1);
  if (provider < 1 || !type || more.length > 0 || name === '') return null;
  const above = segments.slice(0, provider - 1);
  const writtenScope = '/' + above.map(decodeSegment).join('/');
  const scope = normalizeScope(writtenScope);
  if (scope === null) throw failure('invalid_path', `'${path}' does not begin with a scope.`);
  return {
    scope,
    writtenScope,
    type: type.toLowerCase(),
    name: name === null ? null : decodeSegment(name).toLowerCase(),
  };
}

function decodeSegment(segment: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(segment);
  } catch (cause) {
    throw Object.assign(failure('invalid_path', `'${segment}' is not percent-encoded UTF-8.`), { cause });
  }
  if (decoded.includes('/'))
    throw failure('invalid_path', 'A path segment may not contain an encoded slash.');
  return decoded;
}
