import type { RequestHead } from '../../types.ts';

/**
 * Where a browser cannot set headers, protocols carry tokens in the query or among the subprotocols. None of them is a
 * credential here, and none may reach the upstream: it might be the caller's credential at Lockstep.
 */
const names = new Set([
  'token',
  'accesstoken',
  'idtoken',
  'authtoken',
  'bearer',
  'authorization',
  'jwt',
  'apikey',
]);

/** The query without parameters that carry a token; the others byte for byte, in their order. */
export function queryWithoutTokens({ rawQuery, headers }: Pick<RequestHead, 'rawQuery' | 'headers'>): string {
  if (rawQuery === '') return rawQuery;
  const own = bearerText(headers.authorization);
  return rawQuery
    .split('&')
    .filter((pair) => !pair.split(';').some((part) => carriesToken(part, own)))
    .join('&');
}

function carriesToken(pair: string, own: string | null): boolean {
  const equals = pair.indexOf('=');
  const name = decoded(equals === -1 ? pair : pair.slice(0, equals));
  return names.has(plain(name)) || (own !== null && decoded(pair).includes(own));
}

/** The subprotocols that may be offered on: without any that is a token, or says that one follows. */
export function subprotocolsWithoutTokens(
  offered: readonly string[],
  authorization: string | undefined,
): readonly string[] {
  const own = bearerText(authorization);
  return offered.filter((name, i) => {
    const before = offered[i - 1];
    if (before !== undefined && names.has(plain(before))) return false;
    if (own !== null && decoded(name).includes(own)) return false;
    return !names.has(plain(name)) && !secretive.test(name) && !jsonWebToken.test(name);
  });
}

const secretive = /bearer|token|authorization|api-?key|secret|password/i;
const jsonWebToken = /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/;

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** As form parsers read it; what is not UTF-8 stays as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' ')).trim();
  } catch {
    return text;
  }
}

function bearerText(authorization: string | undefined): string | null {
  return authorization === undefined ? null : (authorization.trim().split(/\s+/).at(-1) ?? null);
}
