import type { PrincipalRecord } from '../../store/changes.ts';
import type { PolicyRows } from '../snapshot.ts';
import { everyone } from '../snapshot.ts';
import { anyOf, cedarEntity } from './text.ts';

/**
 * Who is who in Cedar. A principal is an entity whose parents are its groups, transitively, because a group may be in
 * itself here and not there; twice, because a disabled group passes denials on but no grants: `Group` is reached by
 * way of enabled groups only, `DenialGroup` by way of any.
 */
export class Identities {
  readonly #records: ReadonlyMap<string, PrincipalRecord>;
  readonly #groupsOf: ReadonlyMap<string, readonly string[]>;
  readonly #heldBySomeone: ReadonlySet<string>;

  constructor(rows: PolicyRows) {
    this.#records = new Map(rows.principals.map((record) => [record.id, record]));
    const groupsOf = new Map<string, string[]>();
    for (const { group, member } of rows.memberships) {
      const groups = groupsOf.get(member);
      if (groups) groups.push(group);
      else groupsOf.set(member, [group]);
    }
    this.#groupsOf = groupsOf;
    this.#heldBySomeone = new Set(rows.memberships.map(({ group }) => group));
  }

  groupsOf(record: PrincipalRecord): {
    readonly granting: readonly string[];
    readonly denying: readonly string[];
  } {
    const itself = this.#isGroup(record.id) ? [record.id] : [];
    return {
      granting: [...itself, ...this.#above(record.id, (group) => this.#conveys(group))],
      denying: [...itself, ...this.#above(record.id, () => true)],
    };
  }

  /** The scope of a policy: the principal that an assignment names, or somebody in it. */
  holder(id: string): string {
    return this.#isGroup(id)
      ? `principal in ${cedarEntity('Group', id)}`
      : `principal == ${cedarEntity('Principal', id)}`;
  }

  /** Whether the principal is one of those that a deny assignment names. */
  isDenied(ids: readonly string[]): string {
    if (ids.includes(everyone)) return 'true';
    return anyOf(
      ids.map((id) =>
        this.#isGroup(id) ? `principal in ${cedarEntity('DenialGroup', id)}` : this.holder(id),
      ),
    );
  }

  /** Whether the principal is one of those that a deny assignment excludes. Everyone cannot be excluded. */
  isExcluded(ids: readonly string[]): string {
    return anyOf(ids.filter((id) => id !== everyone).map((id) => this.holder(id)));
  }

  /** Whether others may be in it, or once were: one that is unknown now is taken for a group. */
  #isGroup(id: string): boolean {
    const record = this.#records.get(id);
    return this.#heldBySomeone.has(id) || record === undefined || record.kind === 'group';
  }

  #conveys(id: string): boolean {
    const record = this.#records.get(id);
    return record !== undefined && record.kind === 'group' && record.enabled;
  }

  #above(start: string, through: (group: string) => boolean): string[] {
    const found = new Set([start]);
    for (const id of found)
      for (const group of this.#groupsOf.get(id) ?? []) if (through(group)) found.add(group);
    found.delete(start);
    return [...found];
  }
}
