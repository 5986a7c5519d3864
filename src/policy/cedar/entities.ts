import type { PolicyRows } from '../snapshot.ts';
import { cedarAttribute, type CedarAttribute } from './attribute.ts';
import { anyCase, exactCase } from './attribute-places.ts';
import type { Identities } from './identities.ts';
import type { ScopeTree } from './scopes.ts';
import { namespace } from './text.ts';

export interface CedarUid {
  readonly type: string;
  readonly id: string;
}

/** An entity, in Cedar's JSON form. docs.cedarpolicy.com/auth/entities-syntax.html */
export interface CedarEntity {
  readonly uid: CedarUid;
  readonly attrs: Readonly<Record<string, string | boolean>>;
  readonly parents: readonly CedarUid[];
  readonly tags?: Readonly<Record<string, CedarAttribute>>;
}

/** Principals with their groups and security attributes, and the tree of these scopes with the tags that count there. */
export function cedarEntities(
  rows: PolicyRows,
  identities: Identities,
  tree: ScopeTree,
  scopes: readonly string[],
): CedarEntity[] {
  const groups = new Map<string, CedarUid>();
  const group =
    (type: string) =>
    (id: string): CedarUid => {
      const found = uid(type, id);
      groups.set(`${type} ${id}`, found);
      return found;
    };
  const principals = rows.principals.map((record): CedarEntity => {
    const { granting, denying } = identities.groupsOf(record);
    return {
      uid: uid('Principal', record.id),
      attrs: { enabled: record.enabled, kind: record.kind },
      parents: [...granting.map(group('Group')), ...denying.map(group('DenialGroup'))],
      tags: securityAttributes(record.securityAttributes ?? {}),
    };
  });
  return [
    ...principals,
    ...Array.from(groups.values(), (of) => ({ uid: of, attrs: {}, parents: [] })),
    ...scopes.map((scope) => scopeEntity(tree, scope)),
  ];
}

function scopeEntity(tree: ScopeTree, scope: string): CedarEntity {
  const parent = tree.parentOf(scope);
  const tags: Record<string, CedarAttribute> = {};
  for (const [key, value] of Object.entries(tree.tagsAt(scope))) {
    tags[anyCase(key)] ??= cedarAttribute(value);
    tags[exactCase(key)] = cedarAttribute(value);
  }
  return {
    uid: uid('Scope', scope),
    attrs: {},
    parents: parent === null ? [] : [uid('Scope', parent)],
    tags,
  };
}

/** Names are compared without case; the first of two that are the same counts. */
function securityAttributes(
  set: NonNullable<PolicyRows['principals'][number]['securityAttributes']>,
): Record<string, CedarAttribute> {
  const tags: Record<string, CedarAttribute> = {};
  for (const [name, value] of Object.entries(set)) tags[name.toLowerCase()] ??= cedarAttribute(value);
  return tags;
}

function uid(type: string, id: string): CedarUid {
  return { type: `${namespace}::${type}`, id };
}
