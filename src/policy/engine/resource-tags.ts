import type { AttributeValue } from '../../store/changes.ts';
import { isNormalScope, normalizeScope } from '../scope.ts';

/** `tags:Key` after a resource type, the key perhaps marked as one whose case counts. */
const tagAttribute = /(?:^|\/)tags:(.+?)(<\$key_case_sensitive\$>)?$/;

/** The tags of resources, for conditions. */
export class ResourceTags {
  readonly #byScope = new Map<string, Readonly<Record<string, string>>>();

  /** The scope in normal form; without tags it is forgotten. */
  put(scope: string, tags: Readonly<Record<string, string>>): void {
    if (Object.keys(tags).length === 0) this.#byScope.delete(scope);
    else this.#byScope.set(scope, tags);
  }

  delete(scope: string): void {
    this.#byScope.delete(scope);
  }

  get empty(): boolean {
    return this.#byScope.size === 0;
  }

  /** The tag that an attribute's name asks for, of the nearest resource at or above the scope that has tags. */
  find(scope: string, name: string): AttributeValue | undefined {
    const [, key, marked] = tagAttribute.exec(name) ?? [];
    if (key === undefined || this.empty) return undefined;
    const start = isNormalScope(scope) ? scope : (normalizeScope(scope) ?? '');
    for (let at = start; at.length > 1; at = at.slice(0, at.lastIndexOf('/'))) {
      const tags = this.#byScope.get(at);
      if (!tags) continue;
      for (const [tag, value] of Object.entries(tags)) {
        if (marked === undefined ? tag.toLowerCase() === key.toLowerCase() : tag === key) return value;
      }
      return undefined;
    }
    return undefined;
  }
}
