import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type Config } from '../../../src/config/load.ts';
import { initialise } from '../../../src/init.ts';
import { newGuid, type Secret } from '../../../src/lib/ids.ts';
import { createLog } from '../../../src/lib/log.ts';
import { startLockstep, type Lockstep } from '../../../src/main.ts';
import { roleIds } from '../../../src/policy/built-in-roles.ts';
import { systemAttribution, type PrincipalRecord } from '../../../src/store/changes.ts';
import { putRoleAssignment } from '../../../src/store/role-assignments.ts';
import { putRoleDefinition } from '../../../src/store/role-definitions.ts';
import { eventsText } from '../events-text.ts';
import { newPassword } from '../person-browser.ts';
import { freePort, startJupyter, type JupyterServer } from './server.ts';
import { plantTree } from './tree.ts';

const shim = join(import.meta.dirname, '..', '..', '..', 'clients', 'python', 'lockstep-jupyter');
const verifier = join(import.meta.dirname, '..', '..', '..', 'deploy', 'middleware', 'python');
const computes =
  '/subscriptions/s/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/lab/computes';
export const sharedToken = 'the-token-of-the-shared-server-0123456789';

/** Two notebook servers behind one Lockstep: Alice's own, which knows people, and a shared one as it comes. */
export interface Laboratory {
  readonly venv: string;
  readonly url: string;
  readonly port: number;
  readonly caFile: string;
  readonly ca: string;
  readonly own: JupyterServer;
  readonly shared: JupyterServer;
  /** With rights at its directories. */
  readonly team: JupyterServer;
  /** Alice's too, for browsers: seen at a host of its own. */
  readonly page: JupyterServer;
  /** Of both people. */
  readonly password: string;
  readonly alice: PrincipalRecord;
  readonly bob: PrincipalRecord;
  readonly dora: PrincipalRecord;
  token(person: PrincipalRecord, connection: string): Promise<string>;
  /** Takes Alice out of the group that may use notebooks; resolves when that is done. */
  removeAlice(): Promise<void>;
  /** Stops Lockstep and starts it anew at the same address. */
  restart(): Promise<void>;
  /** Every event in the log, as text. */
  events(): Promise<string>;
  close(): Promise<void>;
}

