import findMyWay, { type HTTPMethod } from 'find-my-way';
import { failure } from '../lib/errors.ts';
import type { Params, Route } from './routes.ts';
import type { Described, RequestHead } from './types.ts';

/**
 * Looks a request up among the routes of a local service.
 * Null: no route has this path. Throws `method_not_allowed` with `details.allow` where another method has it,
 * and `invalid_path` where a parameter is not UTF-8. HEAD is answered by the GET route where none is its own.
 * Path parameters are percent-decoded once; without `caseInsensitive` the path is compared byte for byte, with it
 * only parameters keep their case. Throws at once, when made, for a table that contradicts itself.
 */
export function routeTable(
  routes: readonly Route[],
  options: { caseInsensitive?: boolean } = {},
): (head: RequestHead) => Described | null {
  const router = findMyWay({
    caseSensitive: options.caseInsensitive !== true,
    ignoreDuplicateSlashes: false,
    ignoreTrailingSlash: false,
    maxParamLength: 8192,
  });
  const byMethod = new Set<HTTPMethod>();
  for (const route of routes) {
    checkRoute(route);
    byMethod.add(route.method);
    router.on(route.method, route.path, notCalled, route);
  }

  const find = (method: HTTPMethod, path: string): { route: Route; params: Params } | null => {
    const found = router.find(method, path);
    if (found === null) return null;
    const params = definedParams(found.params);
    // The router lets a value be empty; a name never is. What a wildcard takes may be.
    if (Object.entries(params).some(([name, value]) => value === '' && name !== '*')) return null;
    return { route: found.store as Route, params };
  };

  return (head) => {
    const method = head.method as HTTPMethod;
    const found = find(method, head.path) ?? (method === 'HEAD' ? find('GET', head.path) : null);
    if (found !== null) return describe(found.route, found.params, head);
    const allow = [...byMethod].filter((other) => find(other, head.path) !== null);
    if (allow.length === 0) return null;
    throw failure('method_not_allowed', `${head.method} is not supported here; ${allow.join(', ')} is.`, {
      allow,
    });
  };
}

function describe(route: Route, params: Params, head: RequestHead): Described {
  const guard = route.guard(params, head);
  const named = guard.kind === 'action' ? guard.access.action : guard.rule;
  return {
    operation: route.operation ?? named,
    guard,
    effect: route.effect,
    body: route.body,
    serve: (exchange) => route.serve(exchange, params),
  };
}

function checkRoute(route: Route): void {
  const name = `${route.method} ${route.path}`;
  if (!route.path.startsWith('/')) throw new Error(`route ${name}: the path must begin with a slash`);
  if ((route.method === 'GET' || route.method === 'HEAD') && route.body.kind !== 'none') {
    throw new Error(`route ${name}: a ${route.method} takes no body`);
  }
  if (route.body.kind !== 'none' && !(route.body.maxBytes > 0)) {
    throw new Error(`route ${name}: a body needs a positive bound`);
  }
  if (route.body.kind === 'buffered' && route.body.mediaTypes.length === 0) {
    throw new Error(`route ${name}: a buffered body needs its media types named`);
  }
}

function definedParams(params: { [name: string]: string | undefined }): Params {
  const out: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined) out[name] = value;
  }
  return out;
}

/** The router wants one; the pipeline calls `serve` itself, after the decision. */
function notCalled(): void {
  throw new Error('routes are served by the pipeline only');
}
