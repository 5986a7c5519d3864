import type { PrincipalId } from '../../lib/ids.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import { grown } from './columns.ts';
import { GuidIndex } from './guid-index.ts';
import { ReachFinder, type Reach } from './reach.ts';
import { TablePlaces } from './table-memory.ts';

/** In a deny assignment: everyone. It names no principal of the directory. */
export const everyone = '00000000-0000-0000-0000-000000000000';

/** A principal, known or only mentioned, with its edges, what it is assigned, and what is remembered of it. */
export interface PrincipalNode {
  readonly id: PrincipalId;
  /** Dense; never given to another principal, so a handle that outlives its principal finds nobody. */
  readonly index: number;
  /** Null while the directory does not know it: it is mentioned by an assignment or a membership only. */
  record: PrincipalRecord | null;
  groups: readonly PrincipalNode[];
  members: PrincipalNode[] | null;
  /** Assignments that name it, as principal or as excluded. */
  mentions: number;
  /** Deny assignments that exclude it. */
  exclusions: number;
  /** Raised whenever what it is assigned itself changes. */
  version: number;
  reach: Reach | null;
}

const none: readonly PrincipalNode[] = [];

export const unknownState = 0;
export const disabledState = 1;
const enabledState = 2;
/** The one state in which membership of it carries anything on. */
const enabledGroupState = 3;

/** Who belongs to what, and the columns that a decision reads by a principal's index. */
export class Principals {
  readonly everyone: PrincipalNode;
  /** By index: unknown, disabled or enabled. */
  states = new Uint8Array(64);
  /** By twice the index: the table of what it is granted itself; then of what it is denied (see OwnTables). */
  tables = new Int32Array(128);
  /** By index: the compiled tables of its rights (see rights-compile.ts), and of its roles (see mask-compile.ts). */
  readonly rights = new TablePlaces();
  readonly masks = new TablePlaces();
  /** By index: the time (a count of changes) at which what it may do last changed. */
  changedAt = new Int32Array(64);
  /** By index: whether anything is remembered of this principal or, for a group, of one beneath it. */
  #derived = new Uint8Array(64);
  readonly #reaches = new ReachFinder(this);
  readonly #nodes: (PrincipalNode | null)[] = [];
  readonly #indexes = new GuidIndex();
  readonly #now: () => number;
  readonly #onEveryone: () => void;

  /** `now` counts changes; `onEveryone` is called when what everyone is denied has changed. */
  constructor(now: () => number, onEveryone: () => void) {
    this.#now = now;
    this.#onEveryone = onEveryone;
    this.everyone = this.mention(everyone as PrincipalId);
    this.everyone.mentions++;
  }

  get(id: string): PrincipalNode | undefined {
    return this.#nodes[this.index(id)] ?? undefined;
  }

  /** The index of a principal, known or only mentioned; -1 for any other. */
  index(id: string): number {
    return this.#indexes.get(id);
  }

  /** Makes the id the one that `found` speaks of; looks at nothing but the text. */
  read(id: string): void {
    this.#indexes.read(id);
  }

  /** The index of the principal whose id was read last. */
  found(): number {
    return this.#indexes.found();
  }

  at(index: number): PrincipalNode | null {
    return this.#nodes[index] ?? null;
  }

