import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { ConfigProblem } from './problems.ts';

interface Pem {
  /** Of the setting. */
  readonly path: string;
  readonly text: string;
}

/** What would otherwise fail at the first handshake, in words of its own: OpenSSL names neither file. */
export function keyPairProblem(certificate: Pem, key: Pem): ConfigProblem | null {
  const read = certificateIn(certificate.text);
  if (read === null) return { path: certificate.path, message: 'the file holds no certificate in PEM.' };
  const own = privateKeyIn(key.text);
  if (own === null) {
    return { path: key.path, message: 'holds no private key in PEM that opens without a passphrase.' };
  }
  if (!read.checkPrivateKey(own)) {
    return { path: key.path, message: 'is the key of another certificate.' };
  }
  return contextProblem(certificate.path, { cert: certificate.text, key: key.text });
}

/** The authorities that a peer is checked against. */
export function authoritiesProblem({ path, text }: Pem): ConfigProblem | null {
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    return { path, message: 'the file holds no certificate in PEM.' };
  }
  return contextProblem(path, { ca: text });
}

/** Until when a certificate was valid, where that is over: who is shown it refuses it. */
export function expiryWarning({ path, text }: Pem): ConfigProblem | null {
  const read = certificateIn(text);
  if (read === null || read.validToDate.getTime() > Date.now()) return null;
  return { path, message: `the certificate was valid until ${read.validToDate.toISOString()} only.` };
}

/** The hosts that a certificate is not for. */
export function hostWarning({ path, text }: Pem, hosts: readonly string[]): ConfigProblem | null {
  const read = certificateIn(text);
  const others = hosts.filter((host) => {
    const address = host.replace(/^\[|\]$/g, '');
    return (isIP(address) ? read?.checkIP(address) : read?.checkHost(host)) === undefined;
  });
  if (others.length === 0) return null;
  return {
    path,
    message: `the certificate is not for ${others.join(', ')}: clients will not trust it there.`,
  };
}

function certificateIn(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

function privateKeyIn(pem: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    return null;
  }
}

function contextProblem(path: string, pem: Parameters<typeof createSecureContext>[0]): ConfigProblem | null {
  try {
    createSecureContext(pem);
    return null;
  } catch (cause) {
    return { path, message: `cannot be used: ${(cause as Error).message}` };
  }
}
