import { z } from 'zod';
import { failure, LockstepError } from '../../../lib/errors.ts';
import { mustAllow } from '../../denial/must-allow.ts';
import { parseJson } from '../../bodies/parse-body.ts';
import type { Described, Exchange, Reply } from '../../types.ts';
import { wholeBody } from '../../upstream/whole-body.ts';
import { askerOf } from '../web/proxied.ts';
import { jupyterActions as actions } from './actions.ts';
import { accessTo, accessToAll, asRead, describeRequest, type JupyterRequest } from './request.ts';
import { parentOf, pathOfAddress, pathOfText, scopeOfPath, type ServerPath } from './server-path.ts';

/** A file by its path in the address, for whatever the route's action is. */
export function describeFile(request: JupyterRequest): Described {
  const { path } = addressed(request);
  return describeRequest(request, { scope: scopeOfPath(request.scope, path) });
}

/**
 * A document that is opened together with others. JupyterLab writes its path as one name, slashes encoded, and the server
 * takes it as it then is: one that began with a slash could lead out of the server's directory.
 */
export function describeDocument(request: JupyterRequest): Described {
  const text = decodeURIComponent(request.path.replace(beneath, ''));
  if (/^\/\/|\/$/.test(text)) throw failure('invalid_request', 'The path begins or ends with a slash.');
  return describeRequest(request, { scope: scopeOfPath(request.scope, pathOfText(text)) });
}

/** A file's content, or a directory with what of it the caller may see. */
export function describeContents(request: JupyterRequest): Described {
  const { path, of } = addressed(request);
  const scope = scopeOfPath(request.scope, path);
  if (of !== 'itself' || request.head.method !== 'GET') return describeRequest(request, { scope });
  const serve = (exchange: Exchange) => serveContents(request, exchange, path);
  // Whether a directory may be gone through is no question of one action at one place.
  const guard = { kind: 'authenticated' as const, rule: 'jupyter-contents', scope };
  return { ...describeRequest(request, { scope, serve }), guard };
}

async function serveContents(request: JupyterRequest, exchange: Exchange, path: ServerPath): Promise<Reply> {
  const { head, questions } = request;
  const scope = scopeOfPath(request.scope, path);
  const decision = await exchange.decideAlso(accessTo(actions.readFiles, scope));
  // On the way to what somebody may see there are directories to go through.
  if (!decision.allowed && !request.holdsWithin(exchange, scope)) mustAllow(exchange, decision);
  const query = new URLSearchParams(head.rawQuery);
  const type =
    typeAsked(query) ??
    (await questions.typeOf(request.path.replace(/\/$/, ''), askerOf(exchange))) ??
    'file';
  query.delete('type');
  query.append('type', type);
  const rawQuery = query.toString();
  if (type !== 'directory') {
    mustAllow(exchange, decision);
    const model = await request.forward(exchange, { rawQuery });
    const isOutline = model.status === 200 && query.getAll('content').at(-1) === '0';
    return isOutline ? writableByCaller(exchange, scope, model) : model;
  }
  const unconditional = { 'if-none-match': undefined, 'if-modified-since': undefined };
  const reply = await request.forward(exchange, { rawQuery, headers: unconditional });
  return reply.status === 200 ? visibleOf(request, exchange, path, reply) : reply;
}

const types = new Set(['directory', 'notebook', 'file']);

/** Null where none is asked for. Blanks and control characters around it the server would take away: no other spelling counts. */
function typeAsked(query: URLSearchParams): string | null {
  const asked = query.getAll('type').at(-1) ?? null;
  if (asked === null || types.has(asked)) return asked;
  throw failure('invalid_request', '`type` is `directory`, `notebook` or `file`.');
}

const fileModel = z.looseObject({ writable: z.boolean().nullish() });

/** What is there without its content, from which JupyterLab takes whether a document that is open may be changed. */
async function writableByCaller(exchange: Exchange, scope: string, reply: Reply): Promise<Reply> {
  const [writing] = await exchange.decideEach([accessTo(actions.writeFiles, scope)]);
  if (writing?.allowed === true) return reply;
  return jsonReply(reply, { ...(await jsonOf(reply, fileModel)), writable: false });
}

const directoryModel = z.looseObject({
  type: z.literal('directory'),
  content: z.array(z.looseObject({ name: z.string(), type: z.string() })).nullish(),
});

async function visibleOf(
  request: JupyterRequest,
  exchange: Exchange,
  path: ServerPath,
  reply: Reply,
): Promise<Reply> {
  const model = await jsonOf(reply, directoryModel);
  const scoped = (model.content ?? []).flatMap((child) => {
    const scope = scopeOrNull(request, [...path, child.name]);
    return scope === null ? [] : [{ child, scope }];
  });
  const decisions = await exchange.decideEach(scoped.map(({ scope }) => accessTo(actions.readFiles, scope)));
  const visible = scoped.filter(
    ({ child, scope }, i) =>
      decisions[i]?.allowed === true || (child.type === 'directory' && request.holdsWithin(exchange, scope)),
  );
  const content = model.content ? visible.map(({ child }) => child) : model.content;
  return jsonReply(reply, { ...model, content });
}

