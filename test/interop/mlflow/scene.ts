import { randomUUID } from 'node:crypto';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { loadConfig } from '../../../src/config/load.ts';
import { roleIds } from '../../../src/policy/built-in-roles.ts';
import { CiClient } from '../../e2e/ci-client.ts';
import { openScene, type Scene } from '../../e2e/scene.ts';
import type { InteropContext } from '../suite.ts';
import { startTrackingServer, type TrackingServer } from './server.ts';

/** An application that acts at the tracking server. */
export interface Actor {
  readonly id: string;
  /** A token for the connection. */
  token(): Promise<string>;
}

/** A Lockstep in front of a tracking server, and three who differ in what they may do there. */
export interface MlflowScene {
  readonly scene: Scene;
  readonly server: TrackingServer;
  /** Scope of the connection. */
  readonly scope: string;
  readonly url: string;
  /** Data scientist of the whole connection. */
  readonly alice: Actor;
  /** Nothing at first. */
  readonly bob: Actor;
  readonly eve: Actor;
  readonly give: (to: Actor, role: string, scope: string) => Promise<void>;
  close(): Promise<void>;
}

const subscriptionId = 'd6a3f1c2-5b7e-4a9d-8c01-2e4f6a8b0c1d';
const audience = 'api://lockstep/connections/mlflow';

export async function openMlflowScene(
  venv: string,
  environments: Parameters<typeof openScene>[0] = {},
): Promise<MlflowScene> {
  const server = await startTrackingServer(venv);
  const defaults = loadConfig({ home: '/nowhere', environment: {} });
  const workspace = { ...defaults.workspace, subscriptionId };
  const scope =
    `/subscriptions/${subscriptionId}/resourceGroups/${workspace.resourceGroup}` +
    `/providers/Microsoft.MachineLearningServices/workspaces/${workspace.name}`;
  const scene = await openScene(environments, {
    workspace,
    connections: {
      mlflow: {
        name: 'mlflow',
        kind: 'mlflow',
        upstream: server.origin,
        scope,
        workspace: null,
        credential: null,
      },
    },
  });
  const { house, issuer } = scene;
  const clients: CiClient[] = [];
  const actor = async (displayName: string): Promise<Actor> => {
    const { id, appId } = await house.admin.change<{ id: string; appId: string }>(
      'POST',
      '/v1.0/applications',
      { displayName },
      [201],
    );
    const { secretText } = await house.admin.change<{ secretText: string }>(
      'POST',
      `/v1.0/applications/${id}/addPassword`,
      { passwordCredential: { displayName: 'interop' } },
      [200],
    );
    const client = new CiClient(house, issuer, appId);
    clients.push(client);
    return { id, token: async () => (await client.withSecret(secretText, audience)).token };
  };
  const give = async (to: Actor, role: string, at: string) => {
    const properties = {
      roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${role}`,
      principalId: to.id,
      principalType: 'ServicePrincipal',
    };
    const path = `${at}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`;
    await house.admin.change('PUT', `${path}?api-version=2022-04-01`, { properties }, [201]);
  };
  const [alice, bob, eve] = [await actor('alice'), await actor('bob'), await actor('eve')];
  await give(alice, roleIds.machineLearningDataScientist, scope);
  return {
    scene,
    server,
    scope,
    url: `${house.url}/connections/mlflow`,
    alice,
    bob,
    eve,
    give,
    async close() {
      for (const client of clients) await client.close();
      await scene.close();
      await server.stop();
    },
  };
}

/** What a program of checks has said, a line each. */
export interface Said {
  readonly check?: string;
  readonly ok?: boolean;
  readonly error?: string;
  readonly state?: Readonly<Record<string, string>>;
}

/** Runs a Python program of this folder with the environment of somebody who uses MLflow. */
export async function runPython(
  venv: string,
  program: string,
  variables: Readonly<Record<string, string>>,
  { home, caFile }: { readonly home: string; readonly caFile: string },
  context: InteropContext,
): Promise<readonly Said[]> {
  const child = spawn(join(venv, 'bin', 'python'), ['-W', 'ignore', join(import.meta.dirname, program)], {
    cwd: home,
    env: {
      PATH: `${join(venv, 'bin')}:/usr/bin:/bin`,
      HOME: home,
      REQUESTS_CA_BUNDLE: caFile,
      SSL_CERT_FILE: caFile,
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONPATH: join(import.meta.dirname, '..'),
      MLFLOW_DISABLE_TELEMETRY: 'true',
      // What fails should fail soon.
      MLFLOW_HTTP_REQUEST_MAX_RETRIES: '1',
      GIT_PYTHON_REFRESH: 'quiet',
      ...variables,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString('utf8')).slice(-20_000)));
  const said: Said[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) continue;
    const one = JSON.parse(line) as Said;
    said.push(one);
    if (one.check !== undefined) context.log(`${one.ok === true ? 'ok  ' : 'FAIL'} ${one.check}`);
  }
  const code = child.exitCode ?? (await new Promise((resolve) => child.once('exit', resolve)));
  if (code !== 0) said.push({ check: `${program} runs to its end`, ok: false, error: errors.slice(-3000) });
  return said;
}
