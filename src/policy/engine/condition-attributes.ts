import type { AttributeValue } from '../../store/changes.ts';
import type { ConditionContext } from '../conditions/evaluate.ts';
import type { AttributeSource } from '../conditions/syntax.ts';
import type { Access } from '../types.ts';
import type { Principals } from './principals.ts';
import type { ResourceTags } from './resource-tags.ts';

/** What conditions find: of the request, of who asks, and of what is asked about. */
export class ConditionAttributes {
  readonly #principals: Principals;
  readonly #tags: ResourceTags;

  constructor(principals: Principals, tags: ResourceTags) {
    this.#principals = principals;
    this.#tags = tags;
  }

  /** `access` null: nothing of the request is known. */
  find(
    principal: number,
    access: Access | null,
    source: AttributeSource,
    name: string,
  ): AttributeValue | undefined {
    switch (source) {
      case 'principal':
        return securityAttribute(this.#principals.at(principal)?.record?.securityAttributes, name);
      case 'request':
        return own(access?.attributes?.request, name);
      case 'environment':
        return own(access?.attributes?.environment, name);
      case 'resource':
        return (
          own(access?.attributes?.resource, name) ??
          (access ? this.#tags.find(access.scope, name) : undefined)
        );
    }
  }

  /** The same for one principal and access, at any time. */
  contextFor(principal: number, access: Access): ConditionContext {
    return {
      action: access.action.toLowerCase(),
      subOperation: access.subOperation ?? null,
      attribute: (source, name) => this.find(principal, access, source, name),
    };
  }
}

function own(
  set: Readonly<Record<string, AttributeValue>> | undefined,
  name: string,
): AttributeValue | undefined {
  const value = set?.[name];
  // What every object inherits are functions, and `__proto__`, which is no list.
  if (typeof value === 'object') return Array.isArray(value) ? value : undefined;
  return typeof value === 'function' ? undefined : value;
}

const customAttribute = 'microsoft.directory/customsecurityattributes/id:';

/** Names of attributes are compared without case. */
function securityAttribute(
  set: Readonly<Record<string, AttributeValue>> | undefined,
  name: string,
): AttributeValue | undefined {
  if (set === undefined || !name.startsWith(customAttribute)) return undefined;
  const wanted = name.slice(customAttribute.length);
  for (const [key, value] of Object.entries(set)) if (key.toLowerCase() === wanted) return value;
  return undefined;
}
