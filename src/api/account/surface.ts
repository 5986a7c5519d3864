import { opensPage } from '../../gateway/browser/page-visit.ts';
import type { Described, Exchange, Guard, Reply, RequestHead, Surface } from '../../gateway/types.ts';
import type { LockstepError } from '../../lib/errors.ts';
import { entraError, jsonReply } from '../entra/dialect.ts';
import { assets } from '../entra/pages/assets.ts';
import { errorPage } from '../entra/pages/error-page.ts';
import type { AccountOptions } from './options.ts';
import { ownAccount } from './own-account.ts';
import { redirect } from './redirect.ts';
import { signIns } from './sign-ins.ts';
import { connectionPath } from './to-connection.ts';

const scope = '/providers/lockstep.access';

/** The pages that people see: sign-in, one-time links, their account, sign-out. */
export function accountSurface(options: AccountOptions): Surface {
  const { leadBack, signInForm, signIn, linkForm, linkSignIn } = signIns(options);
  const { account, endSession, signOutForm, signOut } = ownAccount(options);

  const routes: Readonly<Record<string, Described>> = {
    'GET /': row('account/home', anyone, 'read', async () => redirect('/account')),
    'GET /signin': row('signIn/read', anyone, 'read', signInForm),
    'POST /signin': row('signIn/write', anyone, 'change', signIn),
    'GET /signin/link': row('signIn/link/read', anyone, 'read', linkForm),
    'POST /signin/link': row('signIn/link/write', anyone, 'change', linkSignIn),
    [`GET ${connectionPath}`]: row('signIn/connection/read', anyone, 'read', leadBack),
    'GET /signin/out': row('signOut/read', anyone, 'read', signOutForm),
    'GET /account': row('account/read', oneself, 'read', account),
    'POST /account/sessions/end': row('account/sessions/end', oneself, 'change', endSession),
    'POST /account/sign-out': row('account/signOut', oneself, 'change', signOut),
    ...Object.fromEntries(
      assets.map(({ path, contentType, text }) => [
        `GET ${path}`,
        row('assets/read', anyone, 'read', async () => ({
          status: 200,
          headers: {
            'content-type': contentType,
            'cache-control': 'public, max-age=31536000, immutable',
            'x-content-type-options': 'nosniff',
            'cross-origin-resource-policy': 'same-origin',
          },
          body: text,
        })),
      ]),
    ),
  };

  return {
    name: 'account',
    audiences: [],
    acceptsSessionCookie: true,
    matches: ({ path }) => path === '/' || /^\/(?:signin|account|assets)(?:\/|$)/.test(path),
    describe: (head) => routes[`${head.method} ${head.path}`] ?? null,
    renderError: (error, head) => renderError(error, head, options.clock.now()),
  };
}

const anyone: Guard = { kind: 'public', rule: 'sign-in', scope };
const oneself: Guard = { kind: 'authenticated', rule: 'own-account', scope };

function row(
  operation: string,
  guard: Guard,
  effect: 'read' | 'change',
  serve: (exchange: Exchange) => Promise<Reply>,
): Described {
  const form = {
    kind: 'buffered',
    maxBytes: 16_384,
    mediaTypes: ['application/x-www-form-urlencoded'],
  } as const;
  return {
    operation: `Lockstep.Access/${operation}`,
    guard,
    effect,
    body: effect === 'change' ? form : { kind: 'none' },
    serve,
  };
}

/** A browser without a session is led to the sign-in page; whoever did not ask for a page gets JSON. */
function renderError(error: LockstepError, head: RequestHead, now: number): Reply {
  const wantsPage = opensPage(head);
  if (error.status === 401 && wantsPage) {
    return redirect(head.path === '/account/sign-out' ? '/signin/out' : '/signin?continue=%2Faccount');
  }
  const body = entraError({ error: error.code, description: error.publicMessage }, { now, traceId: head.id });
  if (!wantsPage) return jsonReply(error.status, body);
  return errorPage(error.status, {
    error: error.code,
    error_description: error.publicMessage,
    requestId: head.id,
  });
}
