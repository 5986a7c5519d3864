import { Http1Transport } from './http1.ts';
import { Http2Transport } from './http2.ts';
import type { Transport, TransportOptions } from './transport.ts';

/** Opens nothing yet: connections come with the first request. */
export function openTransport(options: TransportOptions): Transport {
  return options.protocol === 'http1' ? new Http1Transport(options) : new Http2Transport(options);
}
