import type { Application } from '../../identity/directory/applications.ts';
import type { StoredCertificate, StoredSecret } from '../../identity/directory/credentials.ts';
import type { FederatedCredential } from '../../identity/directory/federated-credentials.ts';
import type { DirectoryUser } from '../../identity/directory/users.ts';
import type { PrincipalRecord } from '../../store/changes.ts';
import type { Resource } from './odata.ts';

/** learn.microsoft.com/graph/api/resources/user */
export function userResource(user: DirectoryUser): Resource {
  return {
    '@odata.type': '#microsoft.graph.user',
    id: user.id,
    displayName: user.displayName,
    userPrincipalName: user.userPrincipalName,
    mail: user.mail,
    accountEnabled: user.enabled,
    userType: 'Member',
    createdDateTime: new Date(user.createdAt).toISOString(),
  };
}

/** learn.microsoft.com/graph/api/resources/group */
export function groupResource(group: PrincipalRecord): Resource {
  return {
    '@odata.type': '#microsoft.graph.group',
    id: group.id,
    displayName: group.displayName,
    groupTypes: [],
    mailEnabled: false,
    securityEnabled: true,
  };
}

/** learn.microsoft.com/graph/api/resources/application; of a secret only what tells it apart. */
export function applicationResource(
  application: Application,
  secrets: readonly StoredSecret[],
  certificates: readonly StoredCertificate[],
): Resource {
  return {
    '@odata.type': '#microsoft.graph.application',
    id: application.id,
    appId: application.appId,
    displayName: application.displayName,
    signInAudience: 'AzureADMyOrg',
    identifierUris: [],
    isFallbackPublicClient: application.publicClient,
    web: { redirectUris: application.publicClient ? [] : application.redirectUris },
    publicClient: { redirectUris: application.publicClient ? application.redirectUris : [] },
    passwordCredentials: secrets.map((secret) => ({
      keyId: secret.id,
      hint: secret.hint,
      endDateTime: secret.expiresAt === null ? null : new Date(secret.expiresAt).toISOString(),
    })),
    keyCredentials: certificates.map((certificate) => ({
      keyId: certificate.id,
      type: 'AsymmetricX509Cert',
      usage: 'Verify',
      customKeyIdentifier: certificate.thumbprintSha256,
      endDateTime: new Date(certificate.expiresAt).toISOString(),
    })),
    lockstepSponsorId: application.sponsorId,
    createdDateTime: new Date(application.createdAt).toISOString(),
  };
}

/** learn.microsoft.com/graph/api/resources/serviceprincipal: here a workload and its principal are one object. */
export function servicePrincipalResource(workload: PrincipalRecord, tenantId: string): Resource {
  return {
    '@odata.type': '#microsoft.graph.servicePrincipal',
    id: workload.id,
    appId: workload.signInName,
    displayName: workload.displayName,
    accountEnabled: workload.enabled,
    servicePrincipalType: workload.kind === 'managed-identity' ? 'ManagedIdentity' : 'Application',
    servicePrincipalNames: workload.signInName === null ? [] : [workload.signInName],
    appOwnerOrganizationId: tenantId,
    lockstepSponsorId: workload.sponsorId,
  };
}

/** Any principal, as a member of a collection of mixed kinds. */
export function directoryObject(principal: PrincipalRecord, tenantId: string): Resource {
  switch (principal.kind) {
    case 'user':
      return {
        '@odata.type': '#microsoft.graph.user',
        id: principal.id,
        displayName: principal.displayName,
        userPrincipalName: principal.signInName,
        accountEnabled: principal.enabled,
      };
    case 'group':
      return groupResource(principal);
    case 'application':
    case 'managed-identity':
    case 'job':
      return servicePrincipalResource(principal, tenantId);
  }
}

/**
 * learn.microsoft.com/graph/api/resources/federatedidentitycredential, and two members of our own: `lockstepClaims`,
 * a value or `{ pattern }` per claim, and `lockstepAssertionUse`.
 */
export function federatedCredentialResource(credential: FederatedCredential): Resource {
  const { match } = credential;
  return {
    id: credential.id,
    name: credential.name,
    issuer: credential.issuer,
    audiences: [credential.audience],
    description: credential.description,
    subject: match.kind === 'subject' ? match.subject : null,
    claimsMatchingExpression:
      match.kind === 'expression' ? { value: match.value, languageVersion: match.languageVersion } : null,
    lockstepClaims: match.kind === 'claims' ? match.claims : null,
    lockstepAssertionUse: credential.assertionUse,
  };
}
