import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const requirements = join(import.meta.dirname, 'python', 'requirements.txt');

/** The directory of a virtual environment with the pinned clients; made once. Null, with the reason logged, when it cannot be had. */
export async function pythonVenv(
  cacheDirectory: string,
  log: (line: string) => void,
): Promise<string | null> {
  const directory = join(cacheDirectory, 'python');
  const stamp = join(directory, '.requirements');
  const wanted = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return directory;
  try {
    await run('python3', ['-m', 'venv', '--clear', directory], { timeout: 120_000 });
    await run(
      join(directory, 'bin', 'pip'),
      ['install', '--quiet', '--disable-pip-version-check', '-r', requirements],
      {
        timeout: 300_000,
      },
    );
  } catch (error) {
    log(`Python's clients cannot be installed: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
  writeFileSync(stamp, wanted);
  return directory;
}
