import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

test('mistakes of a configuration are told in the same form by whatever reads it, and the home is left alone', () => {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
  const file = join(home, 'config.json');
  writeFileSync(file, JSON.stringify({ tokns: {}, listen: { port: 'x' } }));
  const said = (...words: string[]) => {
    const env = { ...process.env, LOCKSTEP_HOME: home, NO_COLOR: '1' };
    const { status, stderr, stdout } = spawnSync(process.execPath, words, {
      cwd: root,
      env,
      encoding: 'utf8',
    });
    return { status, stderr, stdout };
  };
  const expected = {
    status: 2,
    stdout: '',
    stderr: [
      `error  ${file}: 2 problems.`,
      '  listen.port  must be a number, not a text.',
      '  tokns        there is no such setting. Did you mean `tokens`?',
      '  next         Every setting is described in docs/reference/config.md.',
      '',
    ].join('\n'),
  };
  expect(said('bin/lockstep.js', 'config', 'check')).toEqual(expected);
  expect(said('bin/lockstep.js', 'serve', '--init')).toEqual(expected);
  expect(said('examples/four-day-training-job/start.ts', '--no-example')).toEqual(expected);
});

test('a configuration that is hardly meant so is warned of when it is checked', () => {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
  const notebook = { kind: 'jupyter', upstream: 'http://127.0.0.1:8888/connections/nb', scope: 'workspace' };
  writeFileSync(join(home, 'config.json'), JSON.stringify({ connections: { nb: notebook } }));
  const check = (...more: string[]) =>
    spawnSync(process.execPath, ['bin/lockstep.js', 'config', 'check', '--home', home, ...more], {
      cwd: root,
      encoding: 'utf8',
    });
  const { status, stdout } = check();
  expect(status).toBe(0);
  expect(stdout).toMatch(/^ok .*\nwarning  connections\.nb\.upstream  serves programs only/);
  expect(JSON.parse(check('--json').stdout)).toMatchObject({
    problems: [],
    warnings: [{ path: 'connections.nb.upstream' }],
  });
});
