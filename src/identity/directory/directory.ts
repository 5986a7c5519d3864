import type { Clock } from '../../lib/clock.ts';
import type { PrincipalId, Secret, TenantId } from '../../lib/ids.ts';
import type { AttributeValue, Attribution, Change, Commit, Tx } from '../../store/changes.ts';
import type { Store } from '../../store/sqlite.ts';
import * as applications from './applications.ts';
import * as credentials from './credentials.ts';
import * as federated from './federated-credentials.ts';
import * as groups from './groups.ts';
import * as principals from './principals.ts';
import * as users from './users.ts';
import * as workloads from './workloads.ts';

/**
 * Who there is. Every write goes through `commit` with its change in the same transaction; every refusal is a
 * LockstepError (`invalid_request`, `conflict`, `not_found`) that names the field or the object.
 */
export class Directory {
  readonly tenantId: TenantId;
  readonly #parts: principals.DirectoryParts;

  constructor(options: { store: Store; commit: Commit; clock: Clock; tenantId: TenantId }) {
    this.tenantId = options.tenantId;
    this.#parts = { db: options.store.db, commit: options.commit, clock: options.clock };
  }

  createUser(by: Attribution, user: users.NewUser) {
    return users.createUser(this.#parts, by, user);
  }

  setPassword(by: Attribution, id: PrincipalId, password: Secret) {
    return users.setPassword(this.#parts, by, id, password);
  }

  createGroup(by: Attribution, group: groups.NewGroup) {
    return groups.createGroup(this.#parts, by, group);
  }

  addMember(by: Attribution, group: PrincipalId, member: PrincipalId) {
    return groups.addMember(this.#parts, by, group, member);
  }

  removeMember(by: Attribution, group: PrincipalId, member: PrincipalId) {
    return groups.removeMember(this.#parts, by, group, member);
  }

  createApplication(by: Attribution, application: applications.NewApplication) {
    return applications.createApplication(this.#parts, by, application);
  }

  addSecret(by: Attribution, applicationId: PrincipalId, options: { readonly expiresAt?: number } = {}) {
    return credentials.addSecret(this.#parts, by, applicationId, options);
  }

  addCertificate(by: Attribution, applicationId: PrincipalId, pem: string) {
    return credentials.addCertificate(this.#parts, by, applicationId, pem);
  }

  removeCredential(by: Attribution, principalId: PrincipalId, credentialId: string) {
    return credentials.removeCredential(this.#parts, by, principalId, credentialId);
  }

  createManagedIdentity(by: Attribution, identity: workloads.NewManagedIdentity) {
    return workloads.createManagedIdentity(this.#parts, by, identity);
  }

  addFederatedCredential(
    by: Attribution,
    principalId: PrincipalId,
    credential: federated.NewFederatedCredential,
  ) {
    return federated.addFederatedCredential(this.#parts, by, principalId, credential);
  }

  removeFederatedCredential(by: Attribution, principalId: PrincipalId, credentialId: string) {
    return credentials.removeCredential(this.#parts, by, principalId, credentialId);
  }

  /** Within the caller's transaction. */
  createJobPrincipal(tx: Tx, record: (change: Change) => void, job: workloads.NewJobPrincipal) {
    return workloads.createJobPrincipal(tx, record, this.#parts.clock.now(), job);
  }

  setEnabled(by: Attribution, id: PrincipalId, enabled: boolean) {
    return principals.setEnabled(this.#parts, by, id, enabled);
  }

  setSponsor(by: Attribution, id: PrincipalId, sponsorId: PrincipalId) {
    return principals.setSponsor(this.#parts, by, id, sponsorId);
  }

  setSecurityAttributes(
    by: Attribution,
    id: PrincipalId,
    changes: Readonly<Record<string, AttributeValue | null>>,
  ) {
    return principals.setSecurityAttributes(this.#parts, by, id, changes);
  }

  deletePrincipal(by: Attribution, id: PrincipalId) {
    return principals.deletePrincipal(this.#parts, by, id);
  }

  byId(id: string) {
    return principals.findPrincipal(this.#parts.db, id);
  }

  userBySignInName(userPrincipalName: string) {
    return users.userBySignInName(this.#parts, userPrincipalName);
  }

  /** For sign-in alone: what `verifyPassword` takes; null when no password is set. */
  passwordVerifier(userId: PrincipalId) {
    return users.passwordVerifier(this.#parts, userId);
  }

  applicationByAppId(appId: string) {
    return applications.applicationByAppId(this.#parts, appId);
  }

  /** Whatever may authenticate by itself under that client id: an application or a managed identity. */
  workloadByClientId(clientId: string) {
    return workloads.workloadByClientId(this.#parts, clientId);
  }

  secretsOf(applicationId: PrincipalId) {
    return credentials.secretsOf(this.#parts, applicationId);
  }

  certificatesOf(applicationId: PrincipalId) {
    return credentials.certificatesOf(this.#parts, applicationId);
  }

  federatedCredentialsOf(principalId: PrincipalId) {
    return federated.federatedCredentialsOf(this.#parts, principalId);
  }

  listUsers() {
    return users.listUsers(this.#parts);
  }

  listGroups() {
    return groups.listGroups(this.#parts);
  }

  membersOf(group: PrincipalId) {
    return groups.membersOf(this.#parts, group);
  }

  listApplications() {
    return applications.listApplications(this.#parts);
  }
}
