import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';
import { loadConfig, type Config } from '../../../src/config/load.ts';
import { initialise } from '../../../src/init.ts';
import { newGuid } from '../../../src/lib/ids.ts';
import { createLog } from '../../../src/lib/log.ts';
import { startLockstep } from '../../../src/main.ts';
import { roleIds } from '../../../src/policy/built-in-roles.ts';
import { systemAttribution } from '../../../src/store/changes.ts';
import { putRoleAssignment } from '../../../src/store/role-assignments.ts';

export interface EchoScene {
  readonly port: number;
  readonly ca: string;
  /** A token of somebody who may use every connection. */
  token(connection: string): Promise<string>;
  close(): Promise<void>;
}

/**
 * A Lockstep with two connections: `echo`, a server that gives back what it gets and complains of nothing, so that
 * whatever is refused was refused by the gateway; and `fuzz`, the address given.
 */
export async function openEchoScene(fuzzPort: number): Promise<EchoScene> {
  const temporary = mkdtempSync(join(tmpdir(), 'lockstep-autobahn-'));
  const echo = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: false,
    skipUTF8Validation: true,
    maxPayload: 64 << 20,
  });
  echo.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer, binary) => socket.send(data, { binary }));
  });
  await new Promise((resolve) => echo.once('listening', () => resolve(undefined)));
  const address = echo.address();
  if (address === null || typeof address === 'string') throw new Error('the echo server does not listen');
  const defaults = loadConfig({ home: join(temporary, 'home'), environment: {} });
  const connection = (name: string, port: number) => ({
    kind: 'web' as const,
    name,
    upstream: `http://127.0.0.1:${port}`,
    scope: `/${name}`,
    credential: null,
    rules: [
      {
        methods: ['GET' as const],
        path: '/*',
        action: 'Microsoft.MachineLearningServices/workspaces/computes/applicationaccess/action',
        dataAction: false,
        upgrade: 'websocket' as const,
      },
    ],
  });
  const config: Config = {
    ...defaults,
    listen: { host: '127.0.0.1', port: 0 },
    limits: { ...defaults.limits, drainSeconds: 1 },
    connections: { echo: connection('echo', address.port), fuzz: connection('fuzz', fuzzPort) },
  };
  const log = createLog('silent');
  await initialise(config, log);
  const lockstep = await startLockstep(config, log);
  const { tenantId, directory, ledger } = lockstep.foundation;
  const by = systemAttribution(tenantId, 'interop');
  const user = await directory.createUser(by, {
    displayName: 'Autobahn',
    userPrincipalName: 'autobahn@lab.example',
  });
  await ledger.commit(by, (tx, record) =>
    putRoleAssignment(tx, record, {
      id: newGuid(),
      scope: '/',
      roleDefinitionId: roleIds.machineLearningDataScientist,
      principalId: user.id,
      principalType: 'User',
      description: '',
      createdOn: '2027-01-01T00:00:00Z',
      createdBy: 'interop',
    }),
  );
  return {
    port: Number(new URL(lockstep.url).port),
    ca: readFileSync(join(temporary, 'home', 'tls', 'authority.pem'), 'utf8'),
    token: async (connection) =>
      (
        await lockstep.identity.tokenIssuer.issue({
          subject: user,
          audience: `api://lockstep/connections/${connection}`,
          lifetimeSeconds: 900,
          chain: [{ kind: 'user', id: user.id, name: user.displayName }],
          authorities: [user.id],
          clientId: newGuid(),
          idType: 'user',
        })
      ).token,
    close: async () => {
      await lockstep.drain();
      for (const socket of echo.clients) socket.terminate();
      await new Promise((resolve) => echo.close(() => resolve(undefined)));
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}
