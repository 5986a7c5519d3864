import type { LiveSessions } from '../../gateway/live-sessions.ts';
import { routeTable } from '../../gateway/route-table.ts';
import type { Surface } from '../../gateway/types.ts';
import type { OneTimeLinks } from '../../identity/signin/one-time-links.ts';
import type { Sessions } from '../../identity/signin/sessions.ts';
import type { Clock } from '../../lib/clock.ts';
import type { TenantId } from '../../lib/ids.ts';
import { productVersion } from '../../lib/version.ts';
import type { PolicyRows, PolicySnapshot } from '../../policy/snapshot.ts';
import { storageAccountId, workspaceId, type WorkspaceRef } from '../../workspace/resource-ids.ts';
import type { AccessRequests } from '../access-requests/access-requests.ts';
import { accessRequestRoutes } from '../access-requests/routes.ts';
import { lockstepCliAppId } from '../entra/built-in-clients.ts';
import { checkRoutes, type CheckParts } from './check.ts';
import { connectionRoutes, type ConnectionParts } from './connections.ts';
import { decisionRoutes } from './decisions.ts';
import { discoveryPath, discoveryRoutes } from './discovery.ts';
import { renderAdminError } from './errors.ts';
import type { EventLog } from './event-log.ts';
import { eventRoutes } from './events.ts';
import { logKeyRoutes, type LogKeyParts } from './log-keys.ts';
import { toldInOcsf19 } from './told-events.ts';
import { meRoutes } from './me.ts';
import { policyExportRoutes } from './policy-export.ts';
import { sessionRoutes, type SessionParts } from './sessions.ts';
import { signInLinkRoutes } from './sign-in-links.ts';
import { statusRoutes } from './status.ts';

export interface AdminSurfaceOptions extends ConnectionParts, Pick<CheckParts, 'ruleActions'> {
  /** `https://host:port`, as clients address us. */
  readonly publicUrl: string;
  readonly tenantId: TenantId;
  readonly snapshot: PolicySnapshot;
  /** The whole policy as it stands, read in one transaction. */
  readonly policyRows: () => Promise<PolicyRows>;
  readonly ledger: EventLog;
  readonly logKeys: LogKeyParts['logKeys'];
  readonly keyExchange: LogKeyParts['keyExchange'];
  /** In which version of OCSF events are answered. */
  readonly ocsf: '1.8' | '1.9';
  readonly signIns: Sessions;
  readonly applicationsOf: SessionParts['applicationsOf'];
  readonly live: LiveSessions;
  readonly links: OneTimeLinks;
  /** The workspace that the command line uses when none is named, and its storage account. */
  readonly workspace: WorkspaceRef;
  readonly storageAccount: string;
  readonly accessRequests: AccessRequests;
  readonly clock: Clock;
}

/**
 * Lockstep's own API, `/admin/v1`, for its command line and console: who am I, why was this decided, would it be
 * allowed, what is live, what happened. And the public discovery document that the command line starts from.
 */
export function adminSurface(options: AdminSurfaceOptions): Surface {
  const { publicUrl, tenantId, workspace, ledger } = options;
  const describe = routeTable([
    ...discoveryRoutes({
      version: productVersion,
      publicUrl,
      tenantId,
      issuer: `${publicUrl}/${tenantId}/v2.0`,
      cliClientId: lockstepCliAppId,
      workspaceId: workspaceId(workspace),
      storageAccountId: storageAccountId(workspace, options.storageAccount),
      ledger,
    }),
    ...statusRoutes(options),
    ...meRoutes(options),
    ...decisionRoutes(options),
    ...checkRoutes(options),
    ...connectionRoutes(options),
    ...sessionRoutes(options),
    ...eventRoutes({ ...options, ledger: options.ocsf === '1.9' ? toldInOcsf19(ledger) : ledger }),
    ...logKeyRoutes(options),
    ...accessRequestRoutes(options),
    ...policyExportRoutes(options),
    ...signInLinkRoutes({
      ...options,
      linkUrl: (code) => `${publicUrl}/signin/link?code=${encodeURIComponent(code)}`,
    }),
  ]);
  return {
    name: 'admin',
    matches: ({ path }) => path === discoveryPath || path === '/admin/v1' || path.startsWith('/admin/v1/'),
    audiences: ['api://lockstep', 'api://lockstep/'],
    acceptsSessionCookie: true,
    describe,
    renderError: renderAdminError,
  };
}
