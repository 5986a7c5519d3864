import { nearestKey } from '../../config/nearest-key.ts';
import { operationCatalogue } from '../../policy/operation-catalogue.ts';

const operations = operationCatalogue.flatMap((provider) => provider.operations);
const known = new Map(
  operations.map(({ name, display, isDataAction }) => [
    name.toLowerCase(),
    { name, display, dataAction: isDataAction },
  ]),
);

/** An operation of the catalogue; undefined for those of connections and of services elsewhere. */
export function knownOperation(
  action: string,
): { readonly name: string; readonly display: string; readonly dataAction: boolean } | undefined {
  return known.get(action.toLowerCase());
}

/** The known operation that somebody may have meant. */
export function nearestOperation(action: string): string | null {
  return nearestKey(
    action,
    operations.map(({ name }) => name),
  );
}

/** Azure's form: a namespace, at least one type, a verb. No wildcards: a question is about one operation. */
export function isOperationName(action: string): boolean {
  return action.length <= 512 && /^[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*(?:\/[A-Za-z0-9_.$-]+){2,}$/.test(action);
}
