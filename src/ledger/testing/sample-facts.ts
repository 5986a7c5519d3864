import type { DecisionId, EventId, LeaseId, PrincipalId, SessionId } from '../../lib/ids.ts';
import type { Change, ChangeKind } from '../../store/changes.ts';
import type { RequestFact } from '../events.ts';
import { attribution, decidedFact } from './ledger-fixture.ts';

const ada = '22222222-2222-4222-8222-222222222222' as PrincipalId;
const job = '44444444-4444-4444-8444-444444444444' as PrincipalId;
const team = '55555555-5555-4555-8555-555555555555' as PrincipalId;
const role = '66666666-6666-4666-8666-666666666666';
const container =
  '/subscriptions/s/providers/microsoft.storage/storageaccounts/a/blobservices/default/containers/c';

const credential = { id: 'cred-1', kind: 'certificate', hint: 'thumbprint' } as const;
const definition = {
  id: role,
  roleName: 'Reader of penguins',
  description: 'May look.',
  type: 'CustomRole',
  permissions: [{ actions: ['*/read'], notActions: [], dataActions: [], notDataActions: [] }],
  assignableScopes: ['/'],
} as const;
const assignment = {
  id: '77777777-7777-4777-8777-777777777777',
  scope: '/subscriptions/s',
  roleDefinitionId: role,
  principalId: ada,
  principalType: 'User',
  description: '',
  createdOn: '2026-01-01T00:00:00Z',
  createdBy: ada,
} as const;
const denial = {
  id: '88888888-8888-4888-8888-888888888888',
  name: 'nobody deletes',
  description: '',
  scope: '/subscriptions/s',
  permissions: definition.permissions,
  doNotApplyToChildScopes: false,
  principals: [ada],
  excludePrincipals: [],
} as const;
const session = {
  id: 'ses_1' as SessionId,
  principalId: ada,
  createdAt: 1_770_000_000_000,
  expiresAt: 1_770_000_600_000,
  authenticationMethods: ['pwd'],
} as const;
const lease = {
  id: 'lea_1' as LeaseId,
  jobId: job,
  jobScope: '/subscriptions/s/jobs/j',
  ownerId: ada,
  submitterId: ada,
  chain: [
    { kind: 'user', id: ada, name: 'Ada' },
    { kind: 'job', id: job, name: 'train' },
  ],
  state: 'running',
} as const;
const principal = {
  id: ada,
  kind: 'user',
  displayName: 'Ada',
  enabled: true,
  sponsorId: null,
  signInName: 'ada@example.test',
} as const;

