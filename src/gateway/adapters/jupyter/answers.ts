import { failure, LockstepError } from '../../../lib/errors.ts';
import { discard } from '../../answer/reply-body.ts';
import type { Reply } from '../../types.ts';
import { wholeBody } from '../../upstream/whole-body.ts';

/** A page of JupyterLab has some tens of KiB; what is larger is none. */
const largestPage = 4 * 1024 * 1024;

/**
 * The answer as its caller may have it. Cookies stay here: jupyter-server signs one in for whoever comes with its token.
 * JupyterLab's own pages, and every page that tells of an error, are rid of that token, which the server writes into
 * them; a notebook shown as a page is let be. An interface that answers with a page, or sends to its own sign-in, has
 * not answered: that is told as an error.
 */
export async function callersAnswer(reply: Reply, path: string, secret: string | null): Promise<Reply> {
  if (reply.upstream !== undefined) return withoutCookies(reply);
  if (isSignIn(reply)) {
    discard(reply);
    throw new LockstepError({
      code: 'upstream_unreachable',
      publicMessage: 'The notebook server does not take the credential of this connection.',
      internalMessage: 'jupyter-server sent to its own sign-in',
    });
  }
  if (!isPage(reply)) return withoutCookies(reply);
  if (isInterface(path)) {
    discard(reply);
    const status = reply.status < 400 ? 502 : reply.status;
    return {
      status,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify({
        message: `The notebook server answered with status ${reply.status} and a page.`,
        reason: 'UpstreamAnsweredWithPage',
      }),
    };
  }
  const isServers = isLaboratory(path) || reply.status >= 400;
  return secret === null || !isServers ? withoutCookies(reply) : withoutSecret(withoutCookies(reply), secret);
}

/** What programs ask, not people. */
export function isInterface(path: string): boolean {
  return /^\/(?:api|lab\/api|terminals|lsp)(?:\/|$)/.test(path);
}

/** JupyterLab itself, and where it begins. */
export function isLaboratory(path: string): boolean {
  return path === '/' || /^\/(?:lab|doc)(?:\/|$)/.test(path);
}

/** An answer without a body is none, whatever type it has: so the server says that a notebook is trusted now. */
function isPage(reply: Reply): boolean {
  if (headerOf(reply, 'content-length') === '0') return false;
  return headerOf(reply, 'content-type').toLowerCase().startsWith('text/html');
}

function isSignIn(reply: Reply): boolean {
  return reply.status >= 300 && reply.status < 400 && /\/login(?:\?|$)/.test(headerOf(reply, 'location'));
}

async function withoutSecret(reply: Reply, secret: string): Promise<Reply> {
  if (reply.body === undefined) return reply;
  const coding = headerOf(reply, 'content-encoding');
  if (coding !== '' && coding !== 'identity') {
    discard(reply);
    throw failure('not_implemented', 'The notebook server compressed a page that was asked for plain.');
  }
  const bytes = await pageOf(reply.body);
  let page = bytes.toString('latin1');
  for (const spelling of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
    page = page.replaceAll(spelling, '');
  }
  const { 'content-length': _, etag: __, ...headers } = reply.headers ?? {};
  return { ...reply, headers, body: Buffer.from(page, 'latin1') };
}

async function pageOf(body: NonNullable<Reply['body']>): Promise<Buffer> {
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body);
  try {
    return await wholeBody(body, largestPage);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw failure('too_large', 'The notebook server sent a page without an end.');
  }
}

function withoutCookies(reply: Reply): Reply {
  const { 'set-cookie': _, ...headers } = reply.headers ?? {};
  return { ...reply, headers };
}

function headerOf(reply: Reply, name: string): string {
  const value = reply.headers?.[name];
  return typeof value === 'string' ? value : (value?.[0] ?? '');
}
