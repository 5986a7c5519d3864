import { z } from 'zod';
import type { Application } from '../../identity/directory/applications.ts';
import { failure } from '../../lib/errors.ts';
import type { PrincipalId } from '../../lib/ids.ts';
import type { Route } from '../../gateway/routes.ts';
import type { Caller } from '../../identity/caller.ts';
import { ownAction } from '../own-actions.ts';
import { requirePowerOver, requirePowerOverEveryone, requirePowerToDelete } from '../power-over.ts';
import { created, noContent, ok, one, page } from './odata.ts';
import { applicationResource, servicePrincipalResource } from './objects.ts';
import { callerOf, jsonBody, noBody, notThere, principalOf, type GraphParts } from './parts.ts';
import {
  changesOf,
  requireToSetAttributes,
  securityAttributesPatch,
  withSecurityAttributes,
} from './security-attributes.ts';

const redirects = z.object({ redirectUris: z.array(z.string()).max(100) });
const newApplication = z.strictObject({
  signInAudience: z.literal('AzureADMyOrg').optional(),
  displayName: z.string(),
  web: redirects.optional(),
  publicClient: redirects.optional(),
  isFallbackPublicClient: z.boolean().optional(),
  lockstepSponsorId: z.guid().optional(),
  lockstepAccessTokenSeconds: z.int().optional(),
});
/** `key` is the certificate, DER in base64; `proof` is Graph's, and not needed here: the right to write applications is. */
const newKey = z.strictObject({
  keyCredential: z.strictObject({
    type: z.literal('AsymmetricX509Cert'),
    usage: z.literal('Verify'),
    key: z.base64().max(16_384),
    displayName: z.string().nullish(),
  }),
  passwordCredential: z.null().optional(),
  proof: z.string().optional(),
});
const newPassword = z.object({
  passwordCredential: z
    .object({ displayName: z.string().nullish(), endDateTime: z.iso.datetime({ offset: true }).nullish() })
    .nullish(),
});

const servicePrincipalPatch = z.strictObject({
  accountEnabled: z.boolean().optional(),
  customSecurityAttributes: securityAttributesPatch.optional(),
});