/** One of every kind of change; a kind without a sample does not compile. */
export const sampleChanges: { readonly [Kind in ChangeKind]: Extract<Change, { kind: Kind }> } = {
  'principal.created': { kind: 'principal.created', principal },
  'principal.updated': {
    kind: 'principal.updated',
    principal: { ...principal, enabled: false },
    switched: true,
  },
  'principal.deleted': { kind: 'principal.deleted', id: ada, principalKind: 'user' },
  'group.member-added': { kind: 'group.member-added', group: team, member: ada },
  'group.member-removed': { kind: 'group.member-removed', group: team, member: ada },
  'credential.added': { kind: 'credential.added', principal: ada, credential },
  'credential.removed': { kind: 'credential.removed', principal: ada, credential },
  'role-definition.put': { kind: 'role-definition.put', definition },
  'role-definition.deleted': { kind: 'role-definition.deleted', id: role },
  'role-assignment.put': { kind: 'role-assignment.put', assignment },
  'role-assignment.deleted': {
    kind: 'role-assignment.deleted',
    assignment: { ...assignment, principalId: team, principalType: 'Group' },
  },
  'deny-assignment.put': { kind: 'deny-assignment.put', assignment: denial },
  'deny-assignment.deleted': { kind: 'deny-assignment.deleted', assignment: denial },
  'scope.placed': {
    kind: 'scope.placed',
    placement: {
      scope: '/subscriptions/s',
      parent: '/providers/microsoft.management/managementgroups/m',
      displayName: 'Research',
    },
  },
  'scope.removed': { kind: 'scope.removed', scope: '/providers/microsoft.management/managementgroups/m' },
  'session.opened': { kind: 'session.opened', session },
  'session.closed': { kind: 'session.closed', session, reason: 'sign-out' },
  'token.revoked': { kind: 'token.revoked', tokenId: 'uti-9', principal: ada, expiresAt: 1 },
  'assertion.used': {
    kind: 'assertion.used',
    principal: ada,
    issuer: 'https://ci.example.test',
    digest: 'ab'.repeat(32),
    expiresAt: 1,
  },
  'lease.opened': { kind: 'lease.opened', lease: { ...lease, state: 'queued' } },
  'lease.started': { kind: 'lease.started', lease },
  'lease.ended': { kind: 'lease.ended', lease: { ...lease, state: 'ended' }, reason: 'completed' },
  'signing-key.added': { kind: 'signing-key.added', kid: 'k1', algorithm: 'RS256' },
  'signing-key.retired': { kind: 'signing-key.retired', kid: 'k1', algorithm: 'RS256' },
  'ledger-key.announced': {
    kind: 'ledger-key.announced',
    verifierKey: 'lockstep.test/log+2f0a1b3c+Abbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',
    follows: 'lockstep.test/log+0af67a15+Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    note: 'lockstep key exchange v1\nlockstep.test/log\n…',
  },
  'ledger-key.began': {
    kind: 'ledger-key.began',
    verifierKey: 'lockstep.test/log+2f0a1b3c+Abbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',
    until: 1_772_592_000_000,
  },
  'ledger-key.ended': {
    kind: 'ledger-key.ended',
    verifierKey: 'lockstep.test/log+0af67a15+Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    reason: 'planned',
  },
  'resource.put': { kind: 'resource.put', id: '/subscriptions/s/x', type: 'x', created: true },
  'resource.deleted': { kind: 'resource.deleted', id: '/subscriptions/s/x', type: 'x' },
  'job.status': {
    kind: 'job.status',
    job,
    resourceId: '/subscriptions/s/jobs/j',
    status: 'Completed',
    detail: { exitCode: 0 },
  },
  'container.created': { kind: 'container.created', scope: container },
  'container.deleted': { kind: 'container.deleted', scope: container },
  'blob.written': {
    kind: 'blob.written',
    scope: `${container}/blobs/data/penguins.csv`,
    bytes: 12,
    sha256: 'cd'.repeat(32),
    etag: '"1"',
  },
  'blob.deleted': { kind: 'blob.deleted', scope: `${container}/blobs/data/penguins.csv` },
  'access-request.opened': {
    kind: 'access-request.opened',
    request: {
      id: 'acr_01hzy3v7q8r9s0t1v2w3x4y5z6',
      principalId: ada,
      roleDefinitionId: role,
      scope: container,
      action: 'Microsoft.Storage/storageAccounts/blobServices/containers/read',
      dataAction: false,
      decisionId: 'dec_01hzy3v7q8r9s0t1v2w3x4y5z6' as DecisionId,
      reason: 'I need the numbers for the paper.',
      createdAt: 1_795_000_000_000,
      expiresAt: 1_797_592_000_000,
    },
  },
  'access-request.closed': {
    kind: 'access-request.closed',
    request: {
      id: 'acr_01hzy3v7q8r9s0t1v2w3x4y5z6',
      principalId: ada,
      roleDefinitionId: role,
      scope: container,
    },
    reason: 'granted',
    assignmentId: 'aaaaaaaa-0000-4000-8000-000000000001',
  },
  'person.erased': { kind: 'person.erased', person: ada, keys: 2 },
  'configuration.changed': {
    kind: 'configuration.changed',
    previous: 'ab'.repeat(32),
    digest: 'cd'.repeat(32),
    settings: ['limits.blobBytes', 'tokens.jobSeconds'],
  },
};

