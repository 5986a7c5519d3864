import { z } from 'zod';
import type { Access } from '../../../policy/types.ts';
import { failure } from '../../../lib/errors.ts';
import { mustAllow } from '../../denial/must-allow.ts';
import { parseJson } from '../../bodies/parse-body.ts';
import type { Described, Exchange, Reply } from '../../types.ts';
import { askerOf, type Asker } from '../web/proxied.ts';
import { jupyterActions as actions } from './actions.ts';
import { jsonOf, jsonReply } from './contents.ts';
import { accessTo, asRead, describeRequest, type JupyterRequest } from './request.ts';
import { parentOf, pathOfText, scopeOfPath, type ServerPath } from './server-path.ts';
import { sessionList, type JupyterSession } from './server-questions.ts';

/** Where a session is: its notebook's path. One whose path says nothing is the whole connection's. */
function scopeOfSession({ scope }: JupyterRequest, { path }: Pick<JupyterSession, 'path'>): string {
  try {
    return scopeOfPath(scope, pathOfText(path));
  } catch {
    return scope;
  }
}

/**
 * What makes a session visible: that its notebook is, or that its kernel may be used (and with it, unless kernels are
 * kept apart, all there is).
 */
function accessesThatShow(request: JupyterRequest, session: JupyterSession): readonly Access[] {
  const scope = scopeOfSession(request, session);
  const used = request.isolatedKernels ? scope : request.scope;
  return [accessTo(actions.readFiles, scope), accessTo(actions.use, used)];
}

async function visibleSessions(
  request: JupyterRequest,
  exchange: Exchange,
  sessions: readonly JupyterSession[],
): Promise<readonly JupyterSession[]> {
  const asked = sessions.map((session) => accessesThatShow(request, session));
  const decisions = await exchange.decideEach(asked.flat());
  let at = 0;
  return sessions.filter((_, i) => {
    const mine = decisions.slice(at, (at += asked[i]?.length ?? 0));
    return mine.some(({ allowed }) => allowed);
  });
}

/** `GET /api/sessions`: those that the caller may see. */
export function describeSessions(request: JupyterRequest): Described {
  return describeRequest(request, {
    scope: request.scope,
    serve: async (exchange) => {
      const reply = await request.forward(exchange);
      if (reply.status !== 200) return reply;
      return jsonReply(reply, await visibleSessions(request, exchange, await jsonOf(reply, sessionList)));
    },
  });
}

const kernelList = z.array(z.looseObject({ id: z.string() }));

/** `GET /api/kernels`: without those that only notebooks use which the caller may not see. */
export function describeKernels(request: JupyterRequest): Described {
  return describeRequest(request, {
    scope: request.scope,
    serve: async (exchange) => {
      const reply = await request.forward(exchange);
      if (reply.status !== 200) return reply;
      const kernels = await jsonOf(reply, kernelList);
      const sessions = await request.questions.sessions(askerOf(exchange));
      const shown = new Set(
        (await visibleSessions(request, exchange, sessions)).map(({ kernel }) => kernel?.id),
      );
      const taken = new Set(sessions.map(({ kernel }) => kernel?.id));
      return jsonReply(
        reply,
        kernels.filter(({ id }) => shown.has(id) || !taken.has(id)),
      );
    },
  });
}

/** One session or kernel, by its id. */
export function describeOne(request: JupyterRequest): Described {
  return describeRequest(request, {
    scope: request.scope,
    serve: async (exchange) => {
      const sessions = await request.questions.sessions(askerOf(exchange));
      const mine = sessions.filter((session) => isAbout(request, session));
      const decisions = await exchange.decideEach(
        mine.flatMap((session) => accessesThatShow(request, session)),
      );
      const [first] = decisions;
      if (first !== undefined && !decisions.some(({ allowed }) => allowed)) mustAllow(exchange, first);
      return request.forward(exchange);
    },
  });
}

function isAbout({ path }: JupyterRequest, { id, kernel }: JupyterSession): boolean {
  const [, kind, asked] = /^\/api\/(sessions|kernels)\/([^/]+)/.exec(path) ?? [];
  return kind === 'sessions' ? id === asked : kernel?.id === asked;
}

const kernelReference = z.looseObject({ id: z.string().nullish() });
const sessionBody = z.looseObject({
  path: z.string().optional(),
  kernel: kernelReference.nullish(),
  notebook: z.unknown().optional(),
});
const kernelBody = z.looseObject({ path: z.string().nullish(), kernel_id: z.string().nullish() });

