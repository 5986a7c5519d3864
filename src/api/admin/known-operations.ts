import { nearestKey } from '../../config/nearest-key.ts';
import { operationCatalogue } from '../../policy/operation-catalogue.ts';

const operations = operationCatalogue.flatMap((provider) => provider.operations);
const known = new Map(
  operations.map(({ name, display, isDataAction }) => [
    name.toLowerCase(),
    { name, display, dataAction: isDataAction },
  ]),
);

/** Operations by what they end in, in lower case: at least a type and a verb. Null where several end so. */
const byEnd = new Map<string, string | null>();
for (const { name } of operations) {
  const segments = name.toLowerCase().split('/');
  for (let from = 1; from < segments.length - 1; from++) {
    const end = segments.slice(from).join('/');
    byEnd.set(end, byEnd.has(end) ? null : name);
  }
}

/** An operation of the catalogue; undefined for those of connections and of services elsewhere. */
export function knownOperation(
  action: string,
): { readonly name: string; readonly display: string; readonly dataAction: boolean } | undefined {
  return known.get(action.toLowerCase());
}

/** The known operation that somebody may have meant, who may have left out what it begins with. */
export function nearestOperation(action: string): string | null {
  const named = byEnd.get(action.toLowerCase());
  if (named !== undefined) return named;
  const near = nearestKey(
    action,
    operations.map(({ name }) => name),
  );
  return near ?? byEnd.get(nearestKey(action, [...byEnd.keys()]) ?? '') ?? null;
}

/** Azure's form: a namespace, at least one type, a verb. No wildcards: a question is about one operation. */
export function isOperationName(action: string): boolean {
  return action.length <= 512 && /^[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*(?:\/[A-Za-z0-9_.$-]+){2,}$/.test(action);
}
