import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Wstest {
  readonly python: string;
  /** The directory of the packages. */
  readonly packages: string;
}

/** Autobahn's TestSuite, which is a program for Python 2.7, installed once; or why it cannot be had. */
export async function wstest(
  cacheDirectory: string,
  log: (line: string) => void,
): Promise<Wstest | { readonly missing: string }> {
  const python = await python2();
  if (python === null) return { missing: 'no Python 2.7 (nor one that pyenv keeps)' };
  const requirements = join(import.meta.dirname, 'requirements.txt');
  const packages = join(cacheDirectory, 'autobahn');
  const stamp = join(packages, '.requirements');
  const wanted = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return { python, packages };
  rmSync(packages, { recursive: true, force: true });
  mkdirSync(packages, { recursive: true });
  log('installing Autobahn’s TestSuite');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-compile'];
  try {
    await run(python, [...pip, '--target', packages, '-r', requirements], { timeout: 900_000 });
  } catch (error) {
    return { missing: `it cannot be installed: ${error instanceof Error ? error.message : String(error)}` };
  }
  writeFileSync(stamp, wanted);
  return { python, packages };
}

/** The path of an interpreter of that language. Distributions no longer have one; pyenv does, where it was asked. */
async function python2(): Promise<string | null> {
  const asked = ['-c', 'import sys; print(sys.executable if sys.version_info[:2] == (2, 7) else "")'];
  const kept = await run('pyenv', ['root']).then(
    async ({ stdout }) => {
      const versions = await run('pyenv', ['versions', '--bare']);
      return versions.stdout
        .split('\n')
        .filter((version) => /^(?:2\.7\.|pypy2)/.test(version))
        .map((version) => join(stdout.trim(), 'versions', version, 'bin', 'python'));
    },
    () => [],
  );
  for (const candidate of ['python2.7', 'python2', 'pypy', ...kept]) {
    try {
      const found = (await run(candidate, asked)).stdout.trim();
      if (found !== '') return found;
    } catch {
      // Not here.
    }
  }
  return null;
}
