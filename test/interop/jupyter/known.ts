import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { jupyterSurface } from '../../../src/gateway/adapters/jupyter/surface.ts';
import { proxyOptions } from '../../../src/gateway/testing/proxy-options.ts';
import type { RequestHead } from '../../../src/gateway/types.ts';
import { newRequestId } from '../../../src/lib/ids.ts';

export type Expect = (what: string, holds: boolean, shown?: unknown) => void;

const run = promisify(execFile);

/** Routes of the server that are denied, and why is said beside the table of those that are not. */
const denied = new Set([
  ...['DELETE', 'GET', 'PATCH', 'POST', 'PUT'].map((method) => `${method} /api/notebooks/x`),
  'GET /login',
  'POST /login',
  'GET /logout',
  'GET /metrics',
  'PATCH /api/me',
  'POST /',
  'PUT /',
  'POST /api/security/csp-report',
]);

/** What this version of the server can be asked is what the adapter knows; what the shim believes is what it should. */
export async function known(venv: string, expectThat: Expect): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-jupyter-routes-'));
  const surface = jupyterSurface(
    { name: 'own', upstream: 'http://127.0.0.1:1', scope: '/own', isolatedKernels: false },
    proxyOptions,
  );
  try {
    const environment = { PATH: `${join(venv, 'bin')}:/usr/bin:/bin`, HOME: home };
    const python = join(venv, 'bin', 'python');
    const listed = await run(python, [join(import.meta.dirname, 'routes.py')], {
      cwd: home,
      env: environment,
    });
    const routes = listed.stdout.split('\n').filter((line) => line.startsWith('['));
    const undescribed = routes
      .map((line) => JSON.parse(line) as [string, string])
      .map(([method, path]) => [method, path.replace('/specxyaml', '/spec.yaml')] as const)
      .filter(([method, path]) => surface.describe(headOf(method, `/connections/own${path}`)) === null)
      .map(([method, path]) => `${method} ${path}`);
    const surprises = undescribed.filter((route) => !denied.has(route));
    expectThat(
      `each of the server’s ${routes.length} routes is described or denied by name`,
      routes.length > 80 && surprises.length === 0,
      surprises,
    );
    const missing = [...denied].filter((route) => !undescribed.includes(route));
    expectThat('and none is denied that it no longer has', missing.length === 0, missing);
    const verifier = join(import.meta.dirname, '..', '..', '..', 'deploy', 'middleware', 'python');
    const tests = await run(python, ['-m', 'unittest', '-v'], { cwd: verifier, env: environment }).catch(
      (error: unknown) => ({ stderr: String(error) }),
    );
    expectThat(
      'the identity provider believes nothing that it should not',
      /^OK$/m.test(tests.stderr) && /^Ran [1-9]/m.test(tests.stderr),
      tests.stderr,
    );
  } finally {
    await surface.close();
    rmSync(home, { recursive: true, force: true });
  }
}

/** Of a request without anything besides. */
export function headOf(method: string, path: string, host = 'localhost'): RequestHead {
  return {
    id: newRequestId(0),
    method,
    host,
    authority: host,
    path,
    rawQuery: '',
    query: new URLSearchParams(),
    headers: {},
    remoteAddress: '',
    origin: `https://${host}`,
    upgrade: null,
    hasBody: false,
  };
}
