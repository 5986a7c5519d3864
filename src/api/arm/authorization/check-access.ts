import { z } from 'zod';
import { isGuid, type PrincipalId } from '../../../lib/ids.ts';
import { decide } from '../../../policy/decide.ts';
import { normalizeScope } from '../../../policy/scope.ts';
import type { PolicySnapshot } from '../../../policy/snapshot.ts';
import type { Access } from '../../../policy/types.ts';
import { guarded, json, jsonBody } from './exchanges.ts';
import type { TypeDescriber } from './options.ts';
import { refusal } from './refusals.ts';
import { denyAssignmentBody, roleAssignmentBody } from './representations.ts';

/** How long a decision point that asked may rely on the answer. */
const timeToLiveMilliseconds = 1_000;

const body = z.object({
  subject: z.object({ attributes: z.object({ objectid: z.string() }) }),
  actions: z
    .array(z.object({ id: z.string().min(1).max(512), isdataaction: z.boolean().default(false) }))
    .min(1)
    .max(500),
  resource: z.object({ id: z.string() }),
});

/**
 * Azure's decision point in the form of api-version 2018-09-01-preview: may this principal do these actions at
 * this resource? Groups in the request are not believed: membership is resolved here. The resource must lie within
 * the scope of the address, at which the caller needs the right to ask.
 */
export const describeCheckAccess: TypeDescriber = (head, { scope, name }, { snapshot }) => {
  if (head.method !== 'POST' || name !== null) return null;
  return guarded('checkAccess/read', scope, 'read', jsonBody, async (exchange) => {
    const parsed = body.safeParse(lowerKeys(exchange.json(z.unknown()), 4));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw refusal(
        'invalid_request',
        'InvalidRequestContent',
        `${issue?.path.join('.')}: ${issue?.message}`,
      );
    }
    const { subject, actions, resource } = parsed.data;
    const principal = subject.attributes.objectid.toLowerCase();
    if (!isGuid(principal))
      throw refusal('invalid_request', 'InvalidSubject', 'Subject.ObjectId must be a GUID.');
    const at = normalizeScope(resource.id);
    if (at === null || !snapshot.isWithin(at, scope)) {
      throw refusal('invalid_request', 'InvalidResource', `Resource.Id must be a scope within ${scope}.`);
    }
    return json(
      200,
      actions.map(({ id, isdataaction }) =>
        answer(snapshot, principal as PrincipalId, { action: id, dataAction: isdataaction, scope: at }),
      ),
    );
  });
};

function answer(snapshot: PolicySnapshot, principal: PrincipalId, access: Access): object {
  const { allowed, cause } = decide(snapshot, principal, access);
  const grant = cause.kind === 'role-assignment' ? snapshot.roleAssignment(cause.id) : undefined;
  const deny = cause.kind === 'deny-assignment' ? snapshot.denyAssignment(cause.id) : undefined;
  return {
    actionId: access.action,
    isDataAction: access.dataAction,
    accessDecision: allowed ? 'Allowed' : deny ? 'Denied' : 'NotAllowed',
    roleAssignment: grant ? roleAssignmentBody(grant) : null,
    denyAssignment: deny ? denyAssignmentBody(deny) : null,
    timeToLiveInMs: timeToLiveMilliseconds,
  };
}

/** Clients differ in the case of member names. */
function lowerKeys(value: unknown, depth: number): unknown {
  if (depth < 0 || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => lowerKeys(item, depth - 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, member]: [string, unknown]) => [
      key.toLowerCase(),
      lowerKeys(member, depth - 1),
    ]),
  );
}
