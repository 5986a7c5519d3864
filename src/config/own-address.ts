import { isIP } from 'node:net';
import type { ParsedConfig } from './schema.ts';

export type Listening = Pick<ParsedConfig, 'listen' | 'publicUrl' | 'baseDomain'>;

/** Whether Lockstep itself answers at an address: by its public name, a host beneath its base domain, or where it listens. */
export function isOwnAddress(address: string, { listen, publicUrl, baseDomain }: Listening): boolean {
  const { hostname, port } = placeOf(address);
  const known = placeOf(publicUrl ?? `https://localhost:${listen.port}`);
  if (port === known.port && (hostname === known.hostname || hostname.endsWith(`.${baseDomain}`)))
    return true;
  const listensHere =
    listen.host === 'localhost' || ['127.0.0.1', '::1', '0.0.0.0', '::'].includes(listen.host);
  const hosts = listensHere ? ['localhost', '127.0.0.1', '[::1]'] : [bracketed(listen.host)];
  return port === listen.port && hosts.includes(hostname);
}

function placeOf(address: string): { readonly hostname: string; readonly port: number } {
  const { hostname, port, protocol } = new URL(address);
  return { hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host.toLowerCase();
}
