import { builtInRoles } from '../src/policy/built-in-roles.ts';
import type { PolicyRows } from '../src/policy/snapshot.ts';
import type { PrincipalId } from '../src/lib/ids.ts';
import type {
  DenyAssignment,
  Permission,
  PrincipalRecord,
  RoleAssignment,
  RoleDefinition,
} from '../src/store/changes.ts';
import { concreteActions, fresh, generator, guid, principalIds, scopeTree } from './decision-names.ts';

/**
 * A tenant of a size that is heavier than most: users in nested groups (about 15 transitive ones each), scopes on
 * six levels, 30 roles of which 27 have 5 to 40 wildcard actions, 60 % of the assignments given to groups and most
 * of them at resource groups and workspaces, and 5 % of them deny assignments. The same seed gives the same tenant.
 * Strings that name one thing are one string.
 */
export interface Workload {
  readonly rows: PolicyRows;
  readonly users: readonly PrincipalId[];
  readonly groups: Groups;
  /** Every concrete action that is asked about. */
  readonly actions: readonly string[];
  /** Every scope, level by level from the root. */
  readonly scopes: readonly string[];
  /** Where the scopes of each level begin in `scopes`; one more at the end. */
  readonly levelStarts: readonly number[];
}

/** Users are in leaves, leaves in middle groups, middle groups in top groups. */
export interface Groups {
  readonly leaves: readonly PrincipalId[];
  readonly middle: readonly PrincipalId[];
  readonly top: readonly PrincipalId[];
}

export interface WorkloadSize {
  readonly name: SizeName;
  readonly users: number;
  readonly groups: number;
  readonly assignments: number;
  /** Scopes on each level below the root. */
  readonly levels: readonly [number, number, number, number, number];
}

export type SizeName = '10k' | '100k' | '1M';

export const sizes: Readonly<Record<SizeName, WorkloadSize>> = {
  '10k': { name: '10k', users: 1_000, groups: 100, assignments: 10_000, levels: [1, 10, 100, 500, 2_000] },
  '100k': {
    name: '100k',
    users: 10_000,
    groups: 1_000,
    assignments: 100_000,
    levels: [10, 100, 1_000, 5_000, 20_000],
  },
  '1M': {
    name: '1M',
    users: 100_000,
    groups: 10_000,
    assignments: 1_000_000,
    levels: [10, 500, 5_000, 25_000, 100_000],
  },
};

/** Share of the assignments at each level, cumulative: mostly resource groups and workspaces. */
const levelShares = [0.001, 0.03, 0.48, 0.84, 0.93, 1];

export function generateWorkload(size: WorkloadSize, seed = 42): Workload {
  const random = generator(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const users = principalIds('1', size.users);
  const allGroups = principalIds('2', size.groups);
  const groups = byLayer(allGroups);
  const levels = scopeTree(size.levels);
  const scopeAt = (): string => {
    const roll = random();
    return pick(levels[levelShares.findIndex((share) => roll < share)]!);
  };
  const actions = concreteActions(2_000);
  const roleDefinitions = roles(27, actions, random);
  const custom = roleDefinitions.slice(3);
  const roleAt = (scope: string): RoleDefinition =>
    scope.length < 60 || random() > 0.2 ? pick(custom) : pick(roleDefinitions);

  const denials = Math.floor(size.assignments * 0.05);
  const roleAssignments: RoleAssignment[] = [];
  for (let i = 0; i < size.assignments - denials; i++) {
    const toGroup = random() < 0.6;
    const scope = scopeAt();
    roleAssignments.push({
      id: guid('4', i),
      scope,
      roleDefinitionId: roleAt(scope).id,
      principalId: toGroup ? pick(allGroups) : pick(users),
      principalType: toGroup ? 'Group' : 'User',
      description: '',
      createdOn: '2026-01-01T00:00:00Z',
      createdBy: 'bench',
    });
  }
  const denyAssignments = Array.from({ length: denials }, (_, i): DenyAssignment => ({
    id: guid('5', i),
    name: fresh(`deny ${i}`),
    description: '',
    scope: scopeAt(),
    permissions: [permission({ actions: [pick(actions), fresh(`${pick(actions).split('/')[0]}/*/delete`)] })],
    doNotApplyToChildScopes: false,
    principals: [random() < 0.6 ? pick(allGroups) : pick(users)],
    excludePrincipals: [],
  }));

  const principals = [
    ...users.map((id) => principal(id, 'user')),
    ...allGroups.map((id) => principal(id, 'group')),
  ];
  const memberships = nest(users, groups, random);
  const levelStarts = levels.reduce<number[]>(
    (starts, level) => [...starts, starts.at(-1)! + level.length],
    [0],
  );
  return {
    rows: { principals, memberships, roleDefinitions, roleAssignments, denyAssignments, version: 1 },
    users,
    groups,
    actions,
    scopes: levels.flat(),
    levelStarts,
  };
}

function byLayer(groups: readonly PrincipalId[]): Groups {
  const leaves = groups.slice(0, Math.floor(groups.length * 0.7));
  const middle = groups.slice(leaves.length, Math.floor(groups.length * 0.95));
  return { leaves, middle, top: groups.slice(leaves.length + middle.length) };
}

function nest(
  users: readonly PrincipalId[],
  { leaves, middle, top }: Groups,
  random: () => number,
): { group: PrincipalId; member: PrincipalId }[] {
  const memberships: { group: PrincipalId; member: PrincipalId }[] = [];
  const join = (member: PrincipalId, among: readonly PrincipalId[], count: number): void => {
    const chosen = new Set<PrincipalId>();
    for (let i = 0; i < count; i++) chosen.add(among[Math.floor(random() * among.length)]!);
    for (const group of chosen) memberships.push({ group, member });
  };
  for (const user of users) join(user, leaves, 5);
  for (const leaf of leaves) join(leaf, middle, 1 + Math.floor(random() * 2));
  for (const group of middle) join(group, top, 1);
  return memberships;
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

function permission(given: Partial<Permission>): Permission {
  return { actions: [], notActions: [], dataActions: [], notDataActions: [], ...given };
}

function principal(id: PrincipalId, kind: 'user' | 'group'): PrincipalRecord {
  return { id, kind, displayName: id, enabled: true, sponsorId: null, signInName: null };
}
