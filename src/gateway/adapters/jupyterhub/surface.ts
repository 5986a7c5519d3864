import { failure } from '../../../lib/errors.ts';
import { hasEncodedSlash } from '../../edge/path-form.ts';
import type { Described, Exchange, Reply, RequestHead } from '../../types.ts';
import { renderJupyterError } from '../jupyter/render-error.ts';
import { describeAtServer, type JupyterServer } from '../jupyter/server.ts';
import { rolesWithin, type JupyterOptions } from '../jupyter/surface.ts';
import { queryWithoutTokens } from '../web/carried-tokens.ts';
import { Proxied, type Place, type ProxiedConnection, type ProxiedSurface } from '../web/proxied.ts';
import { compileRules, type WebRule } from '../web/rules.ts';
import { ownRoutes, personRoutes } from './routes.ts';
import { mustRun } from './stopped-server.ts';
import { atWhose } from './whose.ts';

const callers = compileRules(ownRoutes);
const persons = compileRules(personRoutes);

/**
 * A JupyterHub whose users are Lockstep's principals, by object id (LockstepAuthenticator sees to it). A person's server,
 * beneath `/user/{object id}`, is a jupyter-server like any other, decided by the same table, at a scope of its own: see
 * `atWhose`. The hub is seen at the connection's own host only, since it knows browsers by cookies; its servers do not.
 * Throws at once for an address or scope that is not well formed, and for a credential: the hub would take each request
 * for that credential's.
 */
export function jupyterHubSurface(connection: ProxiedConnection, options: JupyterOptions): ProxiedSurface {
  const { name, credential, headers = [] } = connection;
  if (credential !== undefined || headers.some(({ header }) => header === 'authorization')) {
    throw new Error(`connection ${name}: a hub is given no credential, it believes Lockstep's statements`);
  }
  const proxied = new Proxied(connection, options);
  const holdsWithin = rolesWithin(options);

  const atServer = (head: RequestHead, place: Place, { id, base, path }: Addressed): Described | null =>
    atWhose(proxied.scope, id, (scope) => {
      const server: JupyterServer = {
        proxied,
        base,
        scope,
        isolatedKernels: false,
        secret: null,
        holdsWithin,
        mustRun: (answer) => mustRun(answer, id),
      };
      const described = describeAtServer(server, head, place, path);
      if (described === null) return null;
      const serve = async (exchange: Exchange): Promise<Reply> => {
        mustNotVisit(exchange, id);
        return described.serve(exchange);
      };
      return { ...described, serve };
    });

  return proxied.surface({
    kind: 'jupyterhub',
    bearerSchemes: ['token'],
    admitsEncodedSlash: true,
    describe: (head, place) => {
      if (place.pathPrefix !== '') return null;
      const { path } = place;
      const addressed = addressedServer(path);
      if (addressed !== null) return atServer(head, place, addressed);
      if (hasEncodedSlash(path)) {
        throw failure('invalid_path', 'The request path holds an encoded slash (`%2F`).');
      }
      return describeAtHub(proxied, head, place);
    },
    renderError: renderJupyterError,
  });
}

interface Addressed {
  /** Whose server it is. */
  readonly id: string;
  readonly base: string;
  /** Beneath the base. */
  readonly path: string;
}

/** Null for what is the hub's. A name that is not an object id, in its one spelling, is nobody's. */
function addressedServer(path: string): Addressed | null {
  const [, base, id, rest] =
    /^(\/user\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))(\/.*)?$/.exec(path) ?? [];
  return base === undefined || id === undefined ? null : { id, base, path: rest ?? '/' };
}

const objectId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ofPerson = /^\/hub\/(?:spawn|spawn-pending|user|api\/users)\/([^/]+)/;

function describeAtHub(proxied: Proxied, head: RequestHead, place: Place): Described | null {
  const { method } = head;
  const [, id] = ofPerson.exec(place.path) ?? [];
  if (id !== undefined) {
    const rule = objectId.test(id) ? persons(method, place.path) : null;
    return rule === null ? null : atWhose(proxied.scope, id, atHub(proxied, head, place, rule));
  }
  const own = callers(method, place.path);
  return own === null ? null : atWhose(proxied.scope, null, atHub(proxied, head, place, own));
}

function atHub(
  proxied: Proxied,
  head: RequestHead,
  place: Place,
  { action }: WebRule,
): (scope: string) => Described {
  const reads = head.method === 'GET' || head.method === 'HEAD';
  return (scope) => ({
    operation: action,
    guard: { kind: 'action', access: { action, dataAction: false, scope } },
    // A visit to `/hub/spawn` starts the visitor's own server, as the hub has it, and is no more than that.
    effect: reads && head.upgrade === null ? 'read' : 'change',
    body: reads ? { kind: 'none' } : { kind: 'streamed', maxBytes: proxied.maxBodyBytes },
    serve: (exchange) => proxied.serve(exchange, place, { rawQuery: queryWithoutTokens(head) }),
  });
}

/**
 * All servers of a hub share one origin: a page that comes from somebody else's server would act as whoever looks at it,
 * at their own server and wherever else they may go. Programs run no pages.
 */
function mustNotVisit({ caller }: Exchange, id: string): void {
  if (caller?.credential.kind !== 'session-cookie' || caller.subject.id === id) return;
  throw failure(
    'access_denied',
    'You may use this server, which is somebody else’s, but not in a browser: its pages would act as you. Ask it with a token.',
  );
}
