import { knownOperation } from '../admin/known-operations.ts';

const verbs: Readonly<Record<string, string>> = {
  read: 'see',
  write: 'create or change',
  delete: 'delete',
  action: 'use',
};

/**
 * An operation as a person would say it, to stand behind "may not": what the catalogue says of it, or else what its
 * name says: `Contoso.Lab/pages/read` is to see pages, `…/kernels/restart/action` to restart kernels.
 */
export function operationWords(action: string): string {
  const known = knownOperation(action)?.display;
  if (known !== undefined) return known.slice(0, 1).toLowerCase() + known.slice(1);
  const segments = action.split('/').slice(1);
  const last = segments.pop()?.toLowerCase() ?? '';
  const named = last === 'action' && segments.length > 1 ? segments.pop() : undefined;
  const verb = named === undefined ? verbs[last] : spaced(named);
  const thing = segments.at(-1);
  if (verb === undefined || thing === undefined) return `perform ${action}`;
  // `listKeys` has its object in itself.
  return `${verb}${named !== undefined && verb.includes(' ') ? ' of' : ''} ${spaced(thing)}`;
}

function spaced(name: string): string {
  return name.replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, ' ').toLowerCase();
}