/** Requests in the variety that the catalogue tells apart. */
export const sampleRequestFacts: readonly RequestFact[] = [
  decidedFact(),
  decidedFact({ allowed: false, reason: 'missing-grant', effect: 'change', method: 'POST', userAgent: null }),
  decidedFact({ attribution: attribution({ sourceAddress: null, policyId: null, chain: [] }) }),
  decidedFact({
    surface: 'blob',
    operation: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
    scope: `${container}/blobs/data/penguins.csv`,
    attribution: attribution({ chain: lease.chain, leaseId: lease.id }),
  }),
  ...(['write', 'delete', 'action'] as const).map((verb) =>
    decidedFact({
      surface: 'blob',
      operation: `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/${verb}`,
      scope: `${container}/blobs/data/penguins.csv`,
      effect: 'change',
      method: 'PUT',
    }),
  ),
  ...(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const).map((method) =>
    decidedFact({ operation: 'account/ownPage', method, effect: 'change' }),
  ),
  {
    kind: 'request.ended',
    attribution: attribution(),
    surface: 'arm',
    operation: 'Microsoft.MachineLearningServices/workspaces/jobs/write',
    effect: 'read',
    scope: '/subscriptions/s',
    status: 201,
    requestBytes: 10,
    responseBytes: 20,
    durationMilliseconds: 1.5,
    ending: 'completed',
  },
  {
    kind: 'request.ended',
    attribution: attribution({ chain: lease.chain }),
    surface: 'blob',
    operation: 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read',
    effect: 'read',
    scope: container,
    status: 200,
    requestBytes: 0,
    responseBytes: 1_000,
    durationMilliseconds: 3,
    ending: 'policy-changed',
  },
  {
    kind: 'request.ended',
    attribution: attribution(),
    surface: 'web:lab',
    operation: 'Contoso.Lab/kernels/execute/action',
    effect: 'read',
    scope: '/connections/lab',
    status: 101,
    requestBytes: 400,
    responseBytes: 9_000,
    durationMilliseconds: 60_000,
    ending: 'policy-changed',
    cutBy: {
      kind: 'change',
      change: 'role-assignment.deleted',
      eventId: 'evt_01h455vb4pex5vsknk084sn02q' as EventId,
    },
    sentAgain: 'connect',
    webSocket: { received: 4, sent: 31, closeCode: 1008 },
  },
  {
    kind: 'request.ended',
    attribution: attribution(),
    surface: 'web:lab',
    operation: 'Contoso.Lab/kernels/execute/action',
    effect: 'read',
    scope: '/connections/lab',
    status: 200,
    requestBytes: 0,
    responseBytes: 9_000,
    durationMilliseconds: 60_000,
    ending: 'cut-by-operator',
    cutBy: {
      kind: 'operator',
      principalId: '55555555-5555-4555-8555-555555555555',
      decisionId: 'dec_01h455vb4pex5vsknk084sn02q' as DecisionId,
    },
  },
  {
    kind: 'requests.ended',
    attribution: attribution({ requestId: null, decisionId: null, policyId: null, snapshotVersion: null }),
    surface: 'web:models',
    operation: 'Contoso.Models/scores/read',
    scope: '/connections/models',
    since: 1_770_000_000_000,
    outcomes: [
      {
        decisionId: 'dec_01h455vb4pex5vsknk084sn02q',
        status: 200,
        requestBytes: 0,
        responseBytes: 120,
        durationMilliseconds: 3,
      },
      {
        decisionId: 'dec_01h455vb4pex5vsknk084sn02r',
        status: 200,
        requestBytes: 0,
        responseBytes: 80,
        durationMilliseconds: 2,
      },
    ],
  },
  decidedFact({ allowed: false, reason: 'refused-at-edge', method: 'BREW', path: '', userAgent: null }),
  {
    kind: 'authentication',
    attribution: attribution(),
    activity: 'sign-in',
    succeeded: true,
    failureCode: null,
    principalId: ada,
    principalName: 'Ada',
    method: 'password',
    audience: null,
    tokenId: null,
    expiresAt: null,
    detail: {},
  },
  {
    kind: 'authentication',
    attribution: attribution({ chain: [{ kind: 'anonymous', id: 'anonymous', name: 'anonymous' }] }),
    activity: 'token-issue',
    succeeded: false,
    failureCode: 'federation_mismatch',
    principalId: null,
    principalName: null,
    method: 'federated',
    audience: 'https://management.azure.com',
    tokenId: 'uti-2',
    expiresAt: 1_770_000_000,
    detail: { issuer: 'https://ci.example.test' },
  },
  {
    kind: 'request.listed',
    attribution: attribution(),
    surface: 'arm',
    operation: 'Microsoft.Management/managementGroups/read',
    scope: '/',
    asked: [{ action: 'Microsoft.Management/managementGroups/read', looked: 3, allowed: 1 }],
    shown: ['/providers/microsoft.management/managementgroups/m'],
  },
  {
    kind: 'authentication',
    attribution: attribution({ chain: lease.chain, leaseId: lease.id }),
    activity: 'token-renewal',
    succeeded: true,
    failureCode: null,
    principalId: job,
    principalName: 'train',
    method: 'lease-secret',
    audience: 'https://storage.azure.com',
    tokenId: 'uti-3',
    expiresAt: 1_770_000_300,
    detail: { lease: lease.id },
  },
  { kind: 'lifecycle', attribution: attribution(), activity: 'stop', version: '1.0.0', detail: {} },
  {
    kind: 'lifecycle',
    attribution: attribution(),
    activity: 'start',
    version: '1.0.0',
    detail: { pid: '1' },
  },
];