  *values(): Generator<PrincipalNode> {
    for (const node of this.#nodes) if (node) yield node;
  }

  get size(): number {
    return this.#indexes.size;
  }

  /** The node of a principal; made if it is mentioned for the first time. */
  mention(id: PrincipalId): PrincipalNode {
    let node = this.get(id);
    if (!node) {
      const index = this.#nodes.length;
      node = {
        id,
        index,
        record: null,
        groups: none,
        members: null,
        mentions: 0,
        exclusions: 0,
        version: 0,
        reach: null,
      };
      this.#nodes.push(node);
      this.#indexes.add(id, index);
      this.states = grown(this.states, index + 1);
      this.tables = grown(this.tables, index * 2 + 2);
      this.#derived = grown(this.#derived, index + 1);
      this.rights.grow(index + 1);
      this.masks.grow(index + 1);
      this.changedAt = grown(this.changedAt, index + 1);
    }
    return node;
  }

  put(record: PrincipalRecord): void {
    const node = this.mention(record.id);
    node.record = record;
    this.states[node.index] = stateOf(record);
    this.disturb(node);
  }

  /** The principal and its memberships in both directions end; assignments that name it stay, without effect. */
  remove(id: string): void {
    const node = this.get(id);
    if (!node) return;
    this.disturb(node);
    const neighbours = [...node.groups, ...(node.members ?? [])];
    for (const group of node.groups) unlink(group, node);
    for (const member of node.members ?? []) leave(member, node);
    node.members = null;
    node.record = null;
    this.states[node.index] = unknownState;
    for (const neighbour of neighbours) this.release(neighbour);
    this.release(node);
  }

  addMember(group: PrincipalId, member: PrincipalId): void {
    const groupNode = this.mention(group);
    const memberNode = this.mention(member);
    if (memberNode.groups.includes(groupNode)) return;
    groupNode.members ??= [];
    groupNode.members.push(memberNode);
    memberNode.groups = memberNode.groups.concat(groupNode);
    this.disturb(memberNode);
  }

  removeMember(group: PrincipalId, member: PrincipalId): void {
    const groupNode = this.get(group);
    const memberNode = this.get(member);
    if (!groupNode || !memberNode || !memberNode.groups.includes(groupNode)) return;
    this.disturb(memberNode);
    unlink(groupNode, memberNode);
    this.release(groupNode);
    this.release(memberNode);
  }

  /** Lets go of a node that the directory does not know and nothing mentions any more. */
  release(node: PrincipalNode): void {
    if (node.record || node.mentions > 0 || node.groups.length > 0 || node.members) return;
    if (!this.#indexes.remove(node.id)) return;
    this.disturb(node);
    this.#nodes[node.index] = null;
  }

  /** The table of what everyone is denied. */
  get deniedToEveryone(): number {
    return this.tables[this.everyone.index * 2 + 1] ?? 0;
  }

  /** Whether membership in it carries anything on: only an enabled group does. */
  conveys(index: number): boolean {
    return this.states[index] === enabledGroupState;
  }

  /** Indexes are below it. */
  get capacity(): number {
    return this.states.length;
  }

  /** The closure over its groups; remembered, and noted with each of them, until one of them is disturbed. */
  reachOf(node: PrincipalNode): Reach {
    if (node.reach) return node.reach;
    // Of whoever has no members the groups' own are remembered too, so that the next member finds them.
    if (node.members === null) for (const group of node.groups) this.reachOf(group);
    const reach = this.#reaches.find(node);
    for (const identity of reach.identities) this.#derived[identity] = 1;
    node.reach = reach;
    return reach;
  }

  /**
   * What this principal may do has changed: forgets everything remembered of it and of all beneath it. Costs what
   * has been remembered since the last time: what nobody asked about is passed by.
   */
  disturb(start: PrincipalNode): void {
    if (start === this.everyone) this.#onEveryone();
    if (this.#derived[start.index] === 0) return;
    this.#forget(start);
    if (start.members === null) return;
    const beneath = [start];
    for (const group of beneath) {
      for (const member of group.members ?? []) {
        if (this.#derived[member.index] === 0) continue;
        this.#forget(member);
        beneath.push(member);
      }
    }
  }

  #forget(node: PrincipalNode): void {
    const { index } = node;
    this.#derived[index] = 0;
    node.reach = null;
    this.rights.forget(index);
    this.masks.forget(index);
    this.changedAt[index] = this.#now();
  }
}

function stateOf({ enabled, kind }: PrincipalRecord): number {
  if (!enabled) return disabledState;
  return kind === 'group' ? enabledGroupState : enabledState;
}

function unlink(group: PrincipalNode, member: PrincipalNode): void {
  const { members } = group;
  members?.splice(members.indexOf(member), 1);
  if (members?.length === 0) group.members = null;
  leave(member, group);
}

function leave(member: PrincipalNode, group: PrincipalNode): void {
  const rest = member.groups.filter((other) => other !== group);
  member.groups = rest.length === 0 ? none : rest;
}
