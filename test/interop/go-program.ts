import { execFile } from 'node:child_process';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);

/** The path of the program built from the Go module in `source`, or of a tool that it requires; or why there is none. */
export async function goProgram(
  source: string,
  cacheDirectory: string,
  tool: string | null = null,
): Promise<{ readonly program: string } | { readonly missing: string }> {
  const program = join(cacheDirectory, tool === null ? `${basename(source)}-check` : basename(tool));
  try {
    await run('go', ['build', '-o', program, tool ?? '.'], { cwd: source, timeout: 300_000 });
    return { program };
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return { missing: absent ? 'Go is not installed' : `the checker cannot be built: ${reasonOf(error)}` };
  }
}

export function reasonOf(error: unknown): string {
  if (error instanceof Error && 'stderr' in error) return String(error.stderr).trim();
  return String(error);
}
