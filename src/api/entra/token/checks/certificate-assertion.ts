// RFC 7523 §3: signed by a registered certificate's key, about the client itself, for this endpoint, for a short time.
import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import type { StoredCertificate } from '../../../../identity/directory/credentials.ts';
import type { Workload } from '../../../../identity/directory/workloads.ts';
import { readAssertion, requireTimes } from '../../../../identity/federation/outside-token.ts';
import { rsaSignatureFits } from '../../../../identity/tokens/rsa-signature.ts';
import { epochSeconds } from '../../../../lib/clock.ts';
import { issuerOf } from '../../discovery.ts';
import { refusal } from '../../errors.ts';
import type { TokenParts } from '../endpoint.ts';
import type { Proof, TokenRequestForm } from '../request.ts';

/** MSAL asks for 10 minutes; older clients of azure-identity for 30. */
const longestLifeSeconds = 1800;

/** A key or certificate that the assertion brings along (`x5c`, `jwk`, …) is never looked at. RFC 8725 §3.10. */
const headerSchema = z
  .object({
    alg: z.enum(['RS256', 'PS256']),
    x5t: z.string().min(27).max(28).optional(),
    'x5t#S256': z.string().min(43).max(44).optional(),
  })
  .refine((header) => header.x5t !== undefined || header['x5t#S256'] !== undefined);

/**
 * Throws AADSTS700027 (certificate unknown, expired, or another signature), 700021 (not about the client), 700023
 * (for another endpoint) or 700024 (not in its time). The same assertion may come again until it expires: MSAL
 * sends one assertion for every token that it asks for within ten minutes.
 */
export async function certificateAssertion(
  parts: TokenParts,
  request: TokenRequestForm,
  client: Workload,
  assertion: string,
): Promise<Proof> {
  const { claims, audience, header } = readAssertion(assertion, { needsKid: false });
  const { alg, certificate } = await registered(parts, client, header);
  requireSignature(assertion, alg, certificate);
  if (claims.iss.toLowerCase() !== client.clientId || claims.sub.toLowerCase() !== client.clientId)
    throw refusal('invalid_client', 700_021, 'The assertion must name the client id as issuer and subject.');
  if (!endpointsOf(parts, request).includes(audience))
    throw refusal(
      'invalid_client',
      700_023,
      `The assertion is for ${JSON.stringify(audience.slice(0, 200))}; its audience must be ${endpointsOf(parts, request)[0]}.`,
    );
  if (claims.jti === undefined)
    throw refusal('invalid_client', 50_027, 'The assertion must have a "jti" of its own.');
  requireTimes(claims, epochSeconds(parts.clock), longestLifeSeconds);
  return {
    method: 'certificate',
    appidacr: '2',
    ciRun: null,
    detail: {
      credential: certificate.id,
      thumbprint: certificate.thumbprintSha256,
      jti: claims.jti.slice(0, 200),
    },
    spend: null,
  };
}

async function registered(parts: TokenParts, client: Workload, header: unknown) {
  const parsed = headerSchema.safeParse(header);
  if (!parsed.success)
    throw refusal(
      'invalid_client',
      700_027,
      'The assertion needs "alg" RS256 or PS256 and the thumbprint of its certificate as "x5t" or "x5t#S256".',
    );
  const sha256 = withoutPadding(parsed.data['x5t#S256']);
  const sha1 = withoutPadding(parsed.data.x5t);
  const found = (await parts.directory.certificatesOf(client.id)).find(
    (each) =>
      (sha256 === undefined || each.thumbprintSha256 === sha256) &&
      (sha1 === undefined || each.thumbprintSha1 === sha1),
  );
  if (found === undefined)
    throw refusal(
      'invalid_client',
      700_027,
      `No certificate of this client has the thumbprint ${JSON.stringify(sha256 ?? sha1)}.`,
    );
  if (found.expiresAt <= parts.clock.now())
    throw refusal('invalid_client', 700_027, 'The certificate has expired; register its successor.');
  return { alg: parsed.data.alg, certificate: found };
}

function requireSignature(assertion: string, alg: 'RS256' | 'PS256', certificate: StoredCertificate): void {
  const end = assertion.lastIndexOf('.');
  const key = new X509Certificate(certificate.pem).publicKey;
  const signature = Buffer.from(assertion.slice(end + 1), 'base64url');
  if (!rsaSignatureFits(alg, Buffer.from(assertion.slice(0, end)), key, signature))
    throw refusal('invalid_client', 700_027, "The assertion was not signed with the certificate's key.");
}

/** The spellings of this endpoint that clients use: by tenant id or as called, and the issuer (RFC 7523bis). */
function endpointsOf(parts: TokenParts, { exchange }: TokenRequestForm): string[] {
  const called = exchange.head.path.split('/')[1] ?? '';
  const tenants = [parts.tenantId, ...(called === parts.tenantId ? [] : [called])];
  return [
    ...tenants.flatMap((tenant) => [
      `${parts.publicUrl}/${tenant}/oauth2/v2.0/token`,
      `${parts.publicUrl}/${tenant}/oauth2/token`,
    ]),
    issuerOf(parts),
  ];
}

function withoutPadding(text: string | undefined): string | undefined {
  return text?.replace(/=+$/, '');
}
