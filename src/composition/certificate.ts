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
}

/** The operator's certificate if there is one, else one of the local authority, which is made on first use. */
export async function serverCertificate(config: Config, hostname: string): Promise<ServerCertificate> {
  if (config.tls !== undefined) {
    const { key, certificate } = config.tls;
    return {
      key: readFileSync(key, 'utf8'),
      cert: readFileSync(certificate, 'utf8'),
      certificateAuthorityFile: null,
    };
  }
  const names = [hostname, `*.${config.baseDomain}`, `*.blob.${config.baseDomain}`];
  const local = await ensureLocalAuthority(join(config.home, 'tls'), names);
  return { key: local.key, cert: local.cert, certificateAuthorityFile: local.caCertificatePath };
}
