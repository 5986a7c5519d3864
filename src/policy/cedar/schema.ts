import type { AttributeOperand } from '../conditions/syntax.ts';
import { actionId, type ActionGroups } from './actions.ts';
import { attributeShape } from './attribute.ts';
import { namespace } from './text.ts';

/** Cedar's schema, in its JSON form. docs.cedarpolicy.com/schema/json-schema.html */
export type CedarSchema = Readonly<Record<string, CedarNamespace>>;

interface CedarNamespace {
  readonly commonTypes: Readonly<Record<string, object>>;
  readonly entityTypes: Readonly<Record<string, object>>;
  readonly actions: Readonly<Record<string, { readonly memberOf?: readonly { readonly id: string }[] }>>;
}

/** `asked` is every attribute that a condition asks for. */
export function cedarSchema(groups: ActionGroups, asked: readonly AttributeOperand[]): CedarSchema {
  const memberOf = new Map<string, { id: string }[]>(groups.operations.map((it) => [actionId(it), []]));
  for (const [id, members] of groups.entries()) {
    for (const member of members) memberOf.get(actionId(member))?.push({ id });
  }
  const appliesTo = {
    principalTypes: ['Principal'],
    resourceTypes: ['Scope'],
    context: { type: 'RequestContext' },
  };
  const actions = Object.fromEntries([
    ...Array.from(groups.entries(), ([id]) => [id, {}] as const),
    ...Array.from(memberOf, ([id, parents]) => [id, { memberOf: parents, appliesTo }] as const),
  ]);
  return {
    [namespace]: {
      commonTypes: { Attribute: attributeShape, RequestContext: contextShape(asked) },
      entityTypes: {
        Principal: {
          memberOfTypes: ['Group', 'DenialGroup'],
          shape: {
            type: 'Record',
            // Not required, so that a policy can ask whether Lockstep knows the principal at all.
            attributes: {
              enabled: { type: 'Boolean', required: false },
              kind: { type: 'String', required: false },
            },
          },
          tags: { type: 'Attribute' },
        },
        Group: {},
        DenialGroup: {},
        Scope: { memberOfTypes: ['Scope'], tags: { type: 'Attribute' } },
      },
      actions,
    },
  };
}

function contextShape(asked: readonly AttributeOperand[]): object {
  const attributes: Record<string, object> = { subOperation: { type: 'String', required: false } };
  for (const source of ['request', 'resource', 'environment'] as const) {
    const names = asked.filter((attribute) => attribute.source === source).map(({ name }) => name);
    const shapes = Array.from(
      new Set(names),
      (name) => [name, { type: 'Attribute', required: false }] as const,
    );
    if (shapes.length === 0) continue;
    attributes[source] = { type: 'Record', attributes: Object.fromEntries(shapes), required: false };
  }
  return { type: 'Record', attributes };
}
