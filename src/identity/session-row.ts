import { z } from 'zod';
import type { PrincipalId, SessionId } from '../lib/ids.ts';
import type { SessionRecord } from '../store/changes.ts';
import type { Schema } from '../store/schema.ts';

const methods = z.array(z.string());

export function toSession(row: Schema['sessions']): SessionRecord {
  return {
    id: row.id as SessionId,
    principalId: row.principal_id as PrincipalId,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    authenticationMethods: methods.parse(JSON.parse(row.amr_json)),
  };
}
