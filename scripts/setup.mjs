// Installs what the lock file names, once, and again whenever the lock file changes. Not by `npm ci`, which refuses a
// lock file that leaves out optional packages of other platforms, as one does that was made where they are not to be had.
// Plain JavaScript for any Node.js >= 20: it runs before the pinned Node.js 24 is there.
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(root, 'node_modules', '.lockstep-setup');
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  if (!process.env['LOCKSTEP_SETUP_QUIET']) console.error('Installing the locked dependencies (once) …');
  const npm = process.env['npm_execpath'];
  const [command, prefix] = npm ? [process.execPath, [npm]] : ['npm', []];
  const install = spawnSync(
    command,
    [...prefix, 'install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
    },
  );
  if (install.status !== 0) {
    console.error(
      'The installation failed: read npm’s message above, check that the npm registry is reachable, and run the command again.',
    );
    process.exit(install.status ?? 1);
  }
  writeFileSync(stamp, wanted);
}
