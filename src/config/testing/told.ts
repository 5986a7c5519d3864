import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../load.ts';
import { ConfigError } from '../problems.ts';

/** Of each problem of a configuration, with these files beside it, what people are told; of one without any, its warnings. */
export function told(config: unknown, files: Readonly<Record<string, string>> = {}): readonly string[] {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text);
  writeFileSync(join(home, 'config.json'), JSON.stringify(config));
  try {
    const { warnings = [] } = loadConfig({ home, environment: {} });
    return warnings.map(({ path, message }) => `warning ${path}: ${message}`);
  } catch (error) {
    if (error instanceof ConfigError) return error.told.map(([path, text]) => `${path}: ${text}`);
    throw error;
  }
}
