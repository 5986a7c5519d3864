import { canonicalJson } from '../../lib/canonical-json.ts';
import { failure } from '../../lib/errors.ts';
import { newGuid, type PrincipalId } from '../../lib/ids.ts';
import type { Attribution } from '../../store/changes.ts';
import { issuerAddressOf } from '../federation/issuer-address.ts';
import { lintConditions } from '../federation/lint.ts';
import { conditionsOf, federatedMatchSchema, type FederatedMatch } from '../federation/match.ts';
import { credentialNameOf, displayNameOf, invalid } from './names.ts';
import { requirePrincipal, type DirectoryParts } from './principals.ts';

export interface NewFederatedCredential {
  readonly name: string;
  /** Exactly as the outside tokens spell `iss`. */
  readonly issuer: string;
  /** Exactly as they spell `aud`; Entra's custom is `api://AzureADTokenExchange`. */
  readonly audience: string;
  readonly match: FederatedMatch;
  /** Whether one outside token may be exchanged once (the default) or until it expires. */
  readonly assertionUse?: 'once' | 'reusable';
  readonly description?: string;
}

export interface FederatedCredential {
  readonly id: string;
  readonly name: string;
  readonly issuer: string;
  readonly audience: string;
  readonly match: FederatedMatch;
  readonly assertionUse: 'once' | 'reusable';
  readonly description: string;
}

/** Adds a federated credential; `warnings` say where it is wider than it looks. Throws `invalid_request`. */
export async function addFederatedCredential(
  parts: DirectoryParts,
  by: Attribution,
  principalId: PrincipalId,
  wanted: NewFederatedCredential,
): Promise<FederatedCredential & { readonly warnings: readonly string[] }> {
  const parsed = federatedMatchSchema.safeParse(wanted.match);
  if (!parsed.success) throw invalid('match', 'is not of kind subject, claims or expression');
  const warnings = lintConditions(conditionsOf(parsed.data));
  if (wanted.audience === '' || wanted.audience.length > 600)
    throw invalid('audience', 'has 1 to 600 characters');
  const credential: FederatedCredential = {
    id: newGuid(),
    name: credentialNameOf(wanted.name),
    issuer: issuerAddressOf(wanted.issuer),
    audience: wanted.audience,
    match: parsed.data,
    assertionUse: wanted.assertionUse ?? 'once',
    description: wanted.description === undefined ? '' : displayNameOf(wanted.description, 'description'),
  };
  await parts.commit(by, async (tx, record) => {
    const principal = await requirePrincipal(tx, principalId, ['application', 'managed-identity']);
    const taken = await tx
      .selectFrom('federated_credentials')
      .select('id')
      .where('principal_id', '=', principal.id)
      .where('name', '=', credential.name)
      .executeTakeFirst();
    if (taken !== undefined)
      throw failure('conflict', `${principal.displayName} has a federated credential ${credential.name}.`);
    await tx
      .insertInto('federated_credentials')
      .values({
        id: credential.id,
        principal_id: principal.id,
        name: credential.name,
        description: credential.description,
        issuer: credential.issuer,
        audience: credential.audience,
        match_json: canonicalJson(credential.match),
        assertion_use: credential.assertionUse,
        created_at: parts.clock.now(),
      })
      .execute();
    record({
      kind: 'credential.added',
      principal: principal.id,
      credential: { id: credential.id, kind: 'federated', hint: credential.name },
    });
  });
  return { ...credential, warnings };
}

export async function federatedCredentialsOf(
  parts: DirectoryParts,
  id: PrincipalId,
): Promise<FederatedCredential[]> {
  const rows = await parts.db
    .selectFrom('federated_credentials')
    .selectAll()
    .where('principal_id', '=', id)
    .orderBy('name')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    issuer: row.issuer,
    audience: row.audience,
    match: federatedMatchSchema.parse(JSON.parse(row.match_json)),
    assertionUse: row.assertion_use,
    description: row.description,
  }));
}
