/**
 * Cookies between a browser and an upstream. On a host of its own an upstream sets host-only cookies. Under a path of
 * the common host its cookies are renamed and bound to that path, so that it neither sees nor sets anybody else's.
 */
export interface CookieRealm {
  /** Put before the name of every cookie of the upstream; empty on a host of its own. */
  readonly namePrefix: string;
  readonly path: string | null;
}

const ours = /^(?:__(?:host|secure)-)?lockstep/i;

/** The Cookie header for the upstream, or null when nothing is left of it. */
export function cookiesForUpstream(header: string, realm: CookieRealm): string | null {
  const kept: string[] = [];
  for (const pair of header.split(';')) {
    const text = pair.trim();
    const equals = text.indexOf('=');
    const name = (equals === -1 ? text : text.slice(0, equals)).trim();
    if (!name.startsWith(realm.namePrefix)) continue;
    const bare = name.slice(realm.namePrefix.length);
    if (bare === '' || ours.test(bare)) continue;
    kept.push(`${bare}${equals === -1 ? '' : text.slice(equals)}`);
  }
  return kept.length === 0 ? null : kept.join('; ');
}

/** The Set-Cookie for the browser, or null when the upstream tries to set one of ours. */
export function cookieForBrowser(setCookie: string, realm: CookieRealm): string | null {
  const [pair = '', ...attributes] = setCookie.split(';');
  const equals = pair.indexOf('=');
  const name = pair.slice(0, Math.max(equals, 0)).trim();
  if (name === '' || ours.test(name)) return null;
  const kept = attributes
    .map((attribute) => attribute.trim())
    .filter((attribute) => !/^(?:domain|secure)\b/i.test(attribute))
    .filter((attribute) => realm.path === null || !/^path\b/i.test(attribute));
  if (realm.path !== null) kept.push(`Path=${realm.path}`);
  return [`${realm.namePrefix}${name}${pair.slice(equals)}`, ...kept, 'Secure'].join('; ');
}
