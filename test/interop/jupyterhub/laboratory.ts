import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { loadConfig, type Config } from '../../../src/config/load.ts';
import { gatewayClaims } from '../../../src/gateway/adapters/web/assertion.ts';
import { assertionSigner } from '../../../src/identity/tokens/sign-assertion.ts';
import { initialise } from '../../../src/init.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { newGuid, type Secret } from '../../../src/lib/ids.ts';
import { createLog } from '../../../src/lib/log.ts';
import { startLockstep } from '../../../src/main.ts';
import { roleIds } from '../../../src/policy/built-in-roles.ts';
import { systemAttribution, type PrincipalRecord } from '../../../src/store/changes.ts';
import { putRoleAssignment } from '../../../src/store/role-assignments.ts';
import { putRoleDefinition } from '../../../src/store/role-definitions.ts';
import { workspaceId } from '../../../src/workspace/resource-ids.ts';
import { eventsText } from '../events-text.ts';
import { onThisMachine } from '../jupyter/ask.ts';
import { freePort } from '../jupyter/server.ts';
import { newPassword } from '../person-browser.ts';
import { configOfGuide, lockstepOfGuide, startHub, type Hub } from './hub.ts';

export interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly cookies: readonly string[];
  readonly text: string;
}

export interface Question {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface StatedRequest {
  readonly subject: string;
  readonly path: string;
  readonly method?: string;
  readonly audience?: string;
  readonly host?: string;
}

/** A JupyterHub behind Lockstep, and people: Alice and Bob have servers, Rita may read one directory of Alice's, Olga sees to all. */
export interface HubLaboratory {
  readonly port: number;
  readonly origin: string;
  readonly ca: string;
  readonly caFile: string;
  readonly hub: Hub;
  readonly password: string;
  readonly alice: PrincipalRecord;
  readonly bob: PrincipalRecord;
  readonly rita: PrincipalRecord;
  readonly olga: PrincipalRecord;
  token(person: PrincipalRecord): Promise<string>;
  /** A statement of the gateway's, truly signed, for a request that reaches the hub's proxy past it. */
  statement(request: StatedRequest): Promise<string>;
  /** As a program asks, with a token; null for nobody. */
  readonly ask: (who: PrincipalRecord | null, question: Question) => Promise<Answer>;
  /** Takes a person out of the group that may have servers; resolves when that is done. */
  remove(person: PrincipalRecord): Promise<void>;
  /** Takes a person into it again. */
  add(person: PrincipalRecord): Promise<void>;
  /** Disables a person; resolves when that is done. */
  disable(person: PrincipalRecord): Promise<void>;
  /** Stops Lockstep and starts it anew at the same address. */
  restart(): Promise<void>;
  /** Every event in the log, as text. */
  events(): Promise<string>;
  close(): Promise<void>;
}

export async function openHubLaboratory(venv: string, proxyProgram: string): Promise<HubLaboratory> {
  const temporary = mkdtempSync(join(tmpdir(), 'lockstep-jupyterhub-'));
  const home = join(temporary, 'home');
  const [port, proxy, hubPort, proxyApi] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const upstream = `http://127.0.0.1:${proxy}`;
  const file = join(temporary, 'config.json');
  writeFileSync(file, lockstepOfGuide(upstream));
  const defaults = loadConfig({ home, file, environment: {} });
  const config: Config = {
    ...defaults,
    listen: { host: '127.0.0.1', port },
    limits: { ...defaults.limits, drainSeconds: 1 },
  };
  const log = createLog('silent');
  await initialise(config, log);
  let lockstep = await startLockstep(config, log);
  const { tenantId, directory, ledger, workspace } = lockstep.foundation;
  const scope = `${workspaceId(workspace)}/computes/hub`.toLowerCase();
  const by = systemAttribution(tenantId, 'interop');
  const password = newPassword();
  const person = (displayName: string) =>
    directory.createUser(by, {
      displayName,
      userPrincipalName: `${displayName.toLowerCase()}@lab.example`,
      password: password as Secret,
    });
  const [alice, bob] = [await person('Alice'), await person('Bob')];
  const [rita, olga] = [await person('Rita'), await person('Olga')];
  const group = await directory.createGroup(by, { displayName: 'notebook users' });
  for (const { id } of [alice, bob]) await directory.addMember(by, group.id, id);
  await ledger.commit(by, async (tx, record) => {
    const visitor = newGuid();
    const actions = ['Microsoft.MachineLearningServices/workspaces/computes/read'];
    const permissions = [{ actions, notActions: [], dataActions: [], notDataActions: [] }];
    const definition = { id: visitor, roleName: 'Hub visitor', description: '', permissions };
    await putRoleDefinition(tx, record, { ...definition, type: 'CustomRole', assignableScopes: ['/'] }, 0);
    const scientist = roleIds.machineLearningDataScientist;
    for (const [principalId, principalType, at, roleDefinitionId] of [
      [group.id, 'Group', `${scope}/own`, scientist],
      [olga.id, 'User', `${scope}/own`, visitor],
      [olga.id, 'User', `${scope}/users`, scientist],
      [rita.id, 'User', `${scope}/users/${alice.id}`, visitor],
      [rita.id, 'User', `${scope}/users/${alice.id}/directories/shared`, roleIds.reader],
    ] as const) {
      await putRoleAssignment(tx, record, {
        id: newGuid(),
        scope: at,
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
  const ca = readFileSync(caFile, 'utf8');
  const hub = await startHub({
    venv,
    proxyProgram,
    directory: join(temporary, 'hub'),
    ports: { hub: hubPort, proxy, proxyApi },
    config: [
      configOfGuide({
        'http://127.0.0.1:8000': upstream,
        'https://lockstep.example': lockstep.url,
        '{tenant}': tenantId,
        '/etc/lockstep/authority.pem': caFile,
        '{object id of an operator}': olga.id,
      }),
    ],
  });
  const agent = new Agent({ connect: { ca, lookup: onThisMachine } });
  const origin = `https://hub.localhost:${port}`;
  const token = async (subject: PrincipalRecord) =>
    (
      await lockstep.identity.tokenIssuer.issue({
        subject,
        audience: 'api://lockstep/connections/hub',
        lifetimeSeconds: 900,
        chain: [{ kind: 'user', id: subject.id, name: subject.displayName }],
        authorities: [subject.id],
        clientId: newGuid(),
        idType: 'user',
      })
    ).token;
  return {
    port,
    origin,
    ca,
    caFile,
    hub,
    password,
    alice,
    bob,
    rita,
    olga,
    token,
    statement: async ({ subject, path, method = 'GET', audience = 'hub', host = new URL(upstream).host }) => {
      const request = { issuer: lockstep.identity.issuer, audience, host, target: path };
      const claims = gatewayClaims(request, method, randomUUID(), systemClock);
      return assertionSigner(lockstep.identity.assertionKeys)({ ...claims, sub: subject, name: 'Stated' });
    },
    ask: async (who, { method = 'GET', path, body, headers: more = {} }) => {
      const {
        statusCode,
        headers,
        body: answer,
      } = await request(origin + path, {
        method,
        dispatcher: agent,
        headers: {
          ...(who === null ? {} : { authorization: `Bearer ${await token(who)}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...more,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const { location } = headers;
      return {
        status: statusCode,
        location: typeof location === 'string' ? location : undefined,
        cookies: [headers['set-cookie'] ?? []].flat(),
        text: await answer.text(),
      };
    },
    remove: (who) => lockstep.foundation.directory.removeMember(by, group.id, who.id),
    add: (who) => lockstep.foundation.directory.addMember(by, group.id, who.id),
    disable: async (who) => {
      await lockstep.foundation.directory.setEnabled(by, who.id, false);
    },
    restart: async () => {
      await lockstep.drain();
      lockstep = await startLockstep(config, log);
    },
    events: async () => eventsText(lockstep.foundation.store),
    close: async () => {
      await hub.stop();
      await agent.destroy();
      await lockstep.drain();
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}
