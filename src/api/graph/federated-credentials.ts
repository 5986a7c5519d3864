import { z } from 'zod';
import type { FederatedCredential } from '../../identity/directory/federated-credentials.ts';
import type { FederatedMatch } from '../../identity/federation/match.ts';
import { failure } from '../../lib/errors.ts';
import type { Route } from '../../gateway/routes.ts';
import { ownAction } from '../own-actions.ts';
import { requirePowerOver } from '../power-over.ts';
import { created, noContent, one, page } from './odata.ts';
import { federatedCredentialResource } from './objects.ts';
import { jsonBody, noBody, notThere, principalOf, type GraphParts } from './parts.ts';

const newCredential = z.strictObject({
  name: z.string(),
  issuer: z.string(),
  audiences: z.array(z.string()).length(1, 'must hold exactly one audience'),
  description: z.string().nullish(),
  subject: z.string().nullish(),
  claimsMatchingExpression: z.object({ value: z.string(), languageVersion: z.literal(1) }).nullish(),
  lockstepClaims: z
    .record(z.string(), z.union([z.string(), z.strictObject({ pattern: z.string() })]))
    .nullish(),
  lockstepAssertionUse: z.enum(['once', 'reusable']).optional(),
});

const collection = '/v1.0/applications/:id/federatedIdentityCredentials';

/** learn.microsoft.com/graph/api/resources/federatedidentitycredentials-overview */
export function federatedCredentialRoutes(parts: GraphParts): Route[] {
  const { directory } = parts;
  return [
    {
      method: 'GET',
      path: collection,
      effect: 'read',
      body: noBody,
      guard: () => ownAction('federatedCredentials/read'),
      async serve(exchange, { id = '' }) {
        const application = await principalOf(parts, id, ['application', 'managed-identity']);
        const all = await directory.federatedCredentialsOf(application.id);
        return page(exchange, all.map(federatedCredentialResource));
      },
    },
    {
      method: 'POST',
      path: collection,
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('federatedCredentials/write'),
      async serve(exchange, { id = '' }) {
        const wanted = exchange.json(newCredential);
        const application = await principalOf(parts, id, ['application', 'managed-identity']);
        await requirePowerOver(exchange, parts.snapshot, application.id);
        const { warnings, ...credential } = await directory.addFederatedCredential(
          exchange.attribution,
          application.id,
          {
            name: wanted.name,
            issuer: wanted.issuer,
            audience: wanted.audiences[0] ?? '',
            match: matchOf(wanted),
            ...(wanted.description ? { description: wanted.description } : {}),
            ...(wanted.lockstepAssertionUse === undefined
              ? {}
              : { assertionUse: wanted.lockstepAssertionUse }),
          },
        );
        return created({ ...federatedCredentialResource(credential), lockstepWarnings: warnings });
      },
    },
    {
      method: 'GET',
      path: `${collection}/:key`,
      effect: 'read',
      body: noBody,
      guard: () => ownAction('federatedCredentials/read'),
      async serve(exchange, { id = '', key = '' }) {
        const { credential } = await credentialOf(parts, id, key);
        return one(exchange, federatedCredentialResource(credential));
      },
    },
    {
      method: 'DELETE',
      path: `${collection}/:key`,
      effect: 'change',
      body: noBody,
      guard: () => ownAction('federatedCredentials/delete'),
      async serve(exchange, { id = '', key = '' }) {
        const { application, credential } = await credentialOf(parts, id, key);
        await directory.removeFederatedCredential(exchange.attribution, application.id, credential.id);
        return noContent;
      },
    },
  ];
}

function matchOf(wanted: z.infer<typeof newCredential>): FederatedMatch {
  const { subject, claimsMatchingExpression, lockstepClaims } = wanted;
  const given = [subject, claimsMatchingExpression, lockstepClaims].filter(
    (form) => form !== null && form !== undefined,
  );
  if (given.length === 1) {
    if (subject) return { kind: 'subject', subject };
    if (claimsMatchingExpression) return { kind: 'expression', ...claimsMatchingExpression };
    if (lockstepClaims) return { kind: 'claims', claims: lockstepClaims };
  }
  throw failure(
    'invalid_request',
    'Say what tokens must match by exactly one of subject, claimsMatchingExpression and lockstepClaims.',
  );
}

/** By id or by name. Throws `not_found`. */
async function credentialOf(parts: GraphParts, id: string, key: string) {
  const application = await principalOf(parts, id, ['application', 'managed-identity']);
  const all: readonly FederatedCredential[] = await parts.directory.federatedCredentialsOf(application.id);
  const credential = all.find((one) => one.id === key.toLowerCase() || one.name === key);
  if (credential === undefined) throw notThere('federated credential', key);
  return { application, credential };
}
