import type { Access } from '../../../policy/types.ts';
import type { BodyRule, Described, Exchange, Guard, Reply, RequestHead } from '../../types.ts';
import type { Substitute } from '../web/proxied.ts';
import { jupyterActions as actions } from './actions.ts';
import type { JupyterRoute } from './routes.ts';
import type { ServerQuestions } from './server-questions.ts';

/** One request that a row of the table names, with what is needed to decide on it and to carry it out. */
export interface JupyterRequest {
  readonly head: RequestHead;
  /** Beneath the base of the server, still percent-encoded. */
  readonly path: string;
  readonly route: JupyterRoute;
  /** Of the server. */
  readonly scope: string;
  readonly maxBodyBytes: number;
  readonly questions: ServerQuestions;
  /** Whether a kernel sees no more than the directory of its notebook. */
  readonly isolatedKernels: boolean;
  /** Whether the caller of the exchange holds a role at the scope or beneath it. */
  holdsWithin(exchange: Exchange, scope: string): boolean;
  /** Sends the request on, and answers as the caller may have it. */
  forward(exchange: Exchange, substitute?: Substitute): Promise<Reply>;
}

export interface Description {
  /** Where it lies, or at most where the guard's `locate` will find it. */
  readonly scope: string;
  readonly action?: string;
  readonly locate?: Extract<Guard, { kind: 'action' }>['locate'];
  /** Whether it is done to all beneath the scope, too. */
  readonly subtree?: boolean;
  /** Whether the body is read before it is sent on; it has then at most 4 MiB. */
  readonly readsBody?: boolean;
  readonly serve?: (exchange: Exchange) => Promise<Reply>;
}

const readBody: BodyRule = { kind: 'buffered', maxBytes: 4_194_304, mediaTypes: ['*/*'] };

export function describeRequest(request: JupyterRequest, description: Description): Described {
  const { head, route, maxBodyBytes } = request;
  const { scope, action = route.action, locate, subtree = false, readsBody = false, serve } = description;
  const access = subtree ? accessToAll(action, scope) : accessTo(action, scope);
  const reads = head.method === 'GET' || head.method === 'HEAD';
  const opens = head.upgrade !== null && route.upgrade === head.upgrade;
  return {
    operation: action,
    guard: { kind: 'action', access, ...(locate && { locate }) },
    effect: reads && head.upgrade === null ? 'read' : 'change',
    ...(opens ? { upgrade: 'websocket' } : {}),
    body: reads ? { kind: 'none' } : readsBody ? readBody : { kind: 'streamed', maxBytes: maxBodyBytes },
    serve: serve ?? ((exchange) => request.forward(exchange)),
  };
}

export function accessTo(action: string, scope: string): Access {
  return takesAll.has(action) ? accessToAll(action, scope) : { action, dataAction: false, scope };
}

/** The same to a file, or to a directory with all that is in it: nothing there may be denied then. */
export function accessToAll(action: string, scope: string): Access {
  return { action, dataAction: false, scope, subtree: true };
}

/** Code reaches all that lies beneath where it may run; what is deleted goes with all that is in it. */
const takesAll: ReadonlySet<string> = new Set([actions.use, actions.deleteFiles]);

/** What was read and decided on is what is sent on, whatever another parser would make of the original. */
export function asRead(body: object): Substitute {
  return { body: Buffer.from(JSON.stringify(body)) };
}
