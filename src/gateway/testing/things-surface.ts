import { routeTable } from '../route-table.ts';
import type { Route } from '../routes.ts';
import { renderJsonError } from '../denial/generic-surface.ts';
import type { Exchange, Guard, Reply, Surface } from '../types.ts';

export function actionGuard(action: string, scope = '/things'): Guard {
  return { kind: 'action', access: { action, dataAction: false, scope } };
}

export function route(parts: Partial<Route> & Pick<Route, 'method' | 'path'>): Route {
  return {
    effect: parts.method === 'GET' || parts.method === 'HEAD' ? 'read' : 'change',
    body: { kind: 'none' },
    guard: () => actionGuard('Contoso.Things/read'),
    serve: (): Promise<Reply> => Promise.resolve({ status: 200, body: 'served' }),
    ...parts,
  };
}

/** A small local service under every path. */
export function thingsSurface(routes: readonly Route[], over: Partial<Surface> = {}): Surface {
  return {
    name: 'things',
    matches: () => true,
    audiences: ['api://things'],
    acceptsSessionCookie: true,
    describe: routeTable(routes),
    renderError: renderJsonError,
    ...over,
  };
}

export async function streamText(exchange: Exchange): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of exchange.stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
