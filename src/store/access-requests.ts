import type { PrincipalId, DecisionId } from '../lib/ids.ts';
import type { AccessRequestEnd, AccessRequestRecord, Change, Tx } from './changes.ts';
import type { Schema } from './schema.ts';

type Record = (change: Change) => void;

/** Throws the database's constraint error while the same person asks for the same role at the same scope. */
export async function openAccessRequest(tx: Tx, record: Record, request: AccessRequestRecord): Promise<void> {
  await tx
    .insertInto('access_requests')
    .values({
      id: request.id,
      principal_id: request.principalId,
      role_definition_id: request.roleDefinitionId,
      scope: request.scope,
      action: request.action,
      data_action: request.dataAction ? 1 : 0,
      decision_id: request.decisionId,
      reason: request.reason,
      created_at: request.createdAt,
      expires_at: request.expiresAt,
      closed_at: null,
    })
    .execute();
  record({ kind: 'access-request.opened', request });
}

/** What the person wrote goes from the row with it; the ledger has it, for as long as it may. */
export async function closeAccessRequest(
  tx: Tx,
  record: Record,
  request: AccessRequestRecord,
  end: { readonly reason: AccessRequestEnd; readonly assignmentId: string | null; readonly now: number },
): Promise<void> {
  await tx
    .updateTable('access_requests')
    .set({ closed_at: end.now, reason: '' })
    .where('id', '=', request.id)
    .execute();
  const { id, principalId, roleDefinitionId, scope } = request;
  record({
    kind: 'access-request.closed',
    request: { id, principalId, roleDefinitionId, scope },
    reason: end.reason,
    assignmentId: end.assignmentId,
  });
}

export function parseAccessRequest(row: Schema['access_requests']): AccessRequestRecord {
  return {
    id: row.id,
    principalId: row.principal_id as PrincipalId,
    roleDefinitionId: row.role_definition_id,
    scope: row.scope,
    action: row.action,
    dataAction: row.data_action === 1,
    decisionId: row.decision_id as DecisionId,
    reason: row.reason,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
