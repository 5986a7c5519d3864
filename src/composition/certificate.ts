import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/load.ts';
import { ensureLocalAuthority } from '../gateway/local-authority.ts';

export interface ServerCertificate {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
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
  // Some clients refuse a wildcard directly beneath a top-level name, so every host is listed as well.
  const hosts = [...Object.keys(config.connections), `${storageAccount}.blob`].map(
    (name) => `${name}.${config.baseDomain}`,
  );
  const names = [hostname, `*.${config.baseDomain}`, `*.blob.${config.baseDomain}`, ...hosts];
  const local = await ensureLocalAuthority(join(config.home, 'tls'), names);
  const { key, cert, renewAt } = local;
  return { key, cert, certificateAuthorityFile: local.caCertificatePath, renewAt };
}
