import { createHash, X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import chromium from '@sparticuz/chromium';
import { chromium as playwright, type Browser } from 'playwright-core';

/**
 * A real Chromium from an npm package; it needs nothing of the system. It trusts the keys of the given certificates
 * (PEM) and otherwise checks TLS as ever.
 */
export async function launchChromium(options: { trusted: readonly string[] }): Promise<Browser> {
  const keys = options.trusted.map((pem) => {
    const spki = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
    return createHash('sha256').update(spki).digest('base64');
  });
  const root = process.getuid?.() === 0;
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    headless: true,
    args: [
      ...(root ? ['--no-sandbox', '--no-zygote'] : []),
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--font-render-hinting=none',
      `--ignore-certificate-errors-spki-list=${keys.join(',')}`,
    ],
  });
}

/** PEM of what a listener of this machine shows those who ask for this host. */
export async function servedCertificate(port: number, host: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername: host, ca }, () => {
      resolve(socket.getPeerX509Certificate()?.toString() ?? '');
      socket.end();
    }).on('error', reject);
  });
}