/** learn.microsoft.com/graph/api/resources/application and …/serviceprincipal */
export function applicationRoutes(parts: GraphParts): Route[] {
  const { directory, tenantId } = parts;
  return [
    {
      method: 'GET',
      path: '/v1.0/applications',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('applications/read'),
      async serve(exchange) {
        const all = await directory.listApplications();
        return page(exchange, await Promise.all(all.map((application) => shown(parts, application))));
      },
    },
    {
      method: 'POST',
      path: '/v1.0/applications',
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('applications/write'),
      async serve(exchange) {
        const wanted = exchange.json(newApplication);
        const isPublic =
          wanted.isFallbackPublicClient === true || (wanted.publicClient?.redirectUris.length ?? 0) > 0;
        const redirectUris = [
          ...(wanted.web?.redirectUris ?? []),
          ...(wanted.publicClient?.redirectUris ?? []),
        ];
        if (!redirectUris.every(staysOnTheirMachine)) await requirePowerOverEveryone(exchange);
        const principal = await directory.createApplication(exchange.attribution, {
          displayName: wanted.displayName,
          sponsorId: sponsorFor(callerOf(exchange), wanted.lockstepSponsorId),
          redirectUris,
          publicClient: isPublic,
          ...(wanted.lockstepAccessTokenSeconds === undefined
            ? {}
            : { accessTokenSeconds: wanted.lockstepAccessTokenSeconds }),
        });
        return created(await shown(parts, await applicationOf(parts, principal.id)));
      },
    },
    {
      method: 'GET',
      path: '/v1.0/applications/:id',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('applications/read'),
      serve: async (exchange, { id = '' }) =>
        one(exchange, await shown(parts, await applicationOf(parts, id))),
    },
    {
      method: 'DELETE',
      path: '/v1.0/applications/:id',
      effect: 'change',
      body: noBody,
      guard: () => ownAction('applications/delete'),
      async serve(exchange, { id = '' }) {
        const application = await principalOf(parts, id, ['application']);
        await requirePowerToDelete(exchange, parts.snapshot, application.id);
        await directory.deletePrincipal(exchange.attribution, application.id);
        return noContent;
      },
    },
    {
      method: 'POST',
      path: '/v1.0/applications/:id/addPassword',
      operation: 'Lockstep.Access/applications/addPassword',
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('applications/write'),
      async serve(exchange, { id = '' }) {
        const { passwordCredential } = exchange.json(newPassword);
        const application = await principalOf(parts, id, ['application']);
        await requirePowerOver(exchange, parts.snapshot, application.id);
        const end = passwordCredential?.endDateTime ?? null;
        const { id: keyId, secret } = await directory.addSecret(
          exchange.attribution,
          application.id,
          end === null ? {} : { expiresAt: Date.parse(end) },
        );
        // The only time that the secret is shown.
        return ok({ keyId, secretText: secret, hint: secret.slice(0, 3), endDateTime: end });
      },
    },
    {
      method: 'POST',
      path: '/v1.0/applications/:id/removePassword',
      operation: 'Lockstep.Access/applications/removePassword',
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('applications/write'),
      async serve(exchange, { id = '' }) {
        const { keyId } = exchange.json(z.object({ keyId: z.guid() }));
        const application = await principalOf(parts, id, ['application']);
        const secrets = await directory.secretsOf(application.id);
        if (!secrets.some((secret) => secret.id === keyId.toLowerCase()))
          throw notThere('password credential', keyId);
        await directory.removeCredential(exchange.attribution, application.id, keyId.toLowerCase());
        return noContent;
      },
    },
    {
      method: 'POST',
      path: '/v1.0/applications/:id/addKey',
      operation: 'Lockstep.Access/applications/addKey',
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('applications/write'),
      async serve(exchange, { id = '' }) {
        const { keyCredential } = exchange.json(newKey);
        const application = await principalOf(parts, id, ['application']);
        await requirePowerOver(exchange, parts.snapshot, application.id);
        const added = await directory.addCertificate(
          exchange.attribution,
          application.id,
          pemOf(keyCredential.key),
        );
        return ok({
          keyId: added.id,
          type: 'AsymmetricX509Cert',
          usage: 'Verify',
          customKeyIdentifier: added.hint,
        });
      },
    },
    {
      method: 'POST',
      path: '/v1.0/applications/:id/removeKey',
      operation: 'Lockstep.Access/applications/removeKey',
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('applications/write'),
      async serve(exchange, { id = '' }) {
        const { keyId } = exchange.json(z.strictObject({ keyId: z.guid(), proof: z.string().optional() }));
        const application = await principalOf(parts, id, ['application']);
        const certificates = await directory.certificatesOf(application.id);
        if (!certificates.some((certificate) => certificate.id === keyId.toLowerCase()))
          throw notThere('key credential', keyId);
        await directory.removeCredential(exchange.attribution, application.id, keyId.toLowerCase());
        return noContent;
      },
    },
    {
      method: 'GET',
      path: '/v1.0/servicePrincipals',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('applications/read'),
      async serve(exchange) {
        const all = await directory.listApplications();
        return page(
          exchange,
          all.map((application) => servicePrincipalResource(application, tenantId)),
        );
      },
    },
    {
      method: 'GET',
      path: '/v1.0/servicePrincipals/:id',
      effect: 'read',
      body: noBody,
      guard: () => ownAction('applications/read'),
      async serve(exchange, { id = '' }) {
        const workload = await principalOf(parts, id, ['application', 'managed-identity', 'job']);
        const resource = servicePrincipalResource(workload, tenantId);
        return one(exchange, await withSecurityAttributes(exchange, resource, workload));
      },
    },
    {
      method: 'PATCH',
      path: '/v1.0/servicePrincipals/:id',
      effect: 'change',
      body: jsonBody(parts),
      guard: () => ownAction('applications/write'),
      async serve(exchange, { id = '' }) {
        const { accountEnabled, customSecurityAttributes } = exchange.json(servicePrincipalPatch);
        const workload = await principalOf(parts, id, ['application', 'managed-identity']);
        const attributes = changesOf(customSecurityAttributes ?? {});
        if (customSecurityAttributes) await requireToSetAttributes(exchange);
        if (accountEnabled) await requirePowerOver(exchange, parts.snapshot, workload.id);
        if (accountEnabled !== undefined) {
          await directory.setEnabled(exchange.attribution, workload.id, accountEnabled);
        }
        if (customSecurityAttributes) {
          await directory.setSecurityAttributes(exchange.attribution, workload.id, attributes);
        }
        return noContent;
      },
    },
  ];
}

/** Whoever is named, else the person who asks: a workload cannot answer for another. */
function sponsorFor(caller: Caller, named: string | undefined): PrincipalId {
  if (named !== undefined) return named.toLowerCase() as PrincipalId;
  const first = caller.chain.find((link) => link.kind === 'user');
  if (first === undefined) {
    throw failure('invalid_request', 'Name the person who answers for the application in lockstepSponsorId.');
  }
  return first.id as PrincipalId;
}

/** What returns to the loopback interface reaches a program of the person who signs in, and nobody else. */
function staysOnTheirMachine(redirectUri: string): boolean {
  return /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?:[/?]|$)/.test(redirectUri);
}

async function applicationOf(parts: GraphParts, id: string): Promise<Application> {
  const principal = await principalOf(parts, id, ['application']);
  const application = await parts.directory.applicationByAppId(principal.signInName ?? '');
  if (application === null) throw notThere('application', id);
  return application;
}

async function shown({ directory }: GraphParts, application: Application) {
  return applicationResource(
    application,
    await directory.secretsOf(application.id),
    await directory.certificatesOf(application.id),
  );
}

/** RFC 7468 §5. */
function pemOf(base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
