import { nearestKey } from '../config/nearest-key.ts';
import { hasScopeForm, scopeForms } from '../lib/scope-form.ts';
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

/** Where a scope, or the id of what lies there, stands in the path of a request: a `%` of its own is a character there. */
export function pathOfScope(scope: string): string {
  return scope === '/' ? '' : scope.replaceAll('%', '%25');
}

function meant(name: string, head: string, places: Places): string {
  if (/^(subscriptions|providers)$/i.test(head)) return `Did you mean \`/${name}\`?`;
  const near = nearestKey(head, [...shortNames(places).keys()]);
  return near === null ? scopeHelp : `Did you mean \`${[near, ...name.split('/').slice(1)].join('/')}\`?`;
}

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
  const odd = scope.split('/').find((segment) => /[^\x21-\x7e]/.test(segment));
  if (odd !== undefined && hasScopeForm(scope.replaceAll(/[^\x21-\x7e]/g, '-')))
    throw new CliError('usage', `\`${odd}\` cannot stand in a scope as it is.`, {
      hint: `Capitals that count, and all but letters, digits and \`-._~\`, are written as bytes: \`${inBytes(odd)}\`. \`lockstep explain\` and \`check\` print scopes so.`,
    });
  if (hasScopeForm(scope)) return;
  throw new CliError('usage', `Nothing can lie at \`${scope}\`.`, {
    hint: `Scopes look like ${scopeForms.join(', ')}.`,
  });
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

/** A name whose case and blanks count, as it stands in a scope. */
function inBytes(name: string): string {
  return [...Buffer.from(name)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[a-z0-9._~-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}
