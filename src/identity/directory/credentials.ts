import { X509Certificate } from 'node:crypto';
import { failure } from '../../lib/errors.ts';
import { newGuid, newSecret, type PrincipalId, type Secret } from '../../lib/ids.ts';
import type { Attribution, CredentialRecord, Tx } from '../../store/changes.ts';
import { hashPassword } from '../signin/passwords.ts';
import { requirePrincipal, type DirectoryParts } from './principals.ts';

/** A stored client secret; `hint` is its first characters, `verifier` what `verifyPassword` takes. */
export interface StoredSecret {
  readonly id: string;
  readonly hint: string;
  readonly verifier: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | null;
}

export interface StoredCertificate {
  readonly id: string;
  readonly pem: string;
  /** SHA-1 and SHA-256 of the certificate, base64url: `x5t` and `x5t#S256` of RFC 7515. */
  readonly thumbprintSha1: string;
  readonly thumbprintSha256: string;
  readonly expiresAt: number;
}

/** Each presented secret is compared with those of the same hint, so a few suffice to bound the work. */
const mostPerKind = 20;
const hintLength = 3;

export function secretHint(secret: string): string {
  return secret.slice(0, hintLength);
}

/** A new client secret of 256 bits. It is returned once and kept as a scrypt verifier only. */
export async function addSecret(
  parts: DirectoryParts,
  by: Attribution,
  applicationId: PrincipalId,
  options: { readonly expiresAt?: number } = {},
): Promise<{ id: string; secret: Secret }> {
  if (options.expiresAt !== undefined && options.expiresAt <= parts.clock.now())
    throw failure('invalid_request', 'expiresAt lies in the past.', { field: 'expiresAt' });
  const id = newGuid();
  const secret = newSecret();
  const verifier = await hashPassword(secret);
  const hint = secretHint(secret);
  await parts.commit(by, async (tx, record) => {
    const application = await requirePrincipal(tx, applicationId, ['application']);
    await requireRoom(tx, application.id, 'secret');
    await tx
      .insertInto('application_credentials')
      .values({
        id,
        principal_id: application.id,
        kind: 'secret',
        verifier,
        hint,
        thumbprint_sha1: null,
        thumbprint_sha256: null,
        created_at: parts.clock.now(),
        expires_at: options.expiresAt ?? null,
      })
      .execute();
    record({ kind: 'credential.added', principal: application.id, credential: { id, kind: 'secret', hint } });
  });
  return { id, secret };
}

/** Registers a certificate (PEM, RSA of at least 2048 bits, not expired) whose key signs client assertions. */
export async function addCertificate(
  parts: DirectoryParts,
  by: Attribution,
  applicationId: PrincipalId,
  pem: string,
): Promise<CredentialRecord> {
  const certificate = readCertificate(pem, parts.clock.now());
  const hint = certificate.thumbprintSha256;
  const credential = { id: certificate.id, kind: 'certificate', hint } as const;
  await parts.commit(by, async (tx, record) => {
    const application = await requirePrincipal(tx, applicationId, ['application']);
    await requireRoom(tx, application.id, 'certificate');
    const taken = await tx
      .selectFrom('application_credentials')
      .select('id')
      .where('principal_id', '=', application.id)
      .where('thumbprint_sha256', '=', certificate.thumbprintSha256)
      .executeTakeFirst();
    if (taken !== undefined) throw failure('conflict', 'This certificate is registered already.');
    await tx
      .insertInto('application_credentials')
      .values({
        id: certificate.id,
        principal_id: application.id,
        kind: 'certificate',
        verifier: certificate.pem,
        hint,
        thumbprint_sha1: certificate.thumbprintSha1,
        thumbprint_sha256: certificate.thumbprintSha256,
        created_at: parts.clock.now(),
        expires_at: certificate.expiresAt,
      })
      .execute();
    record({ kind: 'credential.added', principal: application.id, credential });
  });
  return credential;
}

