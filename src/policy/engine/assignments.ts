import type { DenyAssignment, RoleAssignment } from '../../store/changes.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import { normalizeScope } from '../scope.ts';
import { grown } from './columns.ts';
import { gateOf, SlotGates, type Gate } from './gate.ts';
import { OwnTables } from './own-tables.ts';
import { everyone, type PrincipalNode, type Principals } from './principals.ts';
import type { Roles } from './roles.ts';
import type { Scopes } from './scopes.ts';
import { SlotIds } from './slot-ids.ts';

/** Flags of a slot. */
export const isDenial = 1;
export const isGated = 2;
/** Of a denial that does not reach beneath its own scope. */
export const isExact = 4;
export const flagBits = 3;

interface DenialEntry {
  readonly assignment: DenyAssignment;
  readonly slots: readonly number[];
  readonly excluded: readonly PrincipalNode[];
  readonly gate: Gate | null;
}

/**
 * What is assigned to whom, where, in columns by slot: a role assignment is one slot, a deny assignment one for each
 * principal that it names.
 */
export class Assignments {
  principals = new Int32Array(64);
  scopes = new Int32Array(64);
  /** What is assigned and how: `column << flagBits | flags`. */
  words = new Int32Array(64);
  /** By principal and scope, the first slot; see PrincipalNode. */
  readonly own = new OwnTables();
  /** The next slot of the same kind for the same principal at the same scope, or -1. */
  next = new Int32Array(64);
  /** The first 52 bits of the id, in which ids are ordered; see `before`. */
  #order = new Float64Array(64);
  /** Counts what was denied, and is no longer. */
  denialChanges = 0;
  readonly #records: (RoleAssignment | DenialEntry | null)[] = [];
  readonly #free: number[] = [];
  readonly #grants = new SlotIds((slot) => this.#id(slot));
  readonly #denials = new Map<string, DenialEntry>();
  readonly #gates = new SlotGates();
  readonly #in: { readonly principals: Principals; readonly scopes: Scopes; readonly roles: Roles };
  readonly #onScopesGivenUp: () => void;

  constructor(
    within: { readonly principals: Principals; readonly scopes: Scopes; readonly roles: Roles },
    onScopesGivenUp: () => void,
  ) {
    this.#in = within;
    this.#onScopesGivenUp = onScopesGivenUp;
  }

  grant(id: string): RoleAssignment | undefined {
    const slot = this.#grants.get(id);
    return slot < 0 ? undefined : this.grantAt(slot);
  }

