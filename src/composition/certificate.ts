import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/load.ts';
import type { ListenerCertificate } from '../gateway/listener.ts';
import { ensureLocalAuthority } from '../gateway/certificates/local-authority.ts';

export interface ServerCertificate extends ListenerCertificate {
  /** What clients have to trust; null when the certificate is the operator's own. */
  readonly certificateAuthorityFile: string | null;
  /** When to ask again for a fresh one, in milliseconds since the epoch; never for the operator's own. */
  readonly renewAt: number;
}

/** The operator's certificate if there is one, else one of the local authority, which is made on first use. */
export async function serverCertificate(
  config: Config,
  hostname: string,
  storageAccount: string,
): Promise<ServerCertificate> {
  if (config.tls !== undefined) {
    const { key, certificate } = config.tls;
    return {
      key: readFileSync(key, 'utf8'),
      cert: readFileSync(certificate, 'utf8'),
      certificateAuthorityFile: null,
      renewAt: Infinity,
    };
  }
  const { baseDomain } = config;
  const storageHost = `${storageAccount}.blob.${baseDomain}`;
  const wildcards = [`*.${baseDomain}`, `*.blob.${baseDomain}`];
  const names = [hostname, ...wildcards, ...listedHosts(config), storageHost];
  const local = await ensureLocalAuthority(join(config.home, 'tls'), names);
  const { key, cert, named, renewAt } = local;
  return { key, cert, named, certificateAuthorityFile: local.caCertificatePath, renewAt };
}

/** Clients give up a handshake whose certificate is larger than some ten kilobytes; this is well beneath. */
const mostListed = 200;

/**
 * The hosts of connections that the certificate names one by one: some clients refuse a wildcard directly beneath a
 * top-level name, such as `*.localhost`. Beneath a real domain the wildcard does, and no stranger reads in the
 * certificate what there is. Where there are too many, those clients have the path `/connections/{name}/`.
 */
function listedHosts({ baseDomain, connections }: Pick<Config, 'baseDomain' | 'connections'>): string[] {
  const names = Object.keys(connections);
  if (baseDomain.includes('.') || names.length > mostListed) return [];
  return names.map((name) => `${name}.${baseDomain}`);
}
