import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ConfigProblem } from './problems.ts';

export type SecretReference = { readonly file: string } | { readonly env: string };

/** Reads what settings refer to; what cannot be read is a problem of its setting, and empty. */
export class References {
  readonly #base: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #problems: ConfigProblem[];

  /** Files are named from `base`; problems are added to those that are there. */
  constructor(base: string, environment: NodeJS.ProcessEnv, problems: ConfigProblem[]) {
    this.#base = base;
    this.#environment = environment;
    this.#problems = problems;
  }

  /** The secret, without the space around it. `path` is that of the setting. */
  secret(reference: SecretReference, path: string): string {
    if ('file' in reference) {
      const read = this.file(reference.file, path);
      const secret = read?.text.trim() ?? '';
      if (read !== null && secret === '') {
        this.#problems.push({ path, message: `the file ${reference.file} is empty.` });
      }
      return secret;
    }
    const value = this.#environment[reference.env];
    if (value) return value;
    this.#problems.push({ path, message: `the environment variable ${reference.env} is not set.` });
    return '';
  }

  /** Its absolute path, and what it holds; null where it cannot be read. */
  file(named: string, path: string): { readonly file: string; readonly text: string } | null {
    const file = resolve(this.#base, named);
    try {
      return { file, text: readFileSync(file, 'utf8') };
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      const why = code === 'ENOENT' ? `is not there (looked for at ${file}).` : `cannot be read: ${message}.`;
      this.#problems.push({ path, message: `the file ${named} ${why}` });
      return null;
    }
  }
}
