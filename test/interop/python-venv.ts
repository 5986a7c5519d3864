import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * The directory of a virtual environment with the clients that `{name}/requirements.txt` pins; made once. Null, with
 * the reason logged, when it cannot be had.
 */
export async function pythonVenv(
  cacheDirectory: string,
  name: string,
  log: (line: string) => void,
): Promise<string | null> {
  const requirements = join(import.meta.dirname, name, 'requirements.txt');
  const directory = join(cacheDirectory, name);
  const stamp = join(directory, '.requirements');
  const wanted = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return directory;
  const begun = Date.now();
  const pip = ['install', '--quiet', '--disable-pip-version-check', '--no-compile', '-r', requirements];
  try {
    await run('python3', ['-m', 'venv', '--clear', directory], { timeout: 120_000 });
    await run(join(directory, 'bin', 'pip'), pip, { timeout: 900_000 });
  } catch (error) {
    log(`Python's clients cannot be installed: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
  writeFileSync(stamp, wanted);
  log(`installed in ${Math.round((Date.now() - begun) / 1000)} s`);
  return directory;
}
