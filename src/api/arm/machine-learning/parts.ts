import { inAccess } from '../../../gateway/attribute-names.ts';
import type { Exchange, Guard } from '../../../gateway/types.ts';
import type { Params } from '../../../gateway/routes.ts';
import type { Clock } from '../../../lib/clock.ts';
import { failure } from '../../../lib/errors.ts';
import type { TenantId } from '../../../lib/ids.ts';
import { normalizeScope } from '../../../policy/scope.ts';
import type { Commit } from '../../../store/changes.ts';
import type { Store } from '../../../store/sqlite.ts';
import type { BlobEndpoints } from '../../../workspace/data-locations.ts';
import type { LogLinks } from '../../../workspace/jobs/log-links.ts';
import type { JobScheduler } from '../../../workspace/jobs/scheduler.ts';
import type { SubmitOptions } from '../../../workspace/jobs/submit.ts';
import { workspaceId, type WorkspaceRef } from '../../../workspace/resource-ids.ts';
import { findResource, type Resource } from '../../../workspace/resources.ts';
import type { Runner } from '../../../workspace/runners/runner.ts';

/** What the routes of a workspace work with. */
export interface MachineLearningParts {
  readonly store: Store;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly tenantId: TenantId;
  readonly endpoints: BlobEndpoints;
  readonly runners: readonly Runner[];
  readonly submit: SubmitOptions;
  readonly scheduler: Pick<JobScheduler, 'cancel'>;
  readonly logLinks: LogLinks;
  /** Largest JSON body. */
  readonly jsonBytes: number;
  /** Resources of one page. */
  readonly pageSize: number;
}

export const providerPath =
  '/subscriptions/:subscription/resourceGroups/:group/providers/Microsoft.MachineLearningServices';
export const workspacePath = `${providerPath}/workspaces/:workspace`;

export function workspaceOf(params: Params): WorkspaceRef {
  return {
    subscriptionId: params['subscription'] ?? '',
    resourceGroup: params['group'] ?? '',
    name: params['workspace'] ?? '',
  };
}

/** A path parameter that the route's pattern guarantees. */
export function param(params: Params, name: string): string {
  return params[name] ?? '';
}

/** Needs `action` at what lies at `path` beneath the workspace. Throws `invalid_path` for what cannot be a scope. */
export function atWorkspace(action: string, ...path: readonly string[]) {
  return (params: Params): Guard => {
    const segments = path.map((segment) =>
      segment.startsWith(':') ? param(params, segment.slice(1)) : segment,
    );
    const guard = guardAt(action, [workspaceId(workspaceOf(params)), ...segments].join('/'));
    return withAssetName(guard, path[0] ?? '', segments[1]);
  };
}

/** Conditions may ask for the names of models and data assets. */
function withAssetName(guard: Guard, type: string, name: string | undefined): Guard {
  const attribute = assetNames.get(type);
  if (guard.kind !== 'action' || attribute === undefined || name === undefined) return guard;
  return { ...guard, access: { ...guard.access, attributes: { resource: { [attribute]: name } } } };
}

const assetNames: ReadonlyMap<string, string> = new Map([
  ['models', inAccess('@Resource[Microsoft.MachineLearningServices/workspaces/models:name]')],
  ['data', inAccess('@Resource[Microsoft.MachineLearningServices/workspaces/data:name]')],
]);

export function guardAt(action: string, scopeText: string): Guard {
  const scope = normalizeScope(scopeText);
  if (scope === null)
    throw failure('invalid_path', 'A name in the path is not one that a resource can have.');
  return { kind: 'action', access: { action, dataAction: false, scope } };
}

/** The workspace of the path. Throws `not_found`. */
export async function requireWorkspace(parts: MachineLearningParts, params: Params): Promise<Resource> {
  const ref = workspaceOf(params);
  const found = await findResource(parts.store.db, workspaceId(ref));
  if (found !== null) return found;
  throw failure(
    'not_found',
    `The Resource 'Microsoft.MachineLearningServices/workspaces/${ref.name}' under resource group ` +
      `'${ref.resourceGroup}' was not found.`,
  );
}

/** Throws `not_found` in the resource manager's form. */
export function missing(what: string): never {
  throw failure('not_found', `There is no ${what} in this workspace.`, { azureCode: 'ResourceNotFound' });
}

/** Whether a resource belongs into a list asked for with `listViewType`. */
export function viewFilter(exchange: Exchange): (resource: Resource) => boolean {
  const view = (exchange.head.query.get('listViewType') ?? 'ActiveOnly').toLowerCase();
  return (resource) => {
    const archived = resource.properties['isArchived'] === true;
    if (view === 'all') return true;
    return view === 'archivedonly' ? archived : !archived;
  };
}

/** Where the page starts that was asked for, and its size. */
export function pageOf(
  parts: MachineLearningParts,
  exchange: Exchange,
): { size: number; from: string | null } {
  return { size: parts.pageSize, from: exchange.head.query.get('$skip') };
}
