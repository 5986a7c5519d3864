import type { ConnectionTls } from '../../config/connections.ts';
import type { AdmissionBounds } from './admission.ts';
import type { BreakerSettings } from './breaker.ts';
import type { HealthCheckSettings } from './health-check.ts';
import type { TransportTimeouts, UpstreamProtocol } from './transport.ts';

/** How an upstream is spoken to, besides where it is. */
export interface UpstreamSettings {
  readonly protocol: UpstreamProtocol;
  readonly tls?: ConnectionTls | undefined;
  readonly timeouts: TransportTimeouts;
  readonly bounds: AdmissionBounds & {
    /** WebSockets at the same time, and of one caller. */
    readonly webSockets: number;
    readonly webSocketsPerCaller: number;
  };
  readonly circuit: BreakerSettings & {
    /** Statuses that count as failures of the address. Whoever can make the upstream answer so can close it to others. */
    readonly statuses: readonly number[];
  };
  /** Null: nobody asks unless somebody wants something. */
  readonly health: HealthCheckSettings | null;
}

export const defaultUpstreamSettings: UpstreamSettings = {
  protocol: 'http1',
  timeouts: { connectMilliseconds: 5000, headMilliseconds: 300_000, idleMilliseconds: 900_000 },
  bounds: {
    requests: 512,
    waiting: 1024,
    waitMilliseconds: 10_000,
    perCaller: 256,
    webSockets: 4096,
    webSocketsPerCaller: 2048,
  },
  circuit: { failures: 5, minMilliseconds: 1000, maxMilliseconds: 30_000, statuses: [] },
  health: null,
};
