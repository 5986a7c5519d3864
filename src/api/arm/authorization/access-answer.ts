import { environmentOf } from '../../../gateway/environment.ts';
import type { Exchange } from '../../../gateway/types.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { PrincipalId } from '../../../lib/ids.ts';
import { decideForAll } from '../../../policy/decide.ts';
import type { PolicySnapshot } from '../../../policy/snapshot.ts';
import type { Access } from '../../../policy/types.ts';
import type { DenyAssignment, RoleAssignment } from '../../../store/changes.ts';
import { requireAlso } from '../../also.ts';
import type { AccessQuestion } from './access-question.ts';
import { namesIn } from './resource-names.ts';

/** How long a decision point that asked may rely on the answer. */
export const timeToLiveMilliseconds = 1_000;

export interface DecisionPointOptions {
  readonly snapshot: PolicySnapshot;
  readonly clock: Clock;
  readonly tenantId: string;
  /** In whose names a principal acts, each of whom must be allowed; empty for whoever cannot act. */
  readonly actsAs: (id: PrincipalId) => readonly PrincipalId[];
}

export interface AccessAnswer {
  readonly access: Access;
  readonly decision: 'Allowed' | 'NotAllowed' | 'Denied';
  readonly roleAssignment: RoleAssignment | null;
  readonly denyAssignment: DenyAssignment | null;
}

/**
 * Throws `access_denied` for a caller who tells attributes and is not trusted with them at the resource: whoever may
 * tell them decides what conditions see, and can find out by trying what they are compared with.
 */
export async function requireTrustedWithAttributes(
  exchange: Exchange,
  { tellsAttributes, scope }: AccessQuestion,
): Promise<void> {
  if (!tellsAttributes) return;
  await requireAlso(exchange, {
    action: 'Lockstep.Access/decisions/attributes/action',
    dataAction: false,
    scope,
  });
}

/**
 * One answer per action. What is known here goes before what the request tells: the time, the names in the resource's
 * id; tags are those that are stored, security attributes and groups the directory's. A job named as the application narrows the answer to
 * what the job may, and nothing that is told of a subject widens it.
 */
export function accessAnswers(question: AccessQuestion, options: DecisionPointOptions): AccessAnswer[] {
  const { snapshot, clock } = options;
  const authorities = authoritiesOf(question, options);
  const environment = { ...question.environment, ...environmentOf([], clock.now()) };
  const resource = { ...question.resource, ...namesIn(question.resourceId) };
  return question.actions.map(({ id, dataAction, request }) => {
    const attributes = { request, resource, environment };
    const access = { action: id, dataAction, scope: question.scope, attributes };
    const { allowed, cause } = decideForAll(snapshot, authorities, access);
    const grant = cause.kind === 'role-assignment' ? snapshot.roleAssignment(cause.id) : undefined;
    const deny = cause.kind === 'deny-assignment' ? snapshot.denyAssignment(cause.id) : undefined;
    return {
      access,
      decision: allowed ? 'Allowed' : deny ? 'Denied' : 'NotAllowed',
      roleAssignment: grant ?? null,
      denyAssignment: deny ?? null,
    };
  });
}

function authoritiesOf(
  { subject, application }: AccessQuestion,
  { snapshot, actsAs }: DecisionPointOptions,
): readonly PrincipalId[] {
  const own = actsAs(subject);
  if (own.length === 0 || application === null) return own;
  if (snapshot.principal(application)?.kind !== 'job') return own;
  const through = actsAs(application);
  // A job acts for its owner; named beside anybody else, or after its end, it is nobody's.
  return through.includes(subject) ? through : [];
}
