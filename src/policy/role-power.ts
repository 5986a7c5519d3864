import type { Permission, RoleDefinition } from '../store/changes.ts';
import { compileActionPattern } from './action-pattern.ts';
import { bearsOn } from './administrators.ts';
import { operationCatalogue } from './operation-catalogue.ts';

/**
 * What a role gives, for comparing roles only. What kinds of action it holds comes first, since one that looks at
 * everything does less harm than one that runs code in a single place; how many come second.
 */
export interface RolePower {
  readonly kind: Kind;
  readonly breadth: number;
}

/** The most powerful kind of action: to look, to change or delete, to act, to give access away. */
type Kind = (typeof kinds)[keyof typeof kinds];
const kinds = { look: 0, change: 1, act: 2, giveAccess: 3 } as const;

/** By verb; any other is taken for an act. */
const kindOfVerb: ReadonlyMap<string, Kind> = new Map([
  ['read', kinds.look],
  ['write', kinds.change],
  ['delete', kinds.change],
]);
const verbs = ['read', 'write', 'delete', 'action'];

/** Every way to change who may do what. */
const givingAccess = operationCatalogue
  .filter(({ namespace }) => namespace === 'Microsoft.Authorization')
  .flatMap(({ operations }) => operations.map(({ name }) => name))
  .filter((name) => !name.endsWith('/read'));

export function powerOf({ permissions }: RoleDefinition): RolePower {
  return { kind: kindOf(permissions), breadth: breadthOf(permissions) };
}

export function byPower(a: RolePower, b: RolePower): number {
  return a.kind - b.kind || a.breadth - b.breadth;
}

export function givesAccess({ kind }: RolePower): boolean {
  return kind === kinds.giveAccess;
}

function kindOf(permissions: readonly Permission[]): Kind {
  if (bearsOn(permissions, givingAccess)) return kinds.giveAccess;
  let most: Kind = kinds.look;
  for (const { actions, notActions, dataActions, notDataActions } of permissions) {
    for (const verb of [...verbsLeft(actions, notActions), ...verbsLeft(dataActions, notDataActions)]) {
      const kind = kindOfVerb.get(verb) ?? kinds.act;
      if (kind > most) most = kind;
    }
  }
  return most;
}

/** The verbs that the patterns end in, or leave open, and that no exclusion takes away for the whole of a pattern. */
function verbsLeft(patterns: readonly string[], exclusions: readonly string[]): string[] {
  const excluded = exclusions.map(compileActionPattern);
  return (
    patterns
      .flatMap(endings)
      .map((way) => way.toLowerCase())
      // A pattern that matches another's text, stars and all, matches whatever that other matches.
      .filter((way) => !excluded.some((exclusion) => exclusion.matches(way)))
      .map((way) => way.slice(way.lastIndexOf('/') + 1))
  );
}

/** The pattern once for each verb that it may end in: of `a/*` also for the verbs of `a` itself. */
function endings(pattern: string): string[] {
  if (!pattern.endsWith('*')) return [pattern];
  const beneath = verbs.map((verb) => `${pattern}/${verb}`);
  return pattern.endsWith('/*') ? [...beneath, ...verbs.map((verb) => pattern.slice(0, -1) + verb)] : beneath;
}

/**
 * A plain action counts one; a wildcard counts a thousand for each level that it leaves open, counted down from four,
 * and a tenth of it when it names what it ends in.
 */
function breadthOf(permissions: readonly Permission[]): number {
  let sum = 0;
  for (const { actions, notActions, dataActions, notDataActions } of permissions) {
    for (const pattern of actions) sum += reach(pattern);
    for (const pattern of dataActions) sum += reach(pattern);
    sum -= Math.min(sum, notActions.length + notDataActions.length);
  }
  return sum;
}

function reach(pattern: string): number {
  const star = pattern.indexOf('*');
  if (star < 0) return 1;
  const named = pattern.slice(0, star).split('/').length - 1;
  const open = 10 ** (3 + Math.max(0, 4 - named));
  return pattern.endsWith('*') ? open : open / 10;
}
