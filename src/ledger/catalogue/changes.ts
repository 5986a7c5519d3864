import type {
  Attribution,
  Change,
  ChangeKind,
  CredentialRecord,
  DenyAssignment,
  LeaseRecord,
  Membership,
  PrincipalKind,
  RoleAssignment,
  SessionRecord,
} from '../../store/changes.ts';
import type { ClassAttributes, Group, User } from './event-shape.ts';
import {
  actingLink,
  activity,
  bucketObject,
  classes,
  entityObject,
  otherActivity,
  sessionObject,
  sourceEndpoint,
  userObject,
  userOfId,
  type Activity,
  type Described,
} from './ocsf.ts';

type Rows = {
  readonly [Kind in ChangeKind]: (change: Extract<Change, { kind: Kind }>, by: Attribution) => Described;
};

/** The event of every kind of change. A kind without a row does not compile. */
const rows: Rows = {
  'principal.created': ({ principal }, by) =>
    principal.kind === 'group'
      ? group(activity(6, 'Create'), { name: principal.displayName, uid: principal.id })
      : account(activity(1, 'Create'), nameOf(principal), by),
  'principal.updated': ({ principal, switched }, by) => {
    if (principal.kind === 'group')
      return group(otherActivity('Update'), { name: principal.displayName, uid: principal.id });
    const turned = principal.enabled ? activity(2, 'Enable') : activity(5, 'Disable');
    return account(switched === true ? turned : otherActivity('Update'), nameOf(principal), by);
  },
  'principal.deleted': ({ id, principalKind }, by) =>
    principalKind === 'group'
      ? group(activity(5, 'Delete'), { name: undefined, uid: id })
      : account(activity(6, 'Delete'), { kind: principalKind, id, name: id }, by),
  'group.member-added': (change, by) =>
    membership(change, activity(3, 'Add User'), activity(7, 'Add Subgroup'), by),
  'group.member-removed': (change, by) =>
    membership(change, activity(4, 'Remove User'), activity(8, 'Remove Subgroup'), by),
  'credential.added': ({ principal, credential }, by) =>
    credentialEvent(
      credential.kind === 'password' ? passwordActivity(principal, by) : otherActivity('Add Credential'),
      principal,
      credential,
      by,
    ),
  'credential.removed': ({ principal, credential }, by) =>
    credentialEvent(otherActivity('Remove Credential'), principal, credential, by),
  'role-definition.put': ({ definition: { id, roleName, history } }) =>
    entity(
      history !== undefined && history.createdOn === history.updatedOn
        ? activity(1, 'Create')
        : activity(3, 'Update'),
      id,
      'Role Definition',
      roleName,
    ),
  'role-definition.deleted': ({ id }) => entity(activity(4, 'Delete'), id, 'Role Definition'),
  'role-assignment.put': ({ assignment }, by) => privileges(activity(1, 'Assign Privileges'), assignment, by),
  'role-assignment.deleted': ({ assignment }, by) =>
    privileges(activity(2, 'Revoke Privileges'), assignment, by),
  'deny-assignment.put': ({ assignment }) => denial(activity(3, 'Update'), assignment),
  'deny-assignment.deleted': ({ assignment }) => denial(activity(4, 'Delete'), assignment),
  'scope.placed': ({ placement: { scope, displayName } }) =>
    entity(activity(3, 'Update'), scope, 'Scope', displayName),
  'scope.removed': ({ scope }) => entity(activity(4, 'Delete'), scope, 'Scope'),
  'session.opened': ({ session }, by) => sessionEvent(otherActivity('Open Session'), session, null, by),
  'session.closed': ({ session, reason }, by) => sessionEvent(activity(2, 'Logoff'), session, reason, by),
  'token.revoked': ({ principal }, by) => ({
    class: classes.authentication,
    activity: otherActivity('Revoke Token'),
    attributes: { user: userOfId(principal, by.tenantId), service: lockstep },
  }),
  'assertion.used': ({ principal }, by) => ({
    class: classes.authentication,
    activity: otherActivity('Use Assertion'),
    attributes: { user: userOfId(principal, by.tenantId), service: lockstep },
  }),
  'lease.opened': ({ lease }, by) => leaseEvent(otherActivity('Open Lease'), lease, null, by),
  'lease.started': ({ lease }, by) => leaseEvent(activity(1, 'Assign Privileges'), lease, null, by),
  'lease.ended': ({ lease, reason }, by) => leaseEvent(otherActivity('End Lease'), lease, reason, by),
  'signing-key.added': ({ kid }) => entity(activity(1, 'Create'), kid, 'Signing Key'),
  'signing-key.retired': ({ kid }) => entity(activity(11, 'Deactivate'), kid, 'Signing Key'),
  'ledger-key.announced': ({ verifierKey }) => logKey(activity(1, 'Create'), verifierKey),
  'ledger-key.began': ({ verifierKey }) => logKey(activity(10, 'Activate'), verifierKey),
  'ledger-key.ended': ({ verifierKey }) => logKey(activity(11, 'Deactivate'), verifierKey),
  'resource.put': ({ id, type, created }) =>
    entity(created ? activity(1, 'Create') : activity(3, 'Update'), id, type),
  'resource.deleted': ({ id, type }) => entity(activity(4, 'Delete'), id, type),
  'job.status': ({ job, resourceId, status }) => ({
    ...entity(otherActivity(`Job ${status}`), resourceId, 'Job', job),
    jobId: job,
  }),
  'container.created': ({ scope }, by) => bucket(activity(6, 'Create'), scope, by),
  'container.deleted': ({ scope }, by) => bucket(activity(7, 'Delete'), scope, by),
  'blob.written': ({ scope }, by) => bucket(activity(5, 'Write'), scope, by),
  'blob.deleted': ({ scope }, by) => bucket(activity(7, 'Delete'), scope, by),
  'access-request.opened': ({ request }) => entity(activity(1, 'Create'), request.id, 'Access Request'),
  'access-request.closed': ({ request, reason }) =>
    entity(
      reason === 'granted' ? otherActivity('Grant') : otherActivity('Lapse'),
      request.id,
      'Access Request',
    ),
  'person.erased': ({ person }) => entity(otherActivity('Erase'), person, 'Personal Values'),
  'configuration.changed': () => ({
    class: classes.applicationLifecycle,
    activity: activity(8, 'Update'),
    attributes: { app: { name: 'Lockstep', vendor_name: 'Lockstep', version: undefined } },
  }),
};

