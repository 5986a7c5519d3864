import { failure } from '../../../lib/errors.ts';
import { caseSensitiveSegment } from '../../../policy/scope.ts';

/** A file or directory of a notebook server: its names from the server's root on; none for the root itself. */
export type ServerPath = readonly string[];

/**
 * Where a path lies beneath the connection's scope: `…/directories/team-a/räume.ipynb`, each name with its case (see
 * caseSensitiveSegment), so that a right at a directory is one to all that is in it. Throws `invalid_request` for a path
 * that is longer than a scope may be.
 */
export function scopeOfPath(connectionScope: string, path: ServerPath): string {
  const root = connectionScope === '/' ? '' : connectionScope;
  const scope = [`${root}/directories`, ...path.map(caseSensitiveSegment)].join('/');
  if (scope.length > longest) throw tooLong();
  return scope;
}

/** More than a scope may have. Asked first: nothing that is done with a longer one is worth its time. */
const longest = 4096;

/** A path as it stands in an address, `/a/b%20c`; the edge has seen to its form. One slash at its end means nothing. */
export function pathOfAddress(text: string): ServerPath {
  return pathOfText(decodeURIComponent(text));
}

/**
 * A path as it stands in a body, where nobody has seen to its form. The server drops slashes at both ends. It would also
 * resolve `..`, drop `.` and empty names, and turn lone surrogates into bytes: what has a second reading is refused with
 * `invalid_request`.
 */
export function pathOfText(text: string): ServerPath {
  if (text.length > longest) throw tooLong();
  const trimmed = withoutSlashesAround(text);
  if (trimmed === '') return [];
  const names = trimmed.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..')) {
    throw unsafe('holds an empty, `.` or `..` segment');
  }
  if (!trimmed.isWellFormed()) throw unsafe('is not Unicode');
  if (/[\\\p{Cc}]/u.test(trimmed)) throw unsafe('holds a backslash or a control character');
  return names;
}

/** Not by a pattern: one that is tied to the end is tried again from every slash. */
function withoutSlashesAround(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === '/') start++;
  while (end > start && text[end - 1] === '/') end--;
  return text.slice(start, end);
}

/** The directory that a path is in; the root's is the root. */
export function parentOf(path: ServerPath): ServerPath {
  return path.slice(0, -1);
}

function tooLong() {
  return failure('invalid_request', 'The path is too long to be decided on.');
}

function unsafe(what: string) {
  return failure('invalid_request', `The path ${what}.`);
}
