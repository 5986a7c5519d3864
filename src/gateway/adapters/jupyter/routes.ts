import type { WebRule } from '../web/rules.ts';
import { jupyterActions } from './actions.ts';

const { look, use, stop, readFiles, writeFiles, deleteFiles } = jupyterActions;

/** What a route is about, where it is not the whole server. */
export type Subject =
  | 'file'
  | 'contents'
  | 'creation'
  | 'move'
  | 'conversion'
  | 'sessions'
  | 'kernels'
  | 'one-session-or-kernel'
  | 'kernel-use'
  | 'document'
  | 'room';

export interface JupyterRoute extends WebRule {
  readonly about?: Subject;
}

type Methods = WebRule['methods'];
const get: Methods = ['GET'];
const page: Methods = ['GET', 'HEAD'];

function rules(methods: Methods, action: string, paths: readonly string[], about?: Subject): JupyterRoute[] {
  return paths.map((path) => ({ methods, path, action, ...(about && { about }) }));
}

function sockets(action: string, paths: readonly string[], about?: Subject): JupyterRoute[] {
  return rules(get, action, paths, about).map((route) => ({ ...route, upgrade: 'websocket' }));
}

const contents = ['/api/contents', '/api/contents/*'];

/**
 * Every route of jupyter-server 2 with its terminals and language servers, of JupyterLab 4, and of jupyter-collaboration.
 * What is not here is denied: `/login` and `/logout` (Lockstep signs people in), `PATCH /api/me` (they are who Lockstep
 * says), `/metrics`, `/api/security/csp-report`, preflights from other origins, and whatever an extension adds.
 */
export const jupyterRoutes: readonly JupyterRoute[] = [
  // The server itself.
  ...rules(get, look, ['/api', '/api/', '/api/status', '/api/me', '/api/nbconvert']),
  ...rules(page, look, ['/api/spec.yaml']),
  ...rules(['POST'], stop, ['/api/shutdown']),
  ...rules(get, look, ['/api/config/:section']),
  ...rules(['PUT', 'PATCH'], use, ['/api/config/:section']),
  ...rules(['POST'], use, ['/api/events']),
  ...sockets(use, ['/api/events/subscribe']),

  // Kernels and what they are made of.
  ...rules(page, look, ['/api/kernelspecs', '/api/kernelspecs/:name', '/kernelspecs/:name/*']),
  ...rules(get, look, ['/api/kernels'], 'kernels'),
  ...rules(get, look, ['/api/kernels/:id'], 'one-session-or-kernel'),
  ...rules(
    ['POST'],
    use,
    ['/api/kernels', '/api/kernels/:id/restart', '/api/kernels/:id/interrupt'],
    'kernel-use',
  ),
  ...rules(['DELETE'], use, ['/api/kernels/:id'], 'kernel-use'),
  ...sockets(use, ['/api/kernels/:id/channels'], 'kernel-use'),
  ...rules(get, look, ['/api/sessions'], 'sessions'),
  ...rules(get, look, ['/api/sessions/:id'], 'one-session-or-kernel'),
  ...rules(['POST'], use, ['/api/sessions'], 'kernel-use'),
  ...rules(['PATCH', 'DELETE'], use, ['/api/sessions/:id'], 'kernel-use'),

  // Terminals and language servers.
  ...rules(get, look, ['/api/terminals', '/api/terminals/:name']),
  ...rules(['POST'], use, ['/api/terminals']),
  ...rules(['DELETE'], use, ['/api/terminals/:name']),
  ...sockets(use, ['/terminals/websocket/:name']),
  ...rules(get, look, ['/lsp/status']),
  ...sockets(use, ['/lsp/ws/:server']),

  // Files: with checkpoints and trust, which lie beneath the path of their file.
  ...rules(page, readFiles, contents, 'contents'),
  ...rules(['POST'], writeFiles, contents, 'creation'),
  ...rules(['PUT'], writeFiles, contents, 'file'),
  ...rules(['PATCH'], writeFiles, contents, 'move'),
  ...rules(['DELETE'], deleteFiles, ['/api/contents/*'], 'file'),
  ...rules(page, readFiles, ['/files/*', '/view/*'], 'file'),
  ...rules(get, readFiles, ['/nbconvert/:format/*'], 'conversion'),
  ...rules(['POST'], use, ['/nbconvert/:format']),
  // Says of any path, of the server's whole disk, whether it is there.
  ...rules(get, use, ['/api/resolvePath']),

  // Documents that several write at once. Who may only read one is in its room all the same: what they send stays here.
  ...rules(['PUT'], readFiles, ['/api/collaboration/session/*'], 'document'),
  ...rules(get, readFiles, ['/api/collaboration/timeline/*'], 'file'),
  ...sockets(readFiles, ['/api/collaboration/room/:room'], 'room'),
  ...rules(['PUT'], writeFiles, ['/api/collaboration/undo_redo/:room'], 'room'),
  ...rules(get, readFiles, ['/api/collaboration/fork/:room'], 'room'),
  ...rules(['PUT', 'DELETE'], writeFiles, ['/api/collaboration/fork/:room'], 'room'),

  // JupyterLab: pages, what they are made of, and what it keeps for its user. A page is the same whatever path it names;
  // what is there is asked for by the page.
  ...rules(page, look, ['/', '/lab', '/lab/', '/doc', '/doc/', '/favicon.ico', '/robots.txt']),
  ...rules(page, look, ['/lab/tree/*', '/lab/workspaces/*', '/doc/tree/*', '/doc/workspaces/*']),
  ...rules(page, look, ['/static/*', '/lab/extensions/*', '/lab/api/themes/*', '/lab/api/licenses/*']),
  ...rules(get, look, ['/lab/api/translations', '/lab/api/translations/*', '/lab/api/listings/*']),
  ...rules(get, look, ['/lab/api/settings', '/lab/api/settings/*', '/lab/api/workspaces']),
  ...rules(get, look, ['/lab/api/workspaces/*', '/lab/api/news', '/lab/api/update']),
  ...rules(get, look, ['/lab/api/build', '/lab/api/extensions', '/lab/api/plugins']),
  ...rules(['PUT'], use, ['/lab/api/settings/*', '/lab/api/workspaces/*']),
  ...rules(['DELETE'], use, ['/lab/api/workspaces/*', '/lab/api/build']),
  ...rules(['POST'], use, ['/lab/api/build', '/lab/api/extensions', '/lab/api/plugins']),
];

/** Names of settings and workspaces may hold slashes, which JupyterLab encodes, and so it writes the path of a document. */
export function admitsSlashInName(path: string): boolean {
  return /^\/(?:lab\/api\/(?:settings|workspaces|translations)|api\/collaboration\/session)\/[^/]+$/.test(
    path,
  );
}
