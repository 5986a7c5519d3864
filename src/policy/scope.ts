/**
 * Scopes are Azure-style paths, a tree; `/` is the root. Normal form: one leading slash, no trailing slash,
 * no empty, `.` or `..` segment, lower case (Azure compares scopes without case).
 */

/** The normal form, or null when the text is not a scope. */
export function normalizeScope(text: string): string | null {
  if (!text.startsWith('/') || text.length > 4096) return null;
  if (text === '/') return '/';
  const trimmed = text.endsWith('/') ? text.slice(0, -1) : text;
  const segments = trimmed.slice(1).split('/');
  for (const segment of segments) {
    // eslint-disable-next-line no-control-regex
    if (segment === '' || segment === '.' || segment === '..' || /[\u0000-\u0020\u007f\\?#]/.test(segment))
      return null;
  }
  return trimmed.toLowerCase();
}

/** The scope itself and every ancestor, nearest first, ending with `/`. The scope must be in normal form. */
export function scopeAndAncestors(scope: string): string[] {
  const out = [scope];
  let current = scope;
  while (current !== '/') {
    const cut = current.lastIndexOf('/');
    current = cut <= 0 ? '/' : current.slice(0, cut);
    out.push(current);
  }
  return out;
}

/** Whether `scope` is `ancestor` or lies beneath it. Both in normal form. */
export function isWithin(scope: string, ancestor: string): boolean {
  return (
    ancestor === '/' || scope === ancestor || (scope.startsWith(ancestor) && scope[ancestor.length] === '/')
  );
}

/**
 * One segment of a scope for a name whose case matters (a blob's path): upper-case letters and everything outside
 * unreserved lower-case ASCII are percent-encoded, and so are `.` and `..` whole, so two different names never
 * share a scope although scopes are compared without case.
 */
export function caseSensitiveSegment(name: string): string {
  if (name === '') return '%';
  if (name === '.' || name === '..') return '%2e'.repeat(name.length);
  let out = '';
  for (const byte of Buffer.from(name, 'utf8')) {
    const char = String.fromCharCode(byte);
    out += /[a-z0-9._~-]/.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return out;
}