export async function openLaboratory(venv: string): Promise<Laboratory> {
  const temporary = mkdtempSync(join(tmpdir(), 'lockstep-jupyter-'));
  const home = join(temporary, 'home');
  const [port, ownPort, sharedPort, pagePort, teamPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const defaults = loadConfig({ home, environment: {} });
  const connection = (
    name: string,
    upstreamPort: number,
    secret: string | null,
    base = `/connections/${name}`,
  ) => ({
    kind: 'jupyter' as const,
    name,
    upstream: `http://127.0.0.1:${upstreamPort}${base}`,
    scope: `${computes}/${name}`,
    credential: secret === null ? null : { header: 'authorization', value: `token ${secret}` },
    isolatedKernels: false,
  });
  const config: Config = {
    ...defaults,
    listen: { host: '127.0.0.1', port },
    limits: { ...defaults.limits, drainSeconds: 1 },
    connections: {
      own: connection('own', ownPort, null),
      shared: connection('shared', sharedPort, sharedToken),
      page: connection('page', pagePort, null, ''),
      team: connection('team', teamPort, null),
    },
  };
  const password = newPassword();
  const log = createLog('silent');
  await initialise(config, log);
  let lockstep: Lockstep = await startLockstep(config, log);
  const { tenantId, directory, ledger } = lockstep.foundation;
  const by = systemAttribution(tenantId, 'interop');
  const person = (displayName: string) =>
    directory.createUser(by, {
      displayName,
      userPrincipalName: `${displayName.toLowerCase()}@lab.example`,
      password: password as Secret,
    });
  const [alice, bob, dora] = [await person('Alice'), await person('Bob'), await person('Dora')];
  const group = await directory.createGroup(by, { displayName: 'notebook users' });
  await directory.addMember(by, group.id, alice.id);
  await ledger.commit(by, async (tx, record) => {
    const visitor = newGuid();
    const look = ['Microsoft.MachineLearningServices/workspaces/computes/read'];
    await putRoleDefinition(
      tx,
      record,
      {
        id: visitor,
        roleName: 'Notebook visitor',
        description: '',
        type: 'CustomRole',
        permissions: [{ actions: look, notActions: [], dataActions: [], notDataActions: [] }],
        assignableScopes: ['/'],
      },
      0,
    );
    const scientist = roleIds.machineLearningDataScientist;
    for (const [principalId, principalType, name, roleDefinitionId] of [
      [group.id, 'Group', 'own', scientist],
      [group.id, 'Group', 'shared', scientist],
      [group.id, 'Group', 'page', scientist],
      [bob.id, 'User', 'shared', scientist],
      [alice.id, 'User', 'team', visitor],
      [bob.id, 'User', 'team', visitor],
      [alice.id, 'User', 'team/directories/team-a', scientist],
      [bob.id, 'User', 'team/directories/team-a', roleIds.reader],
      [dora.id, 'User', 'team', scientist],
      [dora.id, 'User', 'page', visitor],
      [dora.id, 'User', 'page/directories/team-a', roleIds.reader],
    ] as const) {
      await putRoleAssignment(tx, record, {
        id: newGuid(),
        scope: `${computes}/${name}`.toLowerCase(),
        roleDefinitionId,
        principalId,
        principalType,
        description: '',
        createdOn: '2027-01-01T00:00:00Z',
        createdBy: 'interop',
      });
    }
  });
  const caFile = join(home, 'tls', 'authority.pem');
  const knowing = (name: string, port: number, baseUrl: string) =>
    startJupyter({
      venv,
      directory: join(temporary, name),
      port,
      baseUrl,
      pythonPath: `${shim}:${verifier}`,
      config: [
        'c.ServerApp.identity_provider_class = "lockstep_jupyter.LockstepIdentityProvider"',
        `c.LockstepIdentityProvider.issuer = "${lockstep.identity.issuer}"`,
        `c.LockstepIdentityProvider.jwks_url = "${lockstep.url}/${tenantId}/discovery/v2.0/keys"`,
        `c.LockstepIdentityProvider.audience = "${name}"`,
        `c.LockstepIdentityProvider.ca_file = "${caFile}"`,
      ],
    });
  for (const name of ['team', 'shared', 'page']) plantTree(join(temporary, name, 'work'));
  const [own, page, team, shared] = await Promise.all([
    knowing('own', ownPort, '/connections/own'),
    knowing('page', pagePort, ''),
    knowing('team', teamPort, '/connections/team'),
    startJupyter({
      venv,
      directory: join(temporary, 'shared'),
      port: sharedPort,
      baseUrl: '/connections/shared',
      config: [`c.IdentityProvider.token = "${sharedToken}"`],
    }),
  ]);
  return {
    venv,
    url: lockstep.url,
    port,
    caFile,
    ca: readFileSync(caFile, 'utf8'),
    own,
    shared,
    page,
    team,
    password,
    alice,
    bob,
    dora,
    token: async (subject, name) =>
      (
        await lockstep.identity.tokenIssuer.issue({
          subject,
          audience: `api://lockstep/connections/${name}`,
          lifetimeSeconds: 900,
          chain: [{ kind: 'user', id: subject.id, name: subject.displayName }],
          authorities: [subject.id],
          clientId: newGuid(),
          idType: 'user',
        })
      ).token,
    removeAlice: async () => {
      await lockstep.foundation.directory.removeMember(by, group.id, alice.id);
    },
    restart: async () => {
      await lockstep.drain();
      lockstep = await startLockstep(config, log);
    },
    events: async () => eventsText(lockstep.foundation.store),
    close: async () => {
      await Promise.all([own.stop(), shared.stop(), page.stop(), team.stop()]);
      await lockstep.drain();
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}
