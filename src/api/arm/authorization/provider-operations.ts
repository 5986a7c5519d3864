import type { CatalogueOperation, CatalogueProvider } from '../../../policy/operation-catalogue.ts';
import { operationCatalogue } from '../../../policy/operation-catalogue.ts';
import { json } from './exchanges.ts';
import type { TypeDescriber } from './options.ts';
import { refusal } from './refusals.ts';

/**
 * The operations that there are, of every provider or of one: the same for everybody, so open to whoever is
 * authenticated. learn.microsoft.com/rest/api/authorization/provider-operations-metadata
 */
export const describeProviderOperations: TypeDescriber = (head, { scope, name }) => {
  if (head.method !== 'GET' || scope !== '/') return null;
  return {
    operation: 'Microsoft.Authorization/providerOperations/read',
    guard: { kind: 'authenticated', rule: 'list-operations', scope },
    effect: 'read',
    body: { kind: 'none' },
    async serve() {
      if (name === null) return json(200, { value: operationCatalogue.map(providerBody), nextLink: null });
      const found = operationCatalogue.find(({ namespace }) => namespace.toLowerCase() === name);
      if (found) return json(200, providerBody(found));
      throw refusal('not_found', 'ProviderNotFound', `The provider '${name}' is not known here.`);
    },
  };
};

function providerBody({ namespace, display, operations }: CatalogueProvider): object {
  const types = new Map<string, CatalogueOperation[]>();
  for (const operation of operations) {
    const type = typeOf(operation.name, namespace);
    types.set(type, [...(types.get(type) ?? []), operation]);
  }
  return {
    id: `/providers/Microsoft.Authorization/providerOperations/${namespace}`,
    name: namespace,
    type: 'Microsoft.Authorization/providerOperations',
    displayName: display,
    resourceTypes: [...types].map(([type, own]) => ({
      name: type,
      displayName: type,
      operations: own.map(operationBody),
    })),
    operations: [],
  };
}

function operationBody({ name, display, isDataAction }: CatalogueOperation): object {
  return { name, displayName: display, description: display, origin: 'user,system', isDataAction };
}

/** What stands between the namespace and the verb; `x/action` is a verb of two segments. */
function typeOf(name: string, namespace: string): string {
  const segments = name.slice(namespace.length + 1).split('/');
  return segments.slice(0, segments.at(-1) === 'action' ? -2 : -1).join('/');
}
