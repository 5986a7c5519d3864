import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CliError } from './cli-error.ts';

/** The text of a file that a command line names. Throws CliError `usage`. */
export function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : null;
    if (code === 'ENOENT') throw new CliError('usage', `There is no file \`${file}\`.`, { cause });
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('usage', `\`${file}\` cannot be read: ${why}`, { cause });
  }
}

/** The JSON of a file that a command line names. Throws CliError `usage`. */
export function jsonOf<T>(file: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(textOf(file));
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('usage', `\`${file}\` is not JSON: ${why}.`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CliError('usage', `\`${file}\` does not fit: ${z.prettifyError(parsed.error)}`);
}
