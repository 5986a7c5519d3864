import { failure, type LockstepError } from '../../lib/errors.ts';

/**
 * The one spelling of a path that is admitted, so that the path which is decided on and the path which an upstream
 * reads cannot differ: RFC 3986 §6.2.2 made mandatory. Returns what offends, or null.
 *
 * `%2F` is let through here and flagged by `hasEncodedSlash`: blob names may hold it. Dot segments are looked for
 * behind encoded slashes too. So is `//`, flagged by `emptySegmentOffence`: Azure's clients write it for the resource manager.
 */
export function pathOffence(path: string): LockstepError | null {
  if (path.charCodeAt(0) !== 0x2f) return offence('does not begin with a slash');
  if (plain.test(path)) return null;
  const foreign = forbidden.exec(path);
  if (foreign !== null) return offence(nameOf(foreign[0]));
  if (path.includes('%')) {
    const broken = /%(?![0-9A-Fa-f]{2})/.exec(path);
    if (broken !== null) return offence('holds `%` without two hexadecimal digits after it');
    const needless = /%(?:2[dDeE]|3\d|[46][1-9a-fA-F]|[57][0-9aA]|5[fF])/.exec(path);
    if (needless !== null) return offence(`holds \`${needless[0]}\`, a character that must stand plain`);
    if (/%5[cC]/.test(path)) return offence('holds an encoded backslash (`%5C`)');
    if (/%(?:[01][0-9A-Fa-f]|7[fF])/.test(path)) return offence('holds an encoded control character');
    if (/%25(?:2[eEfF]|5[cC]|00|25)/.test(path)) return offence('holds a doubly encoded separator');
    let decoded: string;
    try {
      decoded = decodeURIComponent(path);
    } catch {
      return offence('is not UTF-8 where it is percent-encoded');
    }
    if (/\p{Cc}/u.test(decoded)) return offence('holds an encoded control character');
  }
  // Servlet containers cut a segment off at its `;`, so `..;` is `..` to them.
  if (/(?:^|\/|%2[fF])\.\.?(?=\/|;|%2[fF]|%3[bB]|$)/.test(path))
    return offence('holds a `.` or `..` segment');
  return null;
}

export function hasEncodedSlash(path: string): boolean {
  return path.includes('%') && /%2[fF]/.test(path);
}

/** What offends in a path with `//`, for every surface that does not admit it. */
export function emptySegmentOffence(path: string): LockstepError | null {
  return path.includes('//') ? offence('holds an empty segment (`//`)') : null;
}

/** Slashes, each followed by a segment that cannot be a dot segment and needs no closer look. */
const plain = /^(?:\/[A-Za-z0-9_-][A-Za-z0-9._~!$&'()*+,;=:@-]*)+\/?$/;
const forbidden = /[^\x21-\x7e]|[\\#?<>"`{}^]/;

function nameOf(character: string): string {
  if (character === '\\') return 'holds a backslash';
  const code = character.charCodeAt(0);
  if (code > 0x7e) return 'holds a raw byte outside ASCII';
  if (code < 0x21) return 'holds a control character or a space';
  return `holds \`${character}\`, which must be percent-encoded`;
}

function offence(what: string): LockstepError {
  return failure('invalid_path', `The request path ${what}. Send it in normal form.`, { offence: what });
}
