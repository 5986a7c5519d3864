import type { TenantId } from '../../../lib/ids.ts';
import type { ScopePlacement } from '../../../store/changes.ts';
import { groupScope, isGroupScope } from './names.ts';

/** Levels of management groups beneath the root. learn.microsoft.com/azure/governance/management-groups/overview */
export const mostLevels = 6;
/** Management groups of a tenant. */
export const mostGroups = 10_000;

/** The tree of management groups and subscriptions, as placements tell it. */
export class Hierarchy {
  /** The group named by the tenant id, above all others. */
  readonly root: string;
  readonly #placed: ReadonlyMap<string, ScopePlacement>;
  readonly #children = new Map<string, ScopePlacement[]>();

  constructor(placements: Iterable<ScopePlacement>, tenantId: TenantId) {
    this.root = groupScope(tenantId);
    this.#placed = new Map(Array.from(placements, (placement) => [placement.scope, placement]));
    for (const placement of this.#placed.values()) {
      const parent = this.parentOf(placement);
      if (parent === null) continue;
      const siblings = this.#children.get(parent) ?? [];
      siblings.push(placement);
      this.#children.set(parent, siblings);
    }
  }

  get groupCount(): number {
    let count = 0;
    for (const scope of this.#placed.keys()) if (isGroupScope(scope)) count++;
    return count;
  }

  all(): IterableIterator<ScopePlacement> {
    return this.#placed.values();
  }

  find(scope: string): ScopePlacement | undefined {
    return this.#placed.get(scope);
  }

  /** The group it hangs beneath; null for the root group alone. */
  parentOf({ scope, parent }: ScopePlacement): string | null {
    return scope === this.root ? null : (parent ?? this.root);
  }

  childrenOf(scope: string): readonly ScopePlacement[] {
    return this.#children.get(scope) ?? [];
  }

  /** All beneath, nearest first. */
  beneath(scope: string): ScopePlacement[] {
    const found = [...this.childrenOf(scope)];
    for (const each of found) found.push(...this.childrenOf(each.scope));
    return found;
  }

  /** The groups above, nearest first, the root last. */
  above(scope: string): ScopePlacement[] {
    const found: ScopePlacement[] = [];
    let at = this.#placed.get(scope);
    while (at !== undefined && found.length <= this.#placed.size) {
      const parent = this.parentOf(at);
      at = parent === null ? undefined : this.#placed.get(parent);
      if (at) found.push(at);
    }
    return found;
  }

  /** Levels of groups in what hangs at this group, it included. */
  heightOf(scope: string): number {
    let height = 0;
    for (let level = [scope]; level.length > 0; height++) {
      level = level.flatMap((each) =>
        this.childrenOf(each)
          .map((child) => child.scope)
          .filter(isGroupScope),
      );
    }
    return height;
  }

  /** Whether `scope` is `ancestor` or hangs beneath it. */
  isWithin(scope: string, ancestor: string): boolean {
    return scope === ancestor || this.above(scope).some((each) => each.scope === ancestor);
  }
}
