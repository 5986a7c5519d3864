import type { AttributeOperand } from '../conditions/syntax.ts';
import { allOf, cedarString, not } from './text.ts';

/** Where an attribute's value may be found in a Cedar request: `path`, once `guard` is true. At most one guard is. */
export interface Place {
  readonly guard: string;
  readonly path: string;
}

const securityAttribute = 'microsoft.directory/customsecurityattributes/id:';
const tagAttribute = /(?:^|\/)tags:(.+?)(<\$key_case_sensitive\$>)?$/;

/** None for one that no request can have. */
export function placesOf({ source, name }: AttributeOperand): Place[] {
  if (source === 'principal') {
    return name.startsWith(securityAttribute)
      ? [tagged('principal', name.slice(securityAttribute.length))]
      : [];
  }
  const path = `context.${source}[${cedarString(name)}]`;
  const guard = `context has ${source} && context.${source} has ${cedarString(name)}`;
  if (source !== 'resource') return [{ guard, path }];
  const [, key, marked] = tagAttribute.exec(name) ?? [];
  if (key === undefined) return [{ guard, path }];
  const stored = tagged('resource', marked === undefined ? anyCase(key) : exactCase(key));
  // What the request itself says of the resource goes before the tags that are stored.
  return [
    { guard, path },
    { guard: allOf([not(guard), stored.guard]), path: stored.path },
  ];
}

/** The Cedar tags of a scope: what conditions may ask for of tags that are stored. */
export function anyCase(key: string): string {
  return `any:${key.toLowerCase()}`;
}

export function exactCase(key: string): string {
  return `exact:${key}`;
}

function tagged(entity: 'principal' | 'resource', key: string): Place {
  const quoted = cedarString(key);
  return { guard: `${entity}.hasTag(${quoted})`, path: `${entity}.getTag(${quoted})` };
}