/** Null for a name that has no scope: nobody can be given a right to it. */
function scopeOrNull(request: JupyterRequest, path: ServerPath): string | null {
  try {
    return scopeOfPath(request.scope, pathOfText(path.join('/')));
  } catch {
    return null;
  }
}

const creation = z.looseObject({ copy_from: z.string().nullish(), ext: z.string().nullish() });

/**
 * Something new in a directory, or a copy, for which all that is copied must be readable; the server makes the new name, of
 * which there is nothing yet. With checkpoints and trust, which are of their file.
 */
export function describeCreation(request: JupyterRequest): Described {
  const { path, of } = addressed(request);
  const scope = scopeOfPath(request.scope, path);
  if (of !== 'itself') return describeRequest(request, { scope });
  return describeRequest(request, {
    scope,
    readsBody: true,
    serve: async (exchange) => {
      if (exchange.bytes.length === 0) return request.forward(exchange);
      const body = exchange.json(creation);
      const source = body.copy_from ?? '';
      if (source !== '') {
        const from = scopeOfPath(request.scope, pathOfText(source));
        mustAllow(exchange, await exchange.decideAlso(accessToAll(actions.readFiles, from)));
      }
      // The server makes a path of the directory, `untitled` and this.
      if (/[/\\\p{Cc}]/u.test(body.ext ?? '') || !(body.ext ?? '').isWellFormed()) {
        throw failure('invalid_request', '`ext` is the end of a name, without slashes.');
      }
      return request.forward(exchange, asRead(body));
    },
  });
}

const renaming = z.looseObject({ path: z.string().optional() });

/**
 * A new name, or another directory: written at both ends. Under another name others may read it, the mover among them:
 * so the mover may read it where it is; and delete it there, if it leaves its directory, where others see it. A directory
 * goes with all that is in it, at both ends.
 */
export function describeMove(request: JupyterRequest): Described {
  const { path } = addressed(request);
  const scope = scopeOfPath(request.scope, path);
  return describeRequest(request, {
    scope,
    subtree: true,
    readsBody: true,
    serve: async (exchange) => {
      const body = exchange.json(renaming);
      const target = body.path === undefined ? path : pathOfText(body.path);
      const accesses = [accessToAll(actions.writeFiles, scopeOfPath(request.scope, target))];
      if (target.join('/') !== path.join('/')) accesses.push(accessToAll(actions.readFiles, scope));
      if (parentOf(target).join('/') !== parentOf(path).join('/')) {
        accesses.push(accessTo(actions.deleteFiles, scope));
      }
      for (const access of accesses) mustAllow(exchange, await exchange.decideAlso(access));
      return request.forward(exchange, asRead(body));
    },
  });
}

/** What nbconvert writes as text, from the notebook alone. The others run programs that read what a notebook names. */
const plainFormats = new Set([
  'html',
  'slides',
  'markdown',
  'rst',
  'latex',
  'asciidoc',
  'python',
  'script',
  'notebook',
]);

export function describeConversion(request: JupyterRequest): Described {
  const [, format = '', rest = ''] = /^\/nbconvert\/([^/]+)(.*)$/.exec(request.path) ?? [];
  const scope = scopeOfPath(request.scope, pathOfAddress(rest));
  return describeRequest(request, {
    scope,
    serve: async (exchange) => {
      if (!plainFormats.has(format)) {
        mustAllow(exchange, await exchange.decideAlso(accessTo(actions.use, request.scope)));
      }
      return request.forward(exchange);
    },
  });
}

interface Addressed {
  readonly path: ServerPath;
  readonly of: 'itself' | 'its-checkpoints' | 'its-trust';
}

const beneath = /^\/(?:api\/contents|api\/collaboration\/(?:session|timeline)|files|view)(?=\/|$)/;

/** The file that an address is about. `checkpoints` and `trust` behind it are routes to the server before they are names. */
function addressed({ path: address }: JupyterRequest): Addressed {
  const text = address.replace(beneath, '');
  if (!address.startsWith('/api/contents')) return { path: pathOfAddress(text), of: 'itself' };
  const checkpoints = /^(.*)\/checkpoints(?:\/[\w-]+)?$/.exec(text);
  if (checkpoints !== null) return { path: pathOfAddress(checkpoints[1] ?? ''), of: 'its-checkpoints' };
  const trust = /^(.*)\/trust$/.exec(text);
  if (trust !== null) return { path: pathOfAddress(trust[1] ?? ''), of: 'its-trust' };
  return { path: pathOfAddress(text), of: 'itself' };
}

const largestListing = 67_108_864;

async function bytesOf({ body }: Reply): Promise<Buffer> {
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body);
  return wholeBody(body, largestListing);
}

/** In place of an answer that was looked through. */
export function jsonReply(reply: Reply, value: unknown): Reply {
  const { 'content-length': _, etag: __, 'last-modified': ___, ...headers } = reply.headers ?? {};
  return { status: reply.status, headers, body: JSON.stringify(value) };
}

/** The answer of the server. Throws `upstream_unreachable` for one that is not what it should be. */
export async function jsonOf<T>(reply: Reply, schema: z.ZodType<T>): Promise<T> {
  try {
    return parseJson(await bytesOf(reply), schema);
  } catch (cause) {
    throw new LockstepError({
      code: 'upstream_unreachable',
      publicMessage: 'The answer of the notebook server is not to be understood.',
      cause,
    });
  }
}
