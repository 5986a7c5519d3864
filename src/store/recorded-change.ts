import { z } from 'zod';
import type { PrincipalId } from '../lib/ids.ts';
import type { ChangeKind, PolicyChange } from './changes.ts';

/** A change that was read back from the record of it. */
export interface RecordedChange {
  /** Null where it carries no policy. */
  readonly change: PolicyChange | null;
  /**
   * False when the record holds less than the change did, in a part that decisions rest on: something in it looked
   * like a credential and was withheld. Then only the rows of the store tell what it was.
   */
  readonly whole: boolean;
}

/**
 * Reads the change of a ledger entry back. Throws a ZodError for a kind that this version does not know, or one that
 * is not in the form in which changes are recorded: what is not understood is never left out silently.
 */
export function parseRecordedChange(value: unknown): RecordedChange {
  const { kind } = kindSchema.parse(value);
  const change = schemas[kind]?.parse(value) ?? null;
  return { change, whole: change === null || !holdsWithheld(decisive(change)) };
}

/** What the ledger puts in place of a credential. */
export const withheld = '[credential withheld]';

const principalId = z.string().transform((id) => id as PrincipalId);
/** What is told to people, and in the log only bound: empty where it has not been shown. No decision rests on it. */
const name = z.string().default('');
const attribute = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.array(z.string()).readonly(),
  z.array(z.number()).readonly(),
]);
const condition = z.string().nullable().exactOptional();
const principalKind = z.enum(['user', 'group', 'application', 'managed-identity', 'job']);
const principal = z.strictObject({
  id: principalId,
  kind: principalKind,
  displayName: name,
  enabled: z.boolean(),
  sponsorId: principalId.nullable(),
  signInName: z.string().nullable().default(null),
  securityAttributes: z.record(z.string(), attribute).exactOptional(),
});
const permissions = z.array(
  z.strictObject({
    actions: z.array(z.string()),
    notActions: z.array(z.string()),
    dataActions: z.array(z.string()),
    notDataActions: z.array(z.string()),
    condition,
  }),
);
const history = z.strictObject({
  createdOn: z.string(),
  createdBy: z.string(),
  updatedOn: z.string(),
  updatedBy: z.string(),
});
const definition = z.strictObject({
  id: z.string(),
  roleName: z.string(),
  description: name,
  type: z.enum(['BuiltInRole', 'CustomRole']),
  permissions,
  assignableScopes: z.array(z.string()),
  writtenScopes: z.array(z.string()).exactOptional(),
  history: history.exactOptional(),
});
const grant = z.strictObject({
  id: z.string(),
  scope: z.string(),
  writtenScope: z.string().exactOptional(),
  roleDefinitionId: z.string(),
  principalId,
  principalType: z.enum(['User', 'Group', 'ServicePrincipal']),
  description: name,
  condition,
  createdOn: z.string(),
  createdBy: z.string(),
  updatedOn: z.string().exactOptional(),
  updatedBy: z.string().exactOptional(),
});
const denial = z.strictObject({
  id: z.string(),
  name,
  description: name,
  scope: z.string(),
  permissions,
  doNotApplyToChildScopes: z.boolean(),
  principals: z.array(principalId),
  excludePrincipals: z.array(principalId),
  condition,
});
const placement = z.strictObject({
  scope: z.string(),
  parent: z.string().nullable(),
  displayName: name,
});
const membership = { group: principalId, member: principalId, memberKind: principalKind.exactOptional() };

/** How each kind is recorded; null for one that carries no policy. A kind without a row does not compile. */
const schemas: {
  readonly [Kind in ChangeKind]: z.ZodType<Extract<PolicyChange, { readonly kind: Kind }>> | null;
} = {
  'principal.created': z.strictObject({ kind: z.literal('principal.created'), principal }),
  'principal.updated': z.strictObject({
    kind: z.literal('principal.updated'),
    principal,
    switched: z.literal(true).exactOptional(),
  }),
  'principal.deleted': z.strictObject({
    kind: z.literal('principal.deleted'),
    id: principalId,
    principalKind,
  }),
  'group.member-added': z.strictObject({ kind: z.literal('group.member-added'), ...membership }),
  'group.member-removed': z.strictObject({ kind: z.literal('group.member-removed'), ...membership }),
  'role-definition.put': z.strictObject({ kind: z.literal('role-definition.put'), definition }),
  'role-definition.deleted': z.strictObject({ kind: z.literal('role-definition.deleted'), id: z.string() }),
  'role-assignment.put': z.strictObject({ kind: z.literal('role-assignment.put'), assignment: grant }),
  'role-assignment.deleted': z.strictObject({
    kind: z.literal('role-assignment.deleted'),
    assignment: grant,
  }),
  'deny-assignment.put': z.strictObject({ kind: z.literal('deny-assignment.put'), assignment: denial }),
  'deny-assignment.deleted': z.strictObject({
    kind: z.literal('deny-assignment.deleted'),
    assignment: denial,
  }),
  'scope.placed': z.strictObject({ kind: z.literal('scope.placed'), placement }),
  'scope.removed': z.strictObject({ kind: z.literal('scope.removed'), scope: z.string() }),
  'resource.put': z.strictObject({
    kind: z.literal('resource.put'),
    id: z.string(),
    type: z.string(),
    created: z.boolean(),
    tags: z.record(z.string(), z.string()).exactOptional(),
  }),
  'resource.deleted': z.strictObject({
    kind: z.literal('resource.deleted'),
    id: z.string(),
    type: z.string(),
  }),
  'credential.added': null,
  'credential.removed': null,
  'session.opened': null,
  'session.closed': null,
  'token.revoked': null,
  'assertion.used': null,
  'lease.opened': null,
  'lease.started': null,
  'lease.ended': null,
  'signing-key.added': null,
  'signing-key.retired': null,
  'ledger-key.announced': null,
  'ledger-key.began': null,
  'ledger-key.ended': null,
  'job.status': null,
  'container.created': null,
  'container.deleted': null,
  'blob.written': null,
  'blob.deleted': null,
  'configuration.changed': null,
  'access-request.opened': null,
  'access-request.closed': null,
  'person.erased': null,
};
const kindSchema = z.object({
  kind: z.custom<ChangeKind>(
    (kind) => typeof kind === 'string' && Object.hasOwn(schemas, kind),
    'is not a kind of change that this version knows',
  ),
});

/** The parts that decisions rest on: names and descriptions for people are not among them. */
function decisive(change: PolicyChange): unknown {
  switch (change.kind) {
    case 'principal.created':
    case 'principal.updated':
      return [change.principal.id, change.principal.securityAttributes];
    case 'role-definition.put':
      return [change.definition.id, change.definition.permissions];
    case 'role-assignment.put':
    case 'role-assignment.deleted': {
      const { id, scope, roleDefinitionId, principalId: holder, condition: text } = change.assignment;
      return [id, scope, roleDefinitionId, holder, text];
    }
    case 'deny-assignment.put':
    case 'deny-assignment.deleted': {
      const { name: _name, description: _description, ...rest } = change.assignment;
      return rest;
    }
    case 'scope.placed':
      return [change.placement.scope, change.placement.parent];
    case 'principal.deleted':
    case 'group.member-added':
    case 'group.member-removed':
    case 'role-definition.deleted':
    case 'scope.removed':
    case 'resource.put':
    case 'resource.deleted':
      return change;
  }
}

function holdsWithheld(value: unknown): boolean {
  if (typeof value === 'string') return value.includes(withheld);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, member]) => holdsWithheld(key) || holdsWithheld(member));
}
