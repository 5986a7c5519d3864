import { nearestKey } from '../config/nearest-key.ts';
import { isGuid } from '../lib/ids.ts';
import { CliError } from './cli-error.ts';
import type { Discovery } from './connection/discovery.ts';

/** What `--scope` accepts; shown in the help. */
export const scopeHelp =
  'A scope, such as /subscriptions/…; or `workspace`, `resource-group`, `subscription`, `storage`, ' +
  '`container:NAME` of the default storage account, `management-group:NAME`, `root-management-group`, `directory` ' +
  '(users, groups, applications), or `/`. ' +
  'A longer path may follow a short name: `workspace/jobs/NAME`.';

type Places = Pick<Discovery, 'tenantId' | 'workspaceId' | 'storageAccountId'>;

const managementGroups = '/providers/Microsoft.Management/managementGroups';

/** The scope that a command line names, by its short name or in full. Throws CliError `usage`. */
export function scopeNamed(name: string, places: Places): string {
  if (name.startsWith('/')) return name;
  const [head = '', ...rest] = name.split('/');
  const base = shortNames(places).get(head) ?? containerScope(head, places) ?? groupScope(head);
  if (base === null)
    throw new CliError('usage', `\`${name}\` is not a scope.`, { hint: meant(name, head, places) });
  return [base, ...rest].join('/');
}

function meant(name: string, head: string, places: Places): string {
  if (/^(subscriptions|providers)$/i.test(head)) return `Did you mean \`/${name}\`?`;
  const near = nearestKey(head, [...shortNames(places).keys()]);
  return near === null ? scopeHelp : `Did you mean \`${[near, ...name.split('/').slice(1)].join('/')}\`?`;
}

const scopeForms = [
  '/',
  '/providers/NAMESPACE/…',
  '/subscriptions/ID',
  '/subscriptions/ID/resourceGroups/NAME',
  '/subscriptions/ID[/resourceGroups/NAME]/providers/NAMESPACE/TYPE/NAME…',
];

/**
 * The scope at which something is to be given or denied: one at which nothing can ever lie is a typing error that would
 * be noticed too late. Throws CliError `usage`.
 */
export function scopeToGiveAt(name: string, places: Places): string {
  const scope = scopeNamed(name, places);
  requireScopeToGiveAt(scope);
  return scope;
}

/** The same of a scope that is written in full. */
export function requireScopeToGiveAt(scope: string): void {
  if (scope.startsWith('/') && wellFormed(scope)) return;
  throw new CliError('usage', `Nothing can lie at \`${scope}\`.`, {
    hint: `Scopes look like ${scopeForms.join(', ')}.`,
  });
}

function wellFormed(scope: string): boolean {
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

/** The short form of a scope, as `--scope` takes it; one that has none is shown whole. */
export function shortScope(scope: string, places: Places): string {
  const lower = scope.toLowerCase();
  const containers = `${containersOf(places)}/`.toLowerCase();
  if (lower.startsWith(containers)) return `container:${scope.slice(containers.length)}`;
  const groups = `${managementGroups}/`;
  const root = groups + places.tenantId;
  const isRoot = lower === root.toLowerCase() || lower.startsWith(`${root.toLowerCase()}/`);
  if (!isRoot && lower.startsWith(groups.toLowerCase())) {
    return `management-group:${scope.slice(groups.length)}`;
  }
  for (const [name, base] of shortNames(places)) {
    if (lower === base.toLowerCase()) return name;
    if (lower.startsWith(`${base.toLowerCase()}/`) && name !== 'subscription' && name !== 'resource-group') {
      return name + scope.slice(base.length);
    }
  }
  return scope;
}

function shortNames({ tenantId, workspaceId, storageAccountId }: Places): Map<string, string> {
  const upTo = (segments: number) =>
    workspaceId
      .split('/')
      .slice(0, segments + 1)
      .join('/');
  return new Map([
    ['workspace', workspaceId],
    ['storage', storageAccountId],
    ['resource-group', upTo(4)],
    ['subscription', upTo(2)],
    ['directory', '/providers/Lockstep.Access'],
    ['root-management-group', `${managementGroups}/${tenantId}`],
  ]);
}

function containerScope(head: string, places: Places): string | null {
  const container = /^container:([a-z0-9$][a-z0-9-]{1,62})$/.exec(head)?.[1];
  return container === undefined ? null : `${containersOf(places)}/${container}`;
}

/** The scope of a management group by its name, the root's when there is none. */
export function managementGroupScope(name: string | undefined, { tenantId }: Places): string {
  return `${managementGroups}/${name ?? tenantId}`;
}

function groupScope(head: string): string | null {
  const name = /^management-group:([A-Za-z0-9_().-]{1,90})$/.exec(head)?.[1];
  return name === undefined || /^\.+$/.test(name) ? null : `${managementGroups}/${name}`;
}

function containersOf({ storageAccountId }: Places): string {
  return `${storageAccountId}/blobServices/default/containers`;
}
