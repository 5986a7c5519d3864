import type { ProxiedSurface } from '../adapters/web/proxied.ts';
import { webSurface, type WebConnection } from '../adapters/web/surface.ts';
import { alice, allow, callerOf, TestGateway } from './gateway.ts';
import { proxyOptions } from './proxy-options.ts';

/** A gateway in front of one upstream, at which Alice, whose token is `good`, may do everything. */
export async function webGateway(
  connection: WebConnection,
): Promise<{ readonly gateway: TestGateway; readonly surface: ProxiedSurface }> {
  const surface = webSurface(connection, proxyOptions);
  const gateway = await TestGateway.start({
    surfaces: [surface],
    tokens: new Map([['good', callerOf(alice)]]),
    decide: allow,
  });
  return { gateway, surface };
}
