import { nearestKey } from '../../../config/nearest-key.ts';
import { normalizeScope } from '../../../policy/scope.ts';
import { genericSurface } from '../../denial/generic-surface.ts';
import { connectionLabel, type HostRule } from '../../edge/host-rule.ts';
import { onlyPersonReads } from '../../browser/page-visit.ts';
import type { RequestHead, Surface } from '../../types.ts';
import { mayKnowOf, type Knowledge } from './may-know-of.ts';

export interface AbsentConnectionOptions extends Knowledge {
  readonly connections: readonly { readonly name: string; readonly scope: string }[];
  readonly hosts: HostRule;
  /** Of tokens whose bearers are told. */
  readonly audiences: readonly string[];
}

/**
 * Where programs address a connection and none takes the request: whoever is recognised is told that there is none of
 * that name, and which they may have meant among those at which they hold a role. To be asked after all connections.
 */
export function absentConnectionSurface(options: AbsentConnectionOptions): Surface {
  const { connections, hosts, audiences } = options;
  const scopes = new Map(connections.map(({ name, scope }) => [name, normalizeScope(scope) ?? scope]));
  return {
    ...genericSurface,
    audiences,
    bearerSchemes: ['token'],
    matches: (head) => nameIn(head, hosts) !== null && !onlyPersonReads(head),
    tellUnknown: (head, caller) => {
      const name = nameIn(head, hosts) ?? '';
      const scope = scopes.get(name);
      if (scope !== undefined) {
        return mayKnowOf(options, caller, scope)
          ? `The paths of connection \`${name}\` begin with /connections/${name}/.`
          : null;
      }
      if (!/^[A-Za-z0-9_-]{1,60}$/.test(name)) return 'There is no connection of that name.';
      const known = [...scopes].filter(([, each]) => mayKnowOf(options, caller, each)).map(([each]) => each);
      const near = nearestKey(name, known);
      return `There is no connection \`${name}\`.${near === null ? '' : ` Did you mean \`${near}\`?`}`;
    },
  };
}

function nameIn({ host, path }: RequestHead, hosts: HostRule): string | null {
  if (!hosts.names.includes(host)) return connectionLabel(host, hosts);
  return /^\/connections\/([^/]+)/.exec(path)?.[1] ?? null;
}
