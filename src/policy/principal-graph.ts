import type { PrincipalId } from '../lib/ids.ts';
import type { PrincipalRecord } from '../store/changes.ts';
import { everyoneIndex, Marks } from './marks.ts';
import type { PrincipalNode, Reach } from './nodes.ts';

/** Who belongs to what. The transitive closure of each principal is found when first asked for and kept until it changes. */
export class PrincipalGraph {
  readonly marks = new Marks();
  readonly #nodes = new Map<PrincipalId, PrincipalNode>();
  readonly #freeIndexes: number[] = [];
  #nextIndex = everyoneIndex + 1;

  get(id: PrincipalId): PrincipalNode | undefined {
    return this.#nodes.get(id);
  }

  get size(): number {
    return this.#nodes.size;
  }

  values(): IterableIterator<PrincipalNode> {
    return this.#nodes.values();
  }

  /** The node of a principal; made if it is mentioned for the first time. */
  mention(id: PrincipalId): PrincipalNode {
    let node = this.#nodes.get(id);
    if (!node) {
      node = {
        id,
        index: this.#freeIndexes.pop() ?? this.#nextIndex++,
        record: null,
        groups: new Set(),
        members: new Set(),
        grants: new Set(),
        denials: new Set(),
        reach: null,
      };
      this.marks.admit(node.index);
      this.#nodes.set(id, node);
    }
    return node;
  }

  put(record: PrincipalRecord): void {
    const node = this.mention(record.id);
    const conveyed = conveys(node);
    node.record = record;
    if (conveys(node) !== conveyed) forget(node);
  }

  /** The principal and its memberships in both directions end; assignments that name it stay, without effect. */
  remove(id: PrincipalId): void {
    const node = this.#nodes.get(id);
    if (!node) return;
    forget(node);
    const neighbours = [...node.groups, ...node.members];
    for (const group of node.groups) group.members.delete(node);
    for (const member of node.members) member.groups.delete(node);
    node.groups.clear();
    node.members.clear();
    node.record = null;
    for (const neighbour of neighbours) this.release(neighbour);
    this.release(node);
  }

  /** Lets go of a node that the directory does not know and nothing mentions any more. */
  release(node: PrincipalNode): void {
    if (node.record || node.groups.size + node.members.size + node.grants.size + node.denials.size > 0)
      return;
    if (!this.#nodes.delete(node.id)) return;
    node.reach = null;
    this.#freeIndexes.push(node.index);
  }

  addMember(group: PrincipalId, member: PrincipalId): void {
    const groupNode = this.mention(group);
    const memberNode = this.mention(member);
    groupNode.members.add(memberNode);
    memberNode.groups.add(groupNode);
    forget(memberNode);
  }

  removeMember(group: PrincipalId, member: PrincipalId): void {
    const groupNode = this.#nodes.get(group);
    const memberNode = this.#nodes.get(member);
    if (!groupNode || !memberNode) return;
    groupNode.members.delete(memberNode);
    memberNode.groups.delete(groupNode);
    forget(memberNode);
    this.release(groupNode);
    this.release(memberNode);
  }
}

/** The closure of a principal over its groups; cycles end where they began. */
export function reachOf(node: PrincipalNode): Reach {
  node.reach ??= findReach(node);
  return node.reach;
}

function findReach(start: PrincipalNode): Reach {
  const all = everyIdentityOf(start);
  const active = indexesOf(identitiesOf(start));
  return { active, all: active.length === all.size ? active : indexesOf(all) };
}

/** The principal and every enabled group that it belongs to, transitively. */
export function identitiesOf(start: PrincipalNode): Set<PrincipalNode> {
  return climb(start, conveys);
}

/** The same, by way of disabled groups too. */
export function everyIdentityOf(start: PrincipalNode): Set<PrincipalNode> {
  return climb(start, () => true);
}

function climb(start: PrincipalNode, through: (group: PrincipalNode) => boolean): Set<PrincipalNode> {
  const found = new Set([start]);
  for (const node of found) {
    for (const group of node.groups) if (through(group)) found.add(group);
  }
  return found;
}

function indexesOf(nodes: ReadonlySet<PrincipalNode>): Int32Array {
  return Int32Array.from(nodes, ({ index }) => index);
}

/** Whether membership in it carries anything on: only an enabled group does. */
function conveys(node: PrincipalNode): boolean {
  return node.record !== null && node.record.kind === 'group' && node.record.enabled;
}

/** Forgets the closure of a principal and of everything beneath it. */
function forget(start: PrincipalNode): void {
  const beneath = new Set([start]);
  for (const node of beneath) {
    node.reach = null;
    for (const member of node.members) beneath.add(member);
  }
}
