import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { loadConfig, type Config } from '../../../src/config/load.ts';
import { ensureLocalAuthority } from '../../../src/gateway/certificates/local-authority.ts';
import { initialise } from '../../../src/init.ts';
import { newGuid } from '../../../src/lib/ids.ts';
import { createLog } from '../../../src/lib/log.ts';
import { startLockstep } from '../../../src/main.ts';
import { roleIds } from '../../../src/policy/built-in-roles.ts';
import { systemAttribution } from '../../../src/store/changes.ts';
import { putDenyAssignment } from '../../../src/store/deny-assignments.ts';
import { putRoleAssignment } from '../../../src/store/role-assignments.ts';
import { workspaceId } from '../../../src/workspace/resource-ids.ts';
import { eventsText } from '../events-text.ts';
import { freePort } from '../jupyter/server.ts';

const endpoint = 'onlineEndpoints/calls';
const score = 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action';
/** What a rule names; that the server has no `Missing` is its own to say. */
const methods = ['Unary', 'Back', 'Collect', 'Repeat', 'Talk', 'Fail', 'Wait', 'Missing'];
const connections = ['clear', 'tls'] as const;

/** A server of grpcio behind one Lockstep, as two connections, and people: Alice and Dora may call it, Carol is denied, Bob has no role. */
export interface Laboratory {
  /** For a client in Python. */
  readonly variables: Readonly<Record<string, string>>;
  /** Of whoever has one. */
  readonly tokens: readonly string[];
  /** What a client may ask to be done while its calls are under way. */
  readonly changes: Readonly<Record<string, () => Promise<unknown>>>;
  /** Every event in the log, as text. */
  events(): Promise<string>;
  close(): Promise<void>;
}

export async function openLaboratory(venv: string): Promise<Laboratory> {
  const temporary = mkdtempSync(join(tmpdir(), 'lockstep-grpc-python-'));
  const home = join(temporary, 'home');
  const server = await startServer(venv, temporary);
  const port = await freePort();
  const file = join(temporary, 'config.json');
  writeFileSync(file, JSON.stringify({ connections: connectionsTo(server) }));
  const loaded = loadConfig({ home, file, environment: {} });
  const config: Config = {
    ...loaded,
    listen: { ...loaded.listen, host: '127.0.0.1', port },
    limits: { ...loaded.limits, drainSeconds: 1 },
  };
  const log = createLog('silent');
  await initialise(config, log);
  const lockstep = await startLockstep(config, log);
  const { tenantId, directory, ledger, store, workspace } = lockstep.foundation;
  const by = systemAttribution(tenantId, 'interop');
  const person = (displayName: string) =>
    directory.createUser(by, {
      displayName,
      userPrincipalName: `${displayName.toLowerCase()}@lab.example`,
    });
  const people = {
    alice: await person('Alice'),
    bob: await person('Bob'),
    carol: await person('Carol'),
    dora: await person('Dora'),
  };
  const { alice, carol, dora } = people;
  const group = await directory.createGroup(by, { displayName: 'callers' });
  for (const { id } of [alice, carol, dora]) await directory.addMember(by, group.id, id);
  const denial = newGuid();
  const scope = `${workspaceId(workspace)}/${endpoint}`.toLowerCase();
  await ledger.commit(by, async (tx, record) => {
    await putRoleAssignment(tx, record, {
      id: newGuid(),
      scope,
      roleDefinitionId: roleIds.machineLearningDataScientist,
      principalId: group.id,
      principalType: 'Group',
      description: '',
      createdOn: '2027-01-01T00:00:00Z',
      createdBy: 'interop',
    });
    await putDenyAssignment(tx, record, {
      id: denial,
      name: 'Carol scores nothing',
      description: '',
      scope,
      permissions: [{ actions: [score], notActions: [], dataActions: [], notDataActions: [] }],
      doNotApplyToChildScopes: false,
      principals: [carol.id],
      excludePrincipals: [],
    });
  });
  const forged = 'a-token-that-nobody-issued';
  const tokens: Record<string, Record<string, string>> = { forged: { clear: forged, tls: forged } };
  for (const [name, subject] of Object.entries(people)) {
    const own: Record<string, string> = {};
    for (const connection of connections) {
      const { token } = await lockstep.identity.tokenIssuer.issue({
        subject,
        audience: `api://lockstep/connections/${connection}`,
        lifetimeSeconds: 900,
        chain: [{ kind: 'user', id: subject.id, name: subject.displayName }],
        authorities: [subject.id],
        clientId: newGuid(),
        idType: 'user',
      });
      own[connection] = token;
    }
    tokens[name] = own;
  }
  return {
    variables: {
      CA_FILE: join(home, 'tls', 'authority.pem'),
      GATEWAY_PORT: String(port),
      SERVER_PORT: String(server.clear),
      TOKENS: JSON.stringify(tokens),
      DENY_ASSIGNMENT: denial,
    },
    tokens: Object.values(tokens).flatMap((own) => Object.values(own)),
    changes: {
      'remove alice': () => directory.removeMember(by, group.id, alice.id),
      'disable dora': () => directory.setEnabled(by, dora.id, false),
    },
    events: async () => eventsText(store),
    close: async () => {
      await lockstep.drain();
      await server.stop();
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}

interface Server {
  /** Ports on loopback: in clear, and over TLS. */
  readonly clear: number;
  readonly tls: number;
  /** PEM file of whoever vouches for it over TLS. */
  readonly authorities: string;
  stop(): Promise<void>;
}

function connectionsTo(server: Server): object {
  const rule = (path: string, action: string) => ({ methods: ['POST'], path, action });
  const connection = {
    kind: 'web',
    scope: `workspace/${endpoint}`,
    rules: [
      ...methods.map((name) => rule(`/interop.Calls/${name}`, score)),
      rule('/grpc.health.v1.Health/*', 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read'),
    ],
  };
  return {
    clear: { ...connection, protocol: 'h2c', upstream: `http://127.0.0.1:${server.clear}` },
    tls: {
      ...connection,
      protocol: 'http2',
      upstream: `https://127.0.0.1:${server.tls}`,
      tls: { authorities: server.authorities, serverName: 'localhost' },
    },
  };
}

async function startServer(venv: string, temporary: string): Promise<Server> {
  const { key, cert, caCertificatePath } = await ensureLocalAuthority(join(temporary, 'server'), []);
  const files = { KEY_FILE: join(temporary, 'server.key'), CERTIFICATE_FILE: join(temporary, 'server.pem') };
  writeFileSync(files.KEY_FILE, key, { mode: 0o600 });
  writeFileSync(files.CERTIFICATE_FILE, cert);
  const child = spawn(join(venv, 'bin', 'python'), [join(import.meta.dirname, 'server.py')], {
    cwd: temporary,
    env: { PATH: '/usr/bin:/bin', HOME: temporary, PYTHONDONTWRITEBYTECODE: '1', ...files },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), exited.then(() => null)]);
  if (first === null) throw new Error('the server in Python did not start');
  const ports = z.object({ clear: z.number(), tls: z.number() }).parse(JSON.parse(String(first[0])));
  return {
    ...ports,
    authorities: caCertificatePath,
    stop: async () => {
      child.stdin.end();
      const force = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(force);
    },
  };
}