/** Removes a secret, certificate or federated credential. Throws `not_found`. */
export async function removeCredential(
  parts: DirectoryParts,
  by: Attribution,
  principalId: PrincipalId,
  credentialId: string,
): Promise<void> {
  await parts.commit(by, async (tx, record) => {
    const principal = await requirePrincipal(tx, principalId);
    const own = await tx
      .deleteFrom('application_credentials')
      .where('principal_id', '=', principal.id)
      .where('id', '=', credentialId)
      .returning(['kind', 'hint'])
      .executeTakeFirst();
    const federated =
      own !== undefined
        ? undefined
        : await tx
            .deleteFrom('federated_credentials')
            .where('principal_id', '=', principal.id)
            .where('id', '=', credentialId)
            .returning('name')
            .executeTakeFirst();
    const removed = own ?? (federated && { kind: 'federated' as const, hint: federated.name });
    if (removed === undefined)
      throw failure('not_found', `${principal.displayName} has no credential ${credentialId}.`);
    const credential = { id: credentialId, kind: removed.kind, hint: removed.hint };
    record({ kind: 'credential.removed', principal: principal.id, credential });
  });
}

export async function secretsOf(parts: DirectoryParts, id: PrincipalId): Promise<StoredSecret[]> {
  const rows = await parts.db
    .selectFrom('application_credentials')
    .select(['id', 'hint', 'verifier', 'expires_at'])
    .where('principal_id', '=', id)
    .where('kind', '=', 'secret')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    hint: row.hint,
    verifier: row.verifier,
    expiresAt: row.expires_at,
  }));
}

export async function certificatesOf(parts: DirectoryParts, id: PrincipalId): Promise<StoredCertificate[]> {
  const rows = await parts.db
    .selectFrom('application_credentials')
    .select(['id', 'verifier', 'thumbprint_sha1', 'thumbprint_sha256', 'expires_at'])
    .where('principal_id', '=', id)
    .where('kind', '=', 'certificate')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    pem: row.verifier,
    thumbprintSha1: row.thumbprint_sha1 ?? '',
    thumbprintSha256: row.thumbprint_sha256 ?? '',
    expiresAt: row.expires_at ?? 0,
  }));
}

async function requireRoom(tx: Tx, id: PrincipalId, kind: 'secret' | 'certificate'): Promise<void> {
  const { count } = await tx
    .selectFrom('application_credentials')
    .select((expression) => expression.fn.countAll<number>().as('count'))
    .where('principal_id', '=', id)
    .where('kind', '=', kind)
    .executeTakeFirstOrThrow();
  if (count >= mostPerKind)
    throw failure('conflict', `An application has at most ${mostPerKind} of kind ${kind}; remove one first.`);
}

function readCertificate(pem: string, now: number): StoredCertificate {
  const certificate = parsed(pem);
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
  if (asymmetricKeyType !== 'rsa' || (asymmetricKeyDetails?.modulusLength ?? 0) < 2048)
    throw failure('invalid_request', 'The certificate must carry an RSA key of at least 2048 bits.');
  const expiresAt = certificate.validToDate.getTime();
  if (expiresAt <= now) throw failure('invalid_request', 'The certificate has expired.');
  const thumbprint = (hex: string) => Buffer.from(hex.replaceAll(':', ''), 'hex').toString('base64url');
  return {
    id: newGuid(),
    pem: certificate.toString(),
    thumbprintSha1: thumbprint(certificate.fingerprint),
    thumbprintSha256: thumbprint(certificate.fingerprint256),
    expiresAt,
  };
}

function parsed(pem: string): X509Certificate {
  if (pem.includes('PRIVATE KEY'))
    throw failure('invalid_request', 'Send the certificate alone; the private key stays with the client.');
  try {
    return new X509Certificate(pem);
  } catch {
    throw failure('invalid_request', 'The certificate is not a PEM certificate.');
  }
}
