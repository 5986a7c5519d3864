import { renderJsonError } from '../../denial/generic-surface.ts';
import { isGrpc } from '../../grpc.ts';
import { Proxied, type ProxiedConnection, type ProxiedSurface, type ProxyOptions } from './proxied.ts';
import { compileRules, type WebRule } from './rules.ts';

export interface WebConnection extends ProxiedConnection {
  readonly rules: readonly WebRule[];
}

/**
 * A protected upstream that speaks HTTP. Every method and path needs a rule that names its operation.
 * Throws at once for an address, scope or rule that is not well formed.
 */
export function webSurface(connection: WebConnection, options: ProxyOptions): ProxiedSurface {
  const proxied = new Proxied(connection, options);
  const findRule = compileRules(connection.rules);
  return proxied.surface({
    kind: 'web',
    describe: (head, place) => {
      const rule = findRule(head.method, place.path);
      if (rule === null) return null;
      const upgrade = head.upgrade !== null && rule.upgrade === head.upgrade ? { upgrade: head.upgrade } : {};
      const reads = head.method === 'GET' || head.method === 'HEAD' || head.method === 'OPTIONS';
      return {
        operation: rule.action,
        guard: {
          kind: 'action',
          access: { action: rule.action, dataAction: rule.dataAction ?? false, scope: proxied.scope },
        },
        // What will be said on a WebSocket may change anything.
        effect: reads && head.upgrade === null ? 'read' : 'change',
        ...upgrade,
        body: reads
          ? { kind: 'none' }
          : { kind: 'streamed', maxBytes: proxied.maxBodyBytes, mayPause: isGrpc(head) },
        serve: (exchange) => proxied.serve(exchange, place),
      };
    },
    renderError: renderJsonError,
  });
}
