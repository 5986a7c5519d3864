import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const manifest = z.object({ version: z.string() });

/** The version of this installation, from its package.json. */
export function productVersion(): string {
  const file = join(import.meta.dirname, '..', '..', 'package.json');
  return manifest.parse(JSON.parse(readFileSync(file, 'utf8'))).version;
}