/**
 * Starting, using and ending kernels. Whoever runs code on the server can reach all that the server can: that is a right
 * at the connection. Where each kernel sees its own directory only, it is one at the directory of its notebook, and at
 * that of each notebook that shares the kernel.
 */
export function describeUse(request: JupyterRequest): Described {
  const { scope, route, head } = request;
  if (!request.isolatedKernels) return describeRequest(request, { scope });
  const readsBody = head.method === 'POST' || head.method === 'PATCH';
  let besides: readonly Access[] = [];
  return describeRequest(request, {
    scope,
    readsBody,
    locate: async (bytes, signal, { subject }) => {
      const asker = { signal, caller: subject.id };
      const sessions = await request.questions.sessions(asker);
      const [first, ...others] = await directoriesOfUse(request, { bytes, sessions, asker });
      besides = others.map((other) => accessTo(route.action, other));
      return accessTo(route.action, first ?? scope);
    },
    serve: async (exchange: Exchange): Promise<Reply> => {
      for (const access of besides) mustAllow(exchange, await exchange.decideAlso(access));
      const { bytes } = exchange;
      return request.forward(exchange, bytes.length === 0 ? {} : asRead(parseJson(bytes, z.looseObject({}))));
    },
  });
}

/** A path that goes deeper is not looked for. */
const deepest = 64;

/** The scopes of the directories that the kernels of a request see, or would see once they are started. */
async function directoriesOfUse(
  request: JupyterRequest,
  { bytes, sessions, asker }: { bytes: Buffer; sessions: readonly JupyterSession[]; asker: Asker },
): Promise<readonly string[]> {
  const scopes = new Set<string>();
  for (const path of pathsOfUse(request, bytes, sessions)) {
    scopes.add(path === null ? request.scope : await scopeOfDirectory(request, pathOfText(path), asker));
  }
  return [...scopes];
}

/** jupyter-server starts a kernel in the directory of its notebook, and where that is none, in the next above it. */
async function scopeOfDirectory(
  { scope, questions }: JupyterRequest,
  path: ServerPath,
  asker: Asker,
): Promise<string> {
  if (path.length > deepest) throw failure('invalid_request', 'The path is too deep to be decided on.');
  for (let at = path; at.length > 0; at = parentOf(at)) {
    const address = `/api/contents/${at.map(encodeURIComponent).join('/')}`;
    if ((await questions.typeOf(address, asker)) === 'directory') return scopeOfPath(scope, at);
  }
  return scopeOfPath(scope, []);
}

/** Null for what is the whole connection's. */
function pathsOfUse(
  { path }: JupyterRequest,
  bytes: Buffer,
  sessions: readonly JupyterSession[],
): readonly (string | null)[] {
  const ofKernel = (id: string): readonly (string | null)[] => {
    const paths = sessions.filter(({ kernel }) => kernel?.id === id).map(pathOfSession);
    return paths.length === 0 ? [null] : paths;
  };
  const [, kind, id] = /^\/api\/(sessions|kernels)(?:\/([^/]+))?/.exec(path) ?? [];
  const paths: (string | null)[] = [];
  if (kind === 'kernels' && id !== undefined) paths.push(...ofKernel(id));
  if (kind === 'sessions' && id !== undefined) {
    const session = sessions.find((one) => one.id === id);
    paths.push(session === undefined ? null : pathOfSession(session));
    if (session?.kernel) paths.push(...ofKernel(session.kernel.id));
  }
  if (bytes.length > 0 && kind === 'sessions') {
    const { path, kernel, notebook } = parseJson(bytes, sessionBody);
    if (notebook !== undefined) throw failure('invalid_request', 'Say `path` and `type`, not `notebook`.');
    if (path !== undefined) paths.push(path);
    if (kernel?.id) paths.push(...ofKernel(kernel.id));
  }
  if (bytes.length > 0 && kind === 'kernels' && id === undefined) {
    const { path, kernel_id: kernelId } = parseJson(bytes, kernelBody);
    paths.push(path ? path : null);
    if (kernelId) paths.push(...ofKernel(kernelId));
  }
  return paths;
}

/** One whose path says nothing is the whole connection's. */
function pathOfSession({ path }: JupyterSession): string | null {
  try {
    pathOfText(path);
    return path;
  } catch {
    return null;
  }
}