/** How a change is told as an OCSF event. */
export function describeChange(change: Change, by: Attribution): Described {
  // The row is the one of this very kind, which the compiler cannot follow through the index.
  const describe = rows[change.kind] as (change: Change, by: Attribution) => Described;
  return describe(change, by);
}

const lockstep = { name: 'Lockstep' };

function logKey(does: Activity, verifierKey: string): Described {
  return entity(does, verifierKey, 'Log Key');
}

function nameOf(principal: { kind: PrincipalKind; id: string; displayName: string }): {
  kind: PrincipalKind;
  id: string;
  name: string;
} {
  return { kind: principal.kind, id: principal.id, name: principal.displayName };
}

function account(
  does: Activity,
  target: { kind: PrincipalKind; id: string; name: string },
  by: Attribution,
): Described {
  return {
    class: classes.accountChange,
    activity: does,
    attributes: { user: userObject(target, by.tenantId) },
    ...(target.kind === 'job' ? { jobId: target.id } : {}),
  };
}

function credentialEvent(
  does: Activity,
  principal: string,
  credential: CredentialRecord,
  by: Attribution,
): Described {
  const user: User = {
    ...userOfId(principal, by.tenantId),
    programmatic_credentials: [{ type: credential.kind, uid: credential.id }],
  };
  return { class: classes.accountChange, activity: does, attributes: { user } };
}

/** OCSF tells a change by its holder from a reset by somebody else. */
function passwordActivity(principal: string, by: Attribution): Activity {
  return actingLink(by.chain).id === principal
    ? activity(3, 'Password Change')
    : activity(4, 'Password Reset');
}

function membership(
  { group: uid, member, memberKind }: Membership,
  ofUser: Activity,
  ofGroup: Activity,
  by: Attribution,
): Described {
  const target = { name: undefined, uid };
  return memberKind === 'group'
    ? group(ofGroup, target, { subgroup: { uid: member } })
    : group(ofUser, target, { user: userOfId(member, by.tenantId) });
}

function group(does: Activity, target: Group, more: ClassAttributes = {}): Described {
  return { class: classes.groupManagement, activity: does, attributes: { group: target, ...more } };
}

function entity(does: Activity, uid: string, type: string, name?: string): Described {
  return {
    class: classes.entityManagement,
    activity: does,
    attributes: { entity: entityObject(uid, type, name) },
  };
}

function denial(does: Activity, { id: uid, name }: DenyAssignment): Described {
  return {
    class: classes.entityManagement,
    activity: does,
    attributes: { entity: { name, policy: { name, uid }, type: 'Policy', type_id: 5, uid } },
  };
}

function privileges(does: Activity, assignment: RoleAssignment, by: Attribution): Described {
  const privileges = [assignment.roleDefinitionId];
  const scope = { role_id: undefined, type: 'Scope', uid: assignment.scope };
  return assignment.principalType === 'Group'
    ? group(does, { name: undefined, uid: assignment.principalId }, { privileges, resource: scope })
    : {
        class: classes.userAccess,
        activity: does,
        attributes: {
          user: userOfId(assignment.principalId, by.tenantId),
          privileges,
          resources: [scope],
        },
      };
}

function sessionEvent(
  does: Activity,
  session: SessionRecord,
  reason: string | null,
  by: Attribution,
): Described {
  return {
    class: classes.authentication,
    activity: does,
    attributes: {
      user: userOfId(session.principalId, by.tenantId),
      service: lockstep,
      session: sessionObject({
        uid: session.id,
        createdAt: session.createdAt,
        expiresAt: session.expiresAt,
        reason,
      }),
    },
  };
}

/** A lease lets a job act on behalf of its owner: that is the privilege. */
function leaseEvent(does: Activity, lease: LeaseRecord, reason: string | null, by: Attribution): Described {
  return {
    class: classes.authorizeSession,
    activity: does,
    attributes: {
      user: userOfId(lease.jobId, by.tenantId),
      privileges: [`act on behalf of ${lease.ownerId}`],
      session: sessionObject({ uid: lease.id, reason }),
    },
    jobId: lease.jobId,
  };
}

function bucket(does: Activity, scope: string, by: Attribution): Described {
  return {
    class: classes.datastoreActivity,
    activity: does,
    attributes: {
      databucket: bucketObject(scope),
      type_id: 2,
      src_endpoint: sourceEndpoint(by.sourceAddress),
    },
  };
}
