import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { Agent } from 'undici';
import type { ClientSettings } from '../../config/terminal.ts';
import { CliError } from '../cli-error.ts';

export interface Trust {
  readonly agent: Agent;
  /** The PEM file trusted besides the defaults, or null. */
  readonly caFile: string | null;
  /** What those who run other programs against this server should set, if anything. */
  readonly advice: string;
}

/**
 * Whom to believe: `--ca`, else $LOCKSTEP_CA, else what the sign-in remembered, else the authority of a server whose
 * state is on this machine; always besides Node's own defaults (NODE_EXTRA_CA_CERTS included). Verification is never
 * turned off.
 */
export function trustFor(settings: ClientSettings, named: string | null, remembered: string | null): Trust {
  const local = join(settings.home, 'tls', 'authority.pem');
  const chosen = named ?? settings.caFile ?? firstPresent([remembered, local]);
  const ca = [...getCACertificates('default')];
  if (chosen !== null) ca.push(readPem(chosen));
  return {
    agent: new Agent({ connect: { ca }, connectTimeout: 10_000, headersTimeout: 60_000, bodyTimeout: 0 }),
    caFile: chosen,
    advice:
      'Trust the authority that signed the server’s certificate: `--ca FILE`, or LOCKSTEP_CA=FILE. ' +
      `A local server keeps it at ${local} (see $LOCKSTEP_HOME).`,
  };
}

function firstPresent(files: readonly (string | null)[]): string | null {
  return files.find((file) => file !== null && existsSync(file)) ?? null;
}

function readPem(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('usage', `The CA file ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new CliError('usage', `${file} is not a certificate in PEM form.`);
  }
  return text;
}
