import { failure } from '../../../lib/errors.ts';
import { hasEncodedSlash } from '../../edge/path-form.ts';
import { headWith } from '../../edge/checked-head.ts';
import { discard } from '../../answer/reply-body.ts';
import type { Described, Exchange, Reply, RequestHead } from '../../types.ts';
import { queryWithoutTokens } from '../web/carried-tokens.ts';
import type { Place, Proxied, Substitute } from '../web/proxied.ts';
import { compileRules } from '../web/rules.ts';
import { callersAnswer, isInterface, isLaboratory } from './answers.ts';
import {
  describeContents,
  describeConversion,
  describeCreation,
  describeDocument,
  describeFile,
  describeMove,
} from './contents.ts';
import { describeKernels, describeOne, describeSessions, describeUse } from './kernels.ts';
import { describeRequest, type JupyterRequest } from './request.ts';
import { describeRoom } from './rooms.ts';
import { admitsSlashInName, jupyterRoutes, type Subject } from './routes.ts';
import { ServerQuestions, type Answered } from './server-questions.ts';

/** One jupyter-server: a connection's only one, or one of many behind it. */
export interface JupyterServer {
  readonly proxied: Proxied;
  /** Its path at the upstream, without a slash at the end. */
  readonly base: string;
  /** Normalized: where what is asked of it is decided. */
  readonly scope: string;
  /** Whether each kernel sees no more than the directory of its notebook. */
  readonly isolatedKernels: boolean;
  /** The server's own token, which no caller may see; null if it has none. */
  readonly secret: string | null;
  /** Whether the caller of the exchange holds a role at the scope or beneath it. */
  holdsWithin(exchange: Exchange, scope: string): boolean;
  /** Throws for an answer that is not the server's own, because it does not run. */
  mustRun(answer: Answered): void;
}

const findRoute = compileRules(jupyterRoutes);

const describers: Readonly<Record<Subject, (request: JupyterRequest) => Described>> = {
  file: describeFile,
  contents: describeContents,
  creation: describeCreation,
  move: describeMove,
  conversion: describeConversion,
  sessions: describeSessions,
  kernels: describeKernels,
  'one-session-or-kernel': describeOne,
  'kernel-use': describeUse,
  document: describeDocument,
  room: describeRoom,
};

/**
 * What a request asks of the server, by the one table of routes; `path` is that of the request beneath the server's base.
 * Null for what the table does not name. Throws `invalid_path` for a slash that hides in a name.
 */
export function describeAtServer(
  server: JupyterServer,
  head: RequestHead,
  place: Place,
  path: string,
): Described | null {
  if (hasEncodedSlash(path) && !admitsSlashInName(path)) {
    throw failure('invalid_path', 'The request path holds an encoded slash (`%2F`).');
  }
  const route = findRoute(head.method, path);
  if (route === null) return null;
  const { proxied, scope, isolatedKernels } = server;
  const request: JupyterRequest = {
    head,
    path,
    route,
    scope,
    maxBodyBytes: proxied.maxBodyBytes,
    questions: new ServerQuestions(proxied, server.base, (answer) => server.mustRun(answer)),
    isolatedKernels,
    holdsWithin: (exchange, within) => server.holdsWithin(exchange, within),
    forward: (exchange, substitute = {}) => forward(server, exchange, { place, path, substitute }),
  };
  return route.about === undefined ? describeRequest(request, { scope }) : describers[route.about](request);
}

async function forward(
  server: JupyterServer,
  exchange: Exchange,
  { place, path, substitute }: { place: Place; path: string; substitute: Substitute },
): Promise<Reply> {
  const { head } = exchange;
  const reply = await server.proxied.serve(exchange, place, {
    rawQuery: queryWithoutTokens(
      substitute.rawQuery === undefined ? head : headWith(head, { rawQuery: substitute.rawQuery }),
    ),
    ...(substitute.body && { body: substitute.body }),
    // A cookie of the server's would be a second identity; a compressed page could not be read.
    headers: {
      ...substitute.headers,
      cookie: undefined,
      ...(head.method === 'GET' ? { 'accept-encoding': 'identity' } : {}),
    },
  });
  // A person who looks for a page may be led elsewhere.
  if (isInterface(path) || !isLaboratory(path)) {
    try {
      server.mustRun({ status: reply.status, headers: reply.headers ?? {} });
    } catch (error) {
      discard(reply);
      throw error;
    }
  }
  return callersAnswer(reply, path, server.secret);
}
