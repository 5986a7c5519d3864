import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { writeFileAtomically } from './job-directory.ts';

/**
 * Writes one PEM file with Mozilla's roots and the local authority, for clients whose setting replaces their roots
 * (`REQUESTS_CA_BUNDLE`, `SSL_CERT_FILE`), where Node's `NODE_EXTRA_CA_CERTS` adds to them. Returns its path.
 */
export function writeTrustBundle(file: string, authorityFile: string): string {
  writeFileAtomically(file, [...rootCertificates, readFileSync(authorityFile, 'utf8').trim(), ''].join('\n'));
  return file;
}