const created = { createdOn: '2026-01-01T00:00:00Z', createdBy: ada };
const workload = { ...principal, kind: 'application', sponsorId: ada } as const;
const group = { ...principal, id: team, kind: 'group', displayName: 'Birds', signInName: null } as const;

/** Changes of a kind that are told in another way than its sample is. */
export const sampleVariants: readonly Change[] = [
  { kind: 'principal.created', principal: workload },
  { kind: 'principal.created', principal: { ...workload, kind: 'managed-identity' } },
  { kind: 'principal.created', principal: { ...workload, kind: 'job', signInName: null } },
  { kind: 'principal.created', principal: group },
  { kind: 'principal.updated', principal, switched: true },
  { kind: 'principal.updated', principal: { ...principal, securityAttributes: { Lab_Level: 3 } } },
  { kind: 'principal.updated', principal: group },
  { kind: 'principal.deleted', id: team, principalKind: 'group' },
  { kind: 'principal.deleted', id: job, principalKind: 'job' },
  { kind: 'group.member-added', group: team, member: ada, memberKind: 'group' },
  { kind: 'group.member-removed', group: team, member: ada, memberKind: 'group' },
  { kind: 'credential.added', principal: ada, credential: { id: 'c', kind: 'password', hint: 'password' } },
  { kind: 'credential.added', principal: team, credential: { id: 'c', kind: 'password', hint: 'password' } },
  {
    kind: 'role-definition.put',
    definition: { ...definition, history: { ...created, updatedOn: created.createdOn, updatedBy: ada } },
  },
  { kind: 'role-assignment.put', assignment: { ...assignment, principalId: team, principalType: 'Group' } },
  { kind: 'role-assignment.put', assignment: { ...assignment, principalType: 'ServicePrincipal' } },
  { kind: 'role-assignment.deleted', assignment },
  { kind: 'resource.put', id: '/subscriptions/s/x', type: 'x', created: false, tags: { team: 'birds' } },
  { kind: 'configuration.changed', previous: null, digest: 'cd'.repeat(32), settings: [] },
];
