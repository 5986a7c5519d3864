import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';

/** Writes a generated document; with `--check` compares instead and fails the process when it is out of step. */
export async function writeOrCheck(path: string, text: string): Promise<void> {
  const file = join(import.meta.dirname, '..', path);
  const wanted = await format(text, { ...(await resolveConfig(file)), filepath: file });
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, wanted);
    return;
  }
  let present = '';
  try {
    present = readFileSync(file, 'utf8');
  } catch {
    present = '';
  }
  if (present !== wanted) {
    console.error(
      `${path} is out of step with the code: run the script without --check and commit the result.`,
    );
    process.exitCode = 1;
  }
}