  *grants(): Generator<RoleAssignment> {
    for (const slot of this.#grants.slots()) yield this.grantAt(slot);
  }

  denial(id: string): DenyAssignment | undefined {
    return this.#denials.get(id)?.assignment;
  }

  *denials(): Generator<DenyAssignment> {
    for (const { assignment } of this.#denials.values()) yield assignment;
  }

  /** The scopes, by number, at which something is denied; one may come more than once. */
  *scopesOfDenials(): Generator<number> {
    for (const { slots } of this.#denials.values()) for (const slot of slots) yield this.scopes[slot] ?? 0;
  }

  grantAt(slot: number): RoleAssignment {
    const record = this.#records[slot];
    if (!record || 'slots' in record) throw new RangeError(`slot ${slot} holds no role assignment`);
    return record;
  }

  denialAt(slot: number): DenyAssignment {
    return this.#denialEntry(slot).assignment;
  }

  /** The role assignments of one principal itself, by its index, not of its groups. */
  grantsOf(principal: number): RoleAssignment[] {
    const found: RoleAssignment[] = [];
    this.own.eachHead(this.#in.principals.tables[principal * 2] ?? 0, (head) => {
      for (let slot = head; slot >= 0; slot = this.next[slot] ?? -1) found.push(this.grantAt(slot));
    });
    return found;
  }

  /** The assignments of any of these roles (by column) at any of these scopes (by number). */
  *grantsAt(scopes: readonly number[], columns: readonly number[]): Generator<RoleAssignment> {
    for (const slot of this.#slotsAt(scopes, columns)) {
      const record = this.#records[slot];
      if (record && !('slots' in record)) yield record;
    }
  }

  /** Some that are free by now, too. It looks at every slot, so it is a plain loop over columns. */
  #slotsAt(scopes: readonly number[], columns: readonly number[]): number[] {
    const isScope = new Uint8Array(this.#in.scopes.anchors.length);
    for (const scope of scopes) isScope[scope] = 1;
    const isRole = new Uint8Array(Math.max(0, ...columns) + 1);
    for (const column of columns) isRole[column] = 1;
    const { scopes: scopeOf, words } = this;
    const count = this.#records.length;
    const found: number[] = [];
    for (let slot = 0; slot < count; slot++) {
      if (isScope[scopeOf[slot] ?? 0] !== 1) continue;
      const word = words[slot] ?? 0;
      if ((word & isDenial) === 0 && isRole[word >>> flagBits] === 1) found.push(slot);
    }
    return found;
  }

  gate(slot: number): Gate | null {
    return this.#gates.get(slot);
  }

  /** Whether a denial excludes one of these principals. */
  excludes(slot: number, active: readonly number[]): boolean {
    for (const { index } of this.#denialEntry(slot).excluded) if (active.includes(index)) return true;
    return false;
  }

  /** Whether a slot's id is the lower one. */
  before(a: number, b: number): boolean {
    const left = this.#order[a] ?? 0;
    const right = this.#order[b] ?? 0;
    if (left < right) return true;
    if (left > right) return false;
    return this.#id(a) < this.#id(b);
  }

  /** Makes room for so many slots at once. */
  expect(slots: number): void {
    this.#reserve(slots);
  }

  /** Throws a RangeError when its scope is not a scope: such rows are never repaired. */
  putGrant(given: RoleAssignment): void {
    const assignment = inNormalForm(given);
    this.deleteGrant(assignment.id);
    const node = this.#in.principals.mention(assignment.principalId);
    const gate = gateOf(assignment.condition);
    const slot = this.#insert(assignment, {
      node,
      column: this.#in.roles.mention(assignment.roleDefinitionId).column,
      flags: gate ? isGated : 0,
      gate,
      record: assignment,
    });
    this.#grants.add(assignment.id, slot);
  }

  deleteGrant(id: string): void {
    const slot = this.#grants.get(id);
    if (slot < 0) return;
    this.#grants.remove(id);
    this.#remove(slot);
  }

  putDenial(given: DenyAssignment): void {
    const assignment = inNormalForm(given);
    this.deleteDenial(assignment.id);
    const { principals, roles } = this.#in;
    const gate = gateOf(assignment.condition);
    const flags = isDenial | (gate ? isGated : 0) | (assignment.doNotApplyToChildScopes ? isExact : 0);
    const slots: number[] = [];
    const excluded = assignment.excludePrincipals
      .filter((id) => id !== everyone)
      .map((id) => principals.mention(id));
    // Whom it matters to is beneath one that is denied, and is disturbed with that one.
    for (const node of excluded) {
      node.mentions++;
      node.exclusions++;
    }
    const entry: DenialEntry = { assignment, slots, excluded, gate };
    for (const id of new Set<PrincipalId>(assignment.principals)) {
      const node = principals.mention(id);
      const column = roles.deny(assignment.permissions);
      slots.push(this.#insert(assignment, { node, column, flags, gate, record: entry }));
    }
    this.#denials.set(assignment.id, entry);
    this.denialChanges++;
  }

  deleteDenial(id: string): void {
    const entry = this.#denials.get(id);
    if (!entry) return;
    this.#denials.delete(id);
    this.denialChanges++;
    for (const slot of entry.slots) {
      const column = (this.words[slot] ?? 0) >>> flagBits;
      this.#remove(slot);
      this.#in.roles.release(column);
    }
    for (const node of entry.excluded) {
      node.mentions--;
      node.exclusions--;
      this.#in.principals.release(node);
    }
  }

  #insert(
    { id, scope: text }: { readonly id: string; readonly scope: string },
    given: {
      readonly node: PrincipalNode;
      readonly column: number;
      readonly flags: number;
      readonly gate: Gate | null;
      readonly record: RoleAssignment | DenialEntry;
    },
  ): number {
    const { node, column, flags, gate, record } = given;
    const slot = this.#free.pop() ?? this.#records.length;
    this.#reserve(slot + 1);
    const scope = this.#in.scopes.assign(text);
    this.principals[slot] = node.index;
    this.scopes[slot] = scope;
    this.words[slot] = (column << flagBits) | flags;
    this.#order[slot] = orderOf(id);
    this.#records[slot] = record;
    if (gate) this.#gates.set(slot, gate);
    const { tables } = this.#in.principals;
    const table = tableOf(node, flags);
    this.next[slot] = this.own.get(tables[table] ?? 0, scope);
    tables[table] = this.own.set(tables[table] ?? 0, scope, slot);
    node.mentions++;
    node.version++;
    this.#in.principals.disturb(node);
    return slot;
  }

  #remove(slot: number): void {
    const { principals, scopes } = this.#in;
    const node = principals.at(this.principals[slot] ?? 0);
    if (!node) throw new RangeError(`slot ${slot} names no principal`);
    const scope = this.scopes[slot] ?? 0;
    this.#unlink(node, scope, slot);
    this.#records[slot] = null;
    this.#gates.delete(slot);
    this.#free.push(slot);
    node.mentions--;
    node.version++;
    principals.disturb(node);
    principals.release(node);
    if (scopes.release(scope)) this.#onScopesGivenUp();
  }

