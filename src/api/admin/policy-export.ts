import type { Route } from '../../gateway/routes.ts';
import { failure } from '../../lib/errors.ts';
import { cedarText, exportCedar } from '../../policy/cedar/export-cedar.ts';
import type { PolicyRows } from '../../policy/snapshot.ts';
import type { Access } from '../../policy/types.ts';
import { requireAlso } from '../also.ts';
import { ownAccess, ownAction } from '../own-actions.ts';
import { noBody, ok } from './replies.ts';

/**
 * What an export shows besides the policy's own rules, and who may see that one by one: an export is no way around.
 */
const shown: readonly Access[] = [
  ...['roleAssignments', 'roleDefinitions', 'denyAssignments'].map((what) => ({
    action: `Microsoft.Authorization/${what}/read`,
    dataAction: false,
    scope: '/',
  })),
  ownAccess('groups/read'),
  ownAccess('securityAttributes/read'),
];

/** The whole policy, for tools that analyse policies. */
export function policyExportRoutes({
  policyRows,
}: {
  /** Everything as it stands, read in one go. */
  readonly policyRows: () => Promise<PolicyRows>;
}): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/v1/policy/export',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('policy/export/read'),
      async serve(exchange) {
        if (exchange.head.query.get('format') !== 'cedar') {
          throw failure('invalid_request', 'The policy is exported as cedar: say format=cedar.', {
            target: 'format',
          });
        }
        for (const access of shown) await requireAlso(exchange, access);
        const exported = exportCedar(await policyRows());
        const { version, entities, schema, notes } = exported;
        return ok({
          format: 'cedar',
          version,
          policies: cedarText(exported),
          policyCount: exported.policies.length,
          entities,
          schema,
          notes,
        });
      },
    },
  ];
}
