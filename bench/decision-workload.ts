import { builtInRoles } from '../src/policy/built-in-roles.ts';
import type { PolicyRows } from '../src/policy/snapshot.ts';
import type { Access } from '../src/policy/types.ts';
import type { PrincipalId } from '../src/lib/ids.ts';
import type {
  DenyAssignment,
  Permission,
  PrincipalRecord,
  RoleAssignment,
  RoleDefinition,
} from '../src/store/changes.ts';

/**
 * A tenant of a size that is heavier than most: users in nested groups (about 15 transitive ones each), scopes on
 * six levels, 30 roles of which 27 have 5 to 40 wildcard actions, 60 % of the assignments given to groups and most
 * of them at resource groups and workspaces, and one deny assignment for every twenty role assignments.
 * The same seed gives the same tenant.
 */
export interface Workload {
  readonly rows: PolicyRows;
  readonly users: readonly PrincipalId[];
  readonly questions: readonly Question[];
  /** Every concrete action that is asked about. */
  readonly actions: readonly string[];
}

export interface Question {
  readonly principal: PrincipalId;
  readonly access: Access;
}

export interface WorkloadSize {
  readonly users: number;
  readonly groups: number;
  readonly assignments: number;
  /** Scopes on each level below the root. */
  readonly levels: readonly [number, number, number, number, number];
  readonly questions: number;
}

export const hundredThousand: WorkloadSize = {
  users: 10_000,
  groups: 1_000,
  assignments: 100_000,
  levels: [10, 100, 1_000, 5_000, 20_000],
  questions: 200_000,
};

