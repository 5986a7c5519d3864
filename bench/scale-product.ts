// The whole product of gateway-scale.bench.ts, with as many connections as it is told. Run with --expose-gc.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../src/config/load.ts';
import { initialise } from '../src/init.ts';
import { newGuid } from '../src/lib/ids.ts';
import { createLog } from '../src/lib/log.ts';
import { startLockstep } from '../src/main.ts';
import { systemAttribution } from '../src/store/changes.ts';
import { deleteRoleAssignment, putRoleAssignment } from '../src/store/role-assignments.ts';
import { putRoleDefinition } from '../src/store/role-definitions.ts';

export interface ProductReady {
  readonly url: string;
  readonly ca: string;
  /** For the first connection, of either person. */
  readonly tokens: readonly string[];
  /** Some connections from the first to the last, with Ada's tokens for them. */
  readonly places: readonly { readonly url: string; readonly token: string }[];
  readonly loadMilliseconds: number;
  readonly startMilliseconds: number;
}

export type ProductOrder = { readonly kind: 'memory' } | { readonly kind: 'revoke'; readonly person: 0 | 1 };
export type ProductWord =
  | { readonly kind: 'memory'; readonly residentBytes: number }
  /** Milliseconds since the epoch at which the change was asked for. */
  | { readonly kind: 'revoked'; readonly at: number };

const [upstream = '', count = '1'] = process.argv.slice(2);
const home = mkdtempSync(join(tmpdir(), 'lockstep-scale-'));
const log = createLog('error');
const sampledPlaces = 50;
const connection = {
  kind: 'web',
  upstream,
  scope: '/providers/bench.scale',
  concurrency: { webSockets: 65_536 },
  rules: [
    { methods: ['GET'], path: '/socket', action: 'Bench.Scale/read', upgrade: 'websocket' },
    { methods: ['GET'], path: '/things/:id', action: 'Bench.Scale/read' },
    { methods: ['POST', 'PUT', 'DELETE'], path: '/things/:id', action: 'Bench.Scale/write' },
    { methods: ['GET'], path: '/*', action: 'Bench.Scale/read' },
  ],
};
const connections = Object.fromEntries(
  Array.from({ length: Number(count) }, (_, i) => [`c${i}`, connection]),
);
writeFileSync(join(home, 'config.json'), JSON.stringify({ listen: { port: 0 }, connections }));
const load = () => loadConfig({ home, environment: {} });
await initialise(load(), log);

const begun = performance.now();
const config = load();
const loaded = performance.now();
const lockstep = await startLockstep(config, log);
const started = performance.now();

const { foundation, identity } = lockstep;
const { ledger, directory, tenantId } = foundation;
const by = systemAttribution(tenantId, 'bench');
const roleDefinitionId = newGuid();
await ledger.commit(by, (tx, record) =>
  putRoleDefinition(
    tx,
    record,
    {
      id: roleDefinitionId,
      roleName: 'Bench Reader',
      description: '',
      type: 'CustomRole',
      permissions: [{ actions: ['Bench.Scale/*'], notActions: [], dataActions: [], notDataActions: [] }],
      assignableScopes: ['/'],
    },
    Date.now(),
  ),
);
const people = await Promise.all(
  ['ada', 'ben'].map(async (name) => {
    const person = await directory.createUser(by, { displayName: name, userPrincipalName: `${name}@bench` });
    const assignment = {
      id: newGuid(),
      scope: '/providers/bench.scale',
      roleDefinitionId,
      principalId: person.id,
      principalType: 'User',
      description: '',
      createdOn: new Date().toISOString(),
      createdBy: person.id,
    } as const;
    await ledger.commit(by, (tx, record) => putRoleAssignment(tx, record, assignment));
    return { assignment, person };
  }),
);

async function tokenOf(person: (typeof people)[number]['person'], connection: string): Promise<string> {
  const { token } = await identity.tokenIssuer.issue({
    subject: person,
    audience: `api://lockstep/connections/${connection}`,
    lifetimeSeconds: 3600,
    chain: [{ kind: 'user', id: person.id, name: person.displayName }],
    authorities: [person.id],
    clientId: newGuid(),
    idType: 'user',
  });
  return token;
}

const [ada] = people;
if (ada === undefined) throw new Error('nobody is there');
const names = Object.keys(connections);
const sampled = names.filter((_, i) => i % Math.ceil(names.length / sampledPlaces) === 0);
const ready: ProductReady = {
  url: lockstep.url,
  ca: readFileSync(lockstep.certificateAuthorityFile ?? '', 'utf8'),
  tokens: await Promise.all(people.map(({ person }) => tokenOf(person, 'c0'))),
  places: await Promise.all(
    sampled.map(async (name) => ({
      url: `${lockstep.url}/connections/${name}/things/1`,
      token: await tokenOf(ada.person, name),
    })),
  ),
  loadMilliseconds: loaded - begun,
  startMilliseconds: started - loaded,
};
process.send?.(ready);

process.on('message', (order: ProductOrder) => {
  void obey(order).then((word: ProductWord) => process.send?.(word));
});
process.once('disconnect', () => {
  rmSync(home, { recursive: true, force: true });
  process.exit(0);
});

async function obey(order: ProductOrder): Promise<ProductWord> {
  if (order.kind === 'memory') {
    globalThis.gc?.();
    return { kind: 'memory', residentBytes: process.memoryUsage().rss };
  }
  const at = Date.now();
  const assignment = people[order.person]?.assignment;
  if (assignment === undefined) throw new Error('nobody is there');
  await ledger.commit(by, (tx, record) => deleteRoleAssignment(tx, record, assignment));
  return { kind: 'revoked', at };
}
