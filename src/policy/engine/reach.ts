import type { PrincipalNode } from './principals.ts';

/** A principal and its groups, transitively, and what they are assigned themselves. */
export interface Reach {
  /** Itself, and its groups by way of enabled ones only: what grants count, and exclusions. */
  readonly active: Int32Array;
  /** What those are assigned, as tables of OwnTables. */
  readonly grants: readonly number[];
  /** What it and its groups, disabled ones too, are denied. */
  readonly denials: readonly number[];
}

/** The closure over groups (cycles end where they began), and every node that it depends on. */
export function reachOf(start: PrincipalNode): { reach: Reach; identities: Iterable<PrincipalNode> } {
  const identities = everyIdentityOf(start);
  const active = allConvey(start, identities) ? identities : identitiesOf(start);
  const grants: number[] = [];
  const denials: number[] = [];
  for (const node of active) if (node.grants !== 0) grants.push(node.grants);
  for (const node of identities) if (node.denials !== 0) denials.push(node.denials);
  const indexes = new Int32Array(active.size);
  let at = 0;
  for (const { index } of active) indexes[at++] = index;
  return { identities, reach: { active: indexes, grants, denials } };
}

function allConvey(start: PrincipalNode, identities: Iterable<PrincipalNode>): boolean {
  for (const node of identities) if (node !== start && !conveys(node)) return false;
  return true;
}

/** Equal for principals whose rights are the same, whoever they are: by it they share one compiled table. */
export function rightsKey(start: PrincipalNode): string {
  const granted: PrincipalNode[] = [];
  const denied: PrincipalNode[] = [];
  for (const node of identitiesOf(start)) if (node.grants !== 0 || node.exclusions > 0) granted.push(node);
  for (const node of everyIdentityOf(start)) if (node.denials !== 0) denied.push(node);
  return `${listOf(granted)};${listOf(denied)}`;
}

function listOf(nodes: PrincipalNode[]): string {
  nodes.sort((a, b) => a.index - b.index);
  return nodes.map(({ index, version }) => `${index}.${version}`).join();
}

/** The principal and every enabled group that it belongs to, transitively. */
export function identitiesOf(start: PrincipalNode): Set<PrincipalNode> {
  return climb(start, conveys);
}

/** The same, by way of disabled groups too. */
export function everyIdentityOf(start: PrincipalNode): Set<PrincipalNode> {
  return climb(start, () => true);
}

/** Whether membership in it carries anything on: only an enabled group does. */
export function conveys(node: PrincipalNode): boolean {
  return node.record !== null && node.record.kind === 'group' && node.record.enabled;
}

function climb(start: PrincipalNode, through: (group: PrincipalNode) => boolean): Set<PrincipalNode> {
  const found = new Set([start]);
  for (const node of found) {
    for (const group of node.groups) if (through(group)) found.add(group);
  }
  return found;
}
