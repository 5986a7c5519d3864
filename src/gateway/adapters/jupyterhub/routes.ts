import { jupyterActions } from '../jupyter/actions.ts';
import type { WebRule } from '../web/rules.ts';

const { look, start, stop } = jupyterActions;
type Methods = WebRule['methods'];
const get: Methods = ['GET'];
const page: Methods = ['GET', 'HEAD'];

function rules(methods: Methods, action: string, paths: readonly string[]): WebRule[] {
  return paths.map((path) => ({ methods, path, action }));
}

/**
 * The hub's pages, and what is the caller's own without saying whose. They lie with the caller's own server: at the hub's
 * own scope a right to them would be one to look at everybody's servers.
 */
export const ownRoutes: readonly WebRule[] = [
  ...rules(page, look, ['/', '/hub', '/hub/', '/hub/home', '/hub/static/*', '/hub/logo', '/favicon.ico']),
  ...rules(get, look, ['/hub/login', '/hub/logout', '/hub/error/:status', '/hub/api', '/hub/api/']),
  ...rules(['GET', 'POST'], start, ['/hub/spawn']),
  ...rules(get, look, ['/hub/spawn-pending', '/hub/user-redirect/*']),
];

/**
 * What is one person's, by their name in the path: starting and stopping their server, and how far it is. Everything
 * else of the hub is denied:
 * - tokens, which would outlive what Lockstep decides, and OAuth, by which servers would get them: they ask Lockstep;
 * - named servers: a name such as `lab` would give the paths of a person's server another meaning;
 * - shares, groups, services, the proxy, activity, the pages of administrators, and `POST /hub/login`.
 */
export const personRoutes: readonly WebRule[] = [
  ...rules(['GET', 'POST'], start, ['/hub/spawn/:user']),
  ...rules(get, look, ['/hub/spawn-pending/:user', '/hub/api/users/:user']),
  ...rules(page, look, ['/hub/user/:user', '/hub/user/:user/*']),
  ...rules(['POST'], start, ['/hub/api/users/:user/server']),
  ...rules(['DELETE'], stop, ['/hub/api/users/:user/server']),
  ...rules(get, look, ['/hub/api/users/:user/server/progress']),
];
