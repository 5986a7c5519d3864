import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deniedRoutes } from '../../src/gateway/adapters/mlflow/denied-routes.ts';
import { roleIds } from '../../src/policy/built-in-roles.ts';
import { openMlflowScene, runPython, type Said } from './mlflow/scene.ts';
import { startTrackingServer } from './mlflow/server.ts';
import { pythonVenv } from './python-venv.ts';
import type { InteropResult, InteropSuite } from './suite.ts';

/**
 * Every route of MLflow's REST API, asked of one unmodified server directly and of its twin through the gateway with
 * full rights. MLflow publishes its own tests of it nowhere that a test can install from: they are in its repository only.
 */
export const suite: InteropSuite = {
  name: 'mlflow-rest (every route of its REST API, directly and through the gateway)',
  async run(context): Promise<InteropResult> {
    const venv = await pythonVenv(context.cacheDirectory, 'mlflow', (line) => context.log(line));
    if (venv === null) return { passed: 0, failed: 0, skipped: 1, notes: ['skipped: MLflow cannot be had'] };
    const home = mkdtempSync(join(tmpdir(), 'lockstep-mlflow-rest-'));
    const direct = await startTrackingServer(venv);
    try {
      const opened = await openMlflowScene(venv);
      const { scene, server, scope, url, alice, give } = opened;
      try {
        await give(alice, roleIds.owner, scope);
        const variables = {
          DIRECT: direct.origin,
          DIRECT_HOME: direct.directory,
          UPSTREAM: server.origin,
          UPSTREAM_HOME: server.directory,
          MLFLOW_TRACKING_URI: url,
          ALICE_TOKEN: await alice.token(),
          ALICE_ID: alice.id,
          DENIED: JSON.stringify(deniedRoutes),
          REST_DIFFERENCES: join(context.cacheDirectory, 'mlflow-rest-differences.jsonl'),
        };
        const place = { home, caFile: scene.house.stage.caFile };
        return counted(await runPython(venv, 'rest.py', variables, place, context));
      } finally {
        await opened.close();
      }
    } finally {
      await direct.stop();
      rmSync(home, { recursive: true, force: true });
    }
  },
};

function counted(said: readonly Said[]): InteropResult {
  const checks = said.filter(({ check }) => check !== undefined);
  const failed = checks.filter(({ ok }) => ok !== true);
  return {
    passed: checks.length - failed.length,
    failed: failed.length,
    skipped: 0,
    notes: failed.map(({ check, error }) => `failed: ${check ?? ''}: ${error ?? ''}`),
  };
}
