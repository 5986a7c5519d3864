import { CliError } from './cli-error.ts';
import type { Discovery } from './connection/discovery.ts';

/** What `--scope` accepts; shown in the help. */
export const scopeHelp =
  'A scope, such as /subscriptions/…; or `workspace`, `resource-group`, `subscription`, `storage`, ' +
  '`container:NAME` of the default storage account, `directory` (users, groups, applications), or `/`.';

/** The scope that a command line names, by its short name or in full. Throws CliError `usage`. */
export function scopeNamed(name: string, { workspaceId, storageAccountId }: Discovery): string {
  if (name.startsWith('/')) return name;
  if (name === 'workspace') return workspaceId;
  if (name === 'storage') return storageAccountId;
  if (name === 'subscription') return workspaceId.split('/').slice(0, 3).join('/');
  if (name === 'resource-group') return workspaceId.split('/').slice(0, 5).join('/');
  if (name === 'directory') return '/providers/Lockstep.Access';
  const container = /^container:([a-z0-9$][a-z0-9-]{1,62})$/.exec(name)?.[1];
  if (container !== undefined) return `${storageAccountId}/blobServices/default/containers/${container}`;
  throw new CliError('usage', `\`${name}\` is not a scope.`, { hint: scopeHelp });
}
