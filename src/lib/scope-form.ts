import { isGuid } from './ids.ts';

/** The shapes that a scope can have, for a reader. */
export const scopeForms = [
  '/',
  '/providers/NAMESPACE/…',
  '/subscriptions/ID',
  '/subscriptions/ID/resourceGroups/NAME',
  '/subscriptions/ID[/resourceGroups/NAME]/providers/NAMESPACE/TYPE/NAME…',
];

/**
 * Whether something can lie at this scope, written in full: it has one of {@link scopeForms}, and the subscription is
 * an id. Whether it exists is another question.
 */
export function hasScopeForm(scope: string): boolean {
  if (!scope.startsWith('/')) return false;
  if (scope === '/') return true;
  const [kind = '', id = '', ...rest] = scope.replace(/^\/|\/$/g, '').split('/');
  if (same(kind, 'providers')) return id !== '';
  if (!same(kind, 'subscriptions') || !isGuid(id)) return false;
  const within = same(rest[0] ?? '', 'resourceGroups') ? rest.slice(1) : ['-', ...rest];
  const [group = '', providers, namespace, type, resource] = within;
  if (group === '') return false;
  if (providers === undefined) return true;
  return (
    same(providers, 'providers') &&
    [namespace, type, resource].every((each) => each !== undefined && each !== '')
  );
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