export function generateWorkload(size: WorkloadSize, seed = 42): Workload {
  const random = generator(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

  const users = ids('1', size.users);
  const groups = ids('2', size.groups);
  const leaves = groups.slice(0, Math.floor(size.groups * 0.7));
  const middle = groups.slice(leaves.length, Math.floor(size.groups * 0.95));
  const top = groups.slice(leaves.length + middle.length);
  const memberships: { group: PrincipalId; member: PrincipalId }[] = [];
  const join = (member: PrincipalId, among: readonly PrincipalId[], count: number): void => {
    const chosen = new Set<PrincipalId>();
    for (let i = 0; i < count; i++) chosen.add(pick(among));
    for (const group of chosen) memberships.push({ group, member });
  };
  for (const user of users) join(user, leaves, 5);
  for (const leaf of leaves) join(leaf, middle, 1 + Math.floor(random() * 2));
  for (const group of middle) join(group, top, 1);

  const actions = concreteActions(2_000);
  const roleDefinitions = roles(27, actions, random);
  const scopes = scopeTree(size.levels);
  const at = (): string => {
    const roll = random();
    const level =
      roll < 0.001 ? 0 : roll < 0.01 ? 1 : roll < 0.25 ? 2 : roll < 0.65 ? 3 : roll < 0.85 ? 4 : 5;
    return pick(scopes[level]!);
  };
  const narrowRoles = roleDefinitions.slice(3);
  const roleAt = (scope: string): RoleDefinition =>
    scope.length < 60 || random() > 0.2 ? pick(narrowRoles) : pick(roleDefinitions);

  const roleAssignments: RoleAssignment[] = [];
  const held = new Map<PrincipalId, string[]>();
  const denyCount = Math.floor(size.assignments * 0.05);
  for (let i = 0; i < size.assignments - denyCount; i++) {
    const toGroup = random() < 0.6;
    const principalId = toGroup ? pick(groups) : pick(users);
    const scope = at();
    roleAssignments.push({
      id: guid('4', i),
      scope,
      roleDefinitionId: roleAt(scope).id,
      principalId,
      principalType: toGroup ? 'Group' : 'User',
      description: '',
      createdOn: '2026-01-01T00:00:00Z',
      createdBy: 'bench',
    });
    const own = held.get(principalId);
    if (own) own.push(scope);
    else held.set(principalId, [scope]);
  }
  const denyAssignments: DenyAssignment[] = Array.from({ length: denyCount }, (_, i) => ({
    id: guid('5', i),
    name: `deny ${i}`,
    description: '',
    scope: at(),
    permissions: [permission({ actions: [pick(actions), `${pick(actions).split('/')[0]}/*/delete`] })],
    doNotApplyToChildScopes: false,
    principals: [random() < 0.6 ? pick(groups) : pick(users)],
    excludePrincipals: [],
  }));

  const parents = new Map<PrincipalId, PrincipalId[]>();
  for (const { group, member } of memberships) parents.set(member, [...(parents.get(member) ?? []), group]);
  const questions = Array.from({ length: size.questions }, (): Question => {
    const principal = pick(users);
    let holder = principal;
    while (random() < 0.7 && parents.get(holder)) holder = pick(parents.get(holder)!);
    const own = held.get(holder);
    const scope = random() < 0.5 && own ? pick(own) : pick(scopes[2 + Math.floor(random() * 4)]!);
    return { principal, access: { action: pick(actions), dataAction: false, scope } };
  });

  const principals = [
    ...users.map((id) => principal(id, 'user')),
    ...groups.map((id) => principal(id, 'group')),
  ];
  return {
    rows: { principals, memberships, roleDefinitions, roleAssignments, denyAssignments, version: 1 },
    users,
    questions,
    actions,
  };
}

/** A copy of a string with no memory of having been looked up: what a parsed request hands over. */
export function fresh(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

function concreteActions(count: number): string[] {
  const verbs = ['read', 'write', 'delete', 'listKeys/action', 'start/action'];
  return Array.from({ length: count }, (_, i) => {
    const type = Math.floor(i / verbs.length);
    return `Contoso.Namespace${type % 10}/kind${Math.floor(type / 10) % 8}/part${Math.floor(type / 80)}/${verbs[i % verbs.length]}`;
  });
}

function roles(count: number, actions: readonly string[], random: () => number): RoleDefinition[] {
  const known = ['Owner', 'Contributor', 'Reader'].map((name) =>
    builtInRoles.find((role) => role.roleName === name)!,
  );
  const custom = Array.from({ length: count }, (_, i): RoleDefinition => {
    const patterns = Array.from({ length: 5 + Math.floor(random() * 36) }, () => {
      const parts = actions[Math.floor(random() * actions.length)]!.split('/');
      const roll = random();
      if (roll < 0.04) return `${parts[0]}/*`;
      if (roll < 0.22) return `${parts.slice(0, 2).join('/')}/*`;
      if (roll < 0.32) return `${parts[0]}/*/read`;
      return parts.join('/');
    });
    return {
      id: guid('3', i),
      roleName: `role ${i}`,
      description: '',
      type: 'CustomRole',
      permissions: [permission({ actions: patterns, notActions: i % 4 === 0 ? ['*/delete'] : [] })],
      assignableScopes: ['/'],
    };
  });
  return [...known, ...custom];
}

/** Azure-shaped paths: subscription, resource group, workspace, then two levels of resources beneath. */
function scopeTree(levels: WorkloadSize['levels']): string[][] {
  const tree: string[][] = [['/']];
  const under = (count: number, name: (parent: string, i: number) => string): void => {
    const above = tree.at(-1)!;
    tree.push(Array.from({ length: count }, (_, i) => name(above[i % above.length]!, i)));
  };
  under(levels[0], (_, i) => `/subscriptions/${guid('6', i)}`);
  under(levels[1], (parent, i) => `${parent}/resourcegroups/team-${i}`);
  under(levels[2], (parent, i) => `${parent}/providers/microsoft.machinelearningservices/workspaces/ws-${i}`);
  under(levels[3], (parent, i) => `${parent}/data/dataset-${i}`);
  under(levels[4], (parent, i) => `${parent}/versions/${i}`);
  return tree;
}

function permission(given: Partial<Permission>): Permission {
  return { actions: [], notActions: [], dataActions: [], notDataActions: [], ...given };
}

function principal(id: PrincipalId, kind: 'user' | 'group'): PrincipalRecord {
  return { id, kind, displayName: id, enabled: true, sponsorId: null, signInName: null };
}

function ids(prefix: string, count: number): PrincipalId[] {
  return Array.from({ length: count }, (_, i) => guid(prefix, i) as PrincipalId);
}

/** GUIDs that do not sort in order of creation. */
function guid(prefix: string, i: number): string {
  const scattered = (Math.imul(i + 1, 2_654_435_761) >>> 0).toString(16).padStart(8, '0');
  return `${scattered}-${prefix.repeat(4)}-4000-8000-${i.toString(16).padStart(12, '0')}`;
}

/** mulberry32: small, fast, the same everywhere. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
