import { programsOnly } from '../../../config/connections.ts';
import type { PrincipalId } from '../../../lib/ids.ts';
import { onlyPersonReads } from '../../browser/page-visit.ts';
import type { Exchange } from '../../types.ts';
import { Proxied, type ProxiedConnection, type ProxiedSurface, type ProxyOptions } from '../web/proxied.ts';
import { isLaboratory } from './answers.ts';
import { renderJupyterError } from './render-error.ts';
import { describeAtServer, type JupyterServer } from './server.ts';

export interface JupyterConnection extends ProxiedConnection {
  /** Whether each kernel sees no more than the directory of its notebook. */
  readonly isolatedKernels: boolean;
}

export interface JupyterOptions extends ProxyOptions {
  /** Whether each of them holds a role at the scope or beneath it, whatever role: what leads there is then shown. */
  holdRolesWithin?(authorities: readonly PrincipalId[], scope: string): boolean;
}

/**
 * A jupyter-server, with JupyterLab or without. Each file and directory is a scope beneath the connection's, and what is
 * done with one is decided there; a server runs all its kernels as one user, so that running code is decided at the
 * connection, unless its kernels are kept apart. Clients bring a token of Lockstep's as they would the server's own
 * (`Authorization: token …` besides Bearer); the server's stays between it and Lockstep.
 * Throws at once for an address or scope that is not well formed.
 */
export function jupyterSurface(connection: JupyterConnection, options: JupyterOptions): ProxiedSurface {
  const proxied = new Proxied(connection, options);
  const { credential, headers = [], isolatedKernels } = connection;
  const authorization = headers.find(({ header }) => header === 'authorization');
  const server: JupyterServer = {
    proxied,
    base: '',
    scope: proxied.scope,
    isolatedKernels,
    secret: bareToken((credential ?? authorization)?.value),
    holdsWithin: rolesWithin(options),
    // What does not run gives no answer.
    mustRun: () => undefined,
  };
  const kind = 'jupyter';
  const hasPages = !programsOnly({ kind, upstream: connection.upstream });
  return proxied.surface({
    kind,
    bearerSchemes: ['token'],
    admitsEncodedSlash: true,
    // Where its pages load nothing, a person is told so in place of the empty one.
    describe: (head, place) =>
      hasPages || !isLaboratory(place.path) || !onlyPersonReads(head)
        ? describeAtServer(server, head, place, place.path)
        : null,
    renderError: renderJupyterError,
  });
}

/** Whether the caller of an exchange holds a role at a scope or beneath it. */
export function rolesWithin(options: JupyterOptions): (exchange: Exchange, scope: string) => boolean {
  return ({ caller }, scope) =>
    caller !== null &&
    caller.authorities.length > 0 &&
    options.holdRolesWithin?.(caller.authorities, scope) === true;
}

/** What stands behind `token` or `Bearer` in the credential; null without one. */
function bareToken(value: string | undefined): string | null {
  return value?.trim().split(/\s+/).at(-1) ?? null;
}
