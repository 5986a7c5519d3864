// npm run check: types, lint, format, layers, and documents in step with the code. Says everything that is wrong, then fails.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { layerProblems } from './layers.ts';

const root = join(import.meta.dirname, '..');
let failed = 0;

step('types', ['tsc', '--noEmit']);
step('lint', ['oxlint', '--type-aware', '--deny-warnings']);
step('format', ['prettier', '--check', '--log-level', 'warn', '.']);
for (const script of ['docs-cli.ts', 'docs-errors.ts', 'docs-config.ts', 'docs-events.ts']) {
  if (existsSync(join(root, 'scripts', script))) step(script, ['node', `scripts/${script}`, '--check']);
}
report('layers', layerProblems(root));

process.exit(failed === 0 ? 0 : 1);

function step(name: string, [command = '', ...args]: readonly string[]): void {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  report(name, status === 0 ? [] : ['see above']);
}

function report(name: string, problems: readonly string[]): void {
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  for (const problem of problems) console.log(`     ${problem}`);
  if (problems.length > 0) failed += 1;
}