  #unlink(node: PrincipalNode, scope: number, slot: number): void {
    const { tables } = this.#in.principals;
    const table = tableOf(node, this.words[slot] ?? 0);
    const after = this.next[slot] ?? -1;
    let at = this.own.get(tables[table] ?? 0, scope);
    if (at === slot) {
      tables[table] = this.own.set(tables[table] ?? 0, scope, after);
      return;
    }
    for (; at >= 0; at = this.next[at] ?? -1) if (this.next[at] === slot) this.next[at] = after;
  }

  #reserve(size: number): void {
    this.principals = grown(this.principals, size);
    this.scopes = grown(this.scopes, size);
    this.words = grown(this.words, size);
    this.next = grown(this.next, size);
    this.#order = grown(this.#order, size);
  }

  #denialEntry(slot: number): DenialEntry {
    const record = this.#records[slot];
    if (!record || !('slots' in record)) throw new RangeError(`slot ${slot} holds no deny assignment`);
    return record;
  }

  #id(slot: number): string {
    const record = this.#records[slot];
    if (!record) return '';
    return 'slots' in record ? record.assignment.id : record.id;
  }
}

/** Where the place of its grants, or denials, is among `Principals.tables`. */
function tableOf({ index }: PrincipalNode, flags: number): number {
  return index * 2 + (flags & isDenial);
}

/** Of what begins as a lower-case GUID its first 52 bits, in the order of its text; other ids are compared as texts only. */
function orderOf(id: string): number {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]/.test(id)
    ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 15), 16)
    : Number.NaN;
}

/** The same record, unless its scope has to be put into normal form. */
function inNormalForm<T extends { readonly id: string; readonly scope: string }>(assignment: T): T {
  const scope = normalizeScope(assignment.scope);
  if (scope === null) {
    throw new RangeError(`assignment ${assignment.id} is at '${assignment.scope}', which is not a scope`);
  }
  return scope === assignment.scope ? assignment : { ...assignment, scope };
}
