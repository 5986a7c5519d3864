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

/**
 * Whether the text is a scope in normal form: one pass, no allocation, for the path of every decision. With `known`,
 * its first so many characters are one, and only the rest is looked at.
 */
export function isNormalScope(text: string, known = 0): boolean {
  if (text.charCodeAt(known) !== slash || text.length > 4096) return false;
  let start = known + 1;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === slash) {
      if (!isSegment(text, start, i)) return false;
      start = i + 1;
    } else if (code <= 0x20 || (code >= 0x41 && code <= 0x5a) || unfit(code)) return false;
    else if (code > 0x7f) return normalizeScope(text) === text;
  }
  return text.length === 1 || isSegment(text, start, text.length);
}

const slash = 0x2f;

/** Delete, backslash, `?` and `#`. */
function unfit(code: number): boolean {
  return code === 0x7f || code === 0x5c || code === 0x3f || code === 0x23;
}

function isSegment(text: string, start: number, end: number): boolean {
  const length = end - start;
  if (length === 0) return false;
  if (length > 2 || text.charCodeAt(start) !== 0x2e) return true;
  return length === 2 && text.charCodeAt(start + 1) !== 0x2e;
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
