/**
 * The scopes at which a grant would cover `scope`, from the widest to its own: subscription, resource group, then
 * every resource of the path `…/{type}/{name}`. The root is among them only when `scope` is the root. In normal form.
 */
export function resourceScopes(scope: string): string[] {
  if (scope === '/') return ['/'];
  const segments = scope.slice(1).split('/');
  const out: string[] = [];
  let i = 0;
  while (i < segments.length) {
    i += segments[i] === 'providers' ? 2 : 0;
    i += 2;
    if (i > segments.length) break;
    out.push('/' + segments.slice(0, i).join('/'));
  }
  if (out.at(-1) !== scope) out.push(scope);
  return out;
}
