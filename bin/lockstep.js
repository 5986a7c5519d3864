#!/usr/bin/env node
// Plain JavaScript for any Node.js: finds one that is new enough, then starts the command line.
/* oxlint-disable typescript/no-unsafe-assignment, typescript/no-unsafe-call -- which entry it is, is known at run time only */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const needed = 24;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

if (Number(process.versions.node.split('.')[0]) >= needed) {
  // Compiled code is kept in the user's own directory: what stands in a shared one could be planted.
  module.enableCompileCache(join(homedir(), '.cache', 'lockstep'));
  const built = join(root, 'dist', 'cli', 'main.js');
  const source = join(root, 'src', 'cli', 'main.ts');
  const entry = existsSync(built) && !existsSync(source) ? built : source;
  const { main } = await import(entry);
  process.exitCode = await main(process.argv.slice(2));
} else {
  const pinned = [join(root, 'node_modules', '.bin', 'node'), join(root, '..', '.bin', 'node')].find(
    isNewEnough,
  );
  if (pinned === undefined) {
    process.stderr.write(
      'lockstep: Node.js ' +
        needed +
        ' or newer is needed; this is ' +
        process.version +
        '.\n' +
        'Run `npm install` in ' +
        (relative(process.cwd(), root) || '.') +
        ', which brings a pinned one, or install Node.js ' +
        needed +
        '.\n',
    );
    process.exit(1);
  }
  const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  // Ctrl-C reaches both by itself; what is sent to this process alone is passed on.
  process.on('SIGINT', () => undefined);
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    throw error;
  });
  child.on('exit', (code, signal) => {
    process.removeAllListeners();
    if (signal === null) process.exitCode = code;
    else process.kill(process.pid, signal);
  });
}

/** @param {string} path */
function isNewEnough(path) {
  if (!existsSync(path)) return false;
  const answer = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return answer.status === 0 && Number(answer.stdout.slice(1).split('.')[0]) >= needed;
}
