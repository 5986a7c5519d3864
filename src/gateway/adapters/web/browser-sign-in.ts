import {
  beginConnectionSignIn,
  connectionSecretCookie,
} from '../../../identity/signin/connection-sign-ins.ts';
import type { LockstepError } from '../../../lib/errors.ts';
import { cookieOf, setCookie } from '../../browser/cookies.ts';
import { opensPage } from '../../browser/page-visit.ts';
import type { Reply, RequestHead } from '../../types.ts';

/** So long a person may take to sign in. */
const wayMaxAgeSeconds = 600;

/** Where people sign in, for a connection: it sends the browser back with a code. */
export type SignInAddress = (connection: string, state: string, path: string) => string;

/**
 * What a browser is answered that opens a page of a connection's own host before its person has signed in there: the way
 * to the sign-in. Null for everything else: a program, a script of a page or a frame gets its protocol's own error.
 */
export function leadToSignIn(
  error: LockstepError,
  head: RequestHead,
  connection: string,
  address: SignInAddress,
): Reply | null {
  if (error.code !== 'authentication_required' || head.method !== 'GET' || !opensPage(head)) return null;
  const { state, path, setCookies } = beginWay(head);
  return {
    status: 303,
    headers: {
      location: address(connection, state, path),
      'cache-control': 'no-store',
      'set-cookie': setCookies,
    },
  };
}

/** A way to the sign-in and back to the page of this request: what the address of the sign-in says, and what the browser keeps. */
export function beginWay(head: RequestHead): {
  readonly state: string;
  readonly path: string;
  readonly setCookies: readonly string[];
} {
  // Two pages that are opened at once share the way.
  const { secret, state } = beginConnectionSignIn(cookieOf(head.headers, connectionSecretCookie));
  const path = head.rawQuery === '' ? head.path : `${head.path}?${head.rawQuery}`;
  return { state, path, setCookies: [setCookie(connectionSecretCookie, secret, wayMaxAgeSeconds)] };
}
