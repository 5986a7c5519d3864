import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Cosignature, Trust } from '../ledger/verify/open-checkpoint.ts';
import { parsePolicy, trustOnly, type Policy } from '../ledger/verify/policy.ts';
import { CliError } from './cli-error.ts';
import { keyOf } from './log-source.ts';
import { moment } from './output/amounts.ts';

/** The options that addTrust adds. */
export const trustShape = { key: z.array(z.string()).optional(), policy: z.string().optional() };

export interface TrustOptions {
  readonly key?: readonly string[] | undefined;
  readonly policy?: string | undefined;
}

export function addTrust(command: Command, otherwise: string): Command {
  return command
    .option(
      '--key <vkey>',
      `Verifier key of the log, or a file that holds it; once for each, one is enough. ${otherwise}`,
      (key: string, keys: readonly string[] | undefined) => [...(keys ?? []), key],
    )
    .option(
      '--policy <file>',
      'Policy with the keys of the log, its witnesses and their quorum (c2sp.org/tlog-policy).',
    );
}

/** Whom the options trust; null when they say nothing. Throws CliError `usage` for what is malformed. */
export function trustOf({ key, policy: file }: TrustOptions): Trust | null {
  const keys = key?.flatMap((named) => keysOf(named, '--key')) ?? null;
  if (file === undefined) return keys;
  const policy = readPolicy(file);
  if (keys !== null) return { ...policy, logs: trustOnly(keys).logs };
  if (policy.logs.length === 0) {
    throw new CliError('usage', `${file} names no log: give the log’s verifier key with --key as well.`);
  }
  return policy;
}

export function cosignedBy(cosignatures: readonly Cosignature[]): string | null {
  if (cosignatures.length === 0) return null;
  return cosignatures.map(({ witness, time }) => `${witness} (${moment(time * 1000)})`).join(', ');
}

/**
 * The keys that a text holds, or the file that it names; there may be several, a line each, as a server gives them at
 * `/ledger/key`. Throws CliError `usage` that begins with the option.
 */
export function keysOf(text: string, option: string): string[] {
  return (heldIn(text) ?? text)
    .trim()
    .split(/\s*\n\s*/)
    .map((key) => keyOf(key, option));
}

/** Null for what is a key itself, or names no file. */
function heldIn(text: string): string | null {
  if (text.includes('+')) return null;
  try {
    return readFileSync(text, 'utf8');
  } catch {
    return null;
  }
}

function readPolicy(file: string): Policy {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('usage', `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const parsed = parsePolicy(text);
  if (!parsed.ok) throw new CliError('usage', `${file} is not a policy: ${parsed.reason}.`);
  return parsed.policy;
}
