import { request } from 'undici';
import { z } from 'zod';
import { isFetchable } from './issuer-address.ts';

const text = z.string().max(8192);

/** One key of an outside key set; members that are not needed are not looked at. RFC 7517 §4. */
const jwkSchema = z.object({
  kty: text,
  kid: text.optional(),
  use: text.optional(),
  alg: text.optional(),
  key_ops: z.array(text).optional(),
  n: text.optional(),
  e: text.optional(),
  crv: text.optional(),
  x: text.optional(),
  y: text.optional(),
});

export type OutsideJwk = z.infer<typeof jwkSchema>;

const discoverySchema = z.object({ issuer: text, jwks_uri: text });
const keySetSchema = z.object({ keys: z.array(jwkSchema).max(200) });

const largestDocument = 512 * 1024;

/**
 * The key set of an issuer by way of its discovery document, which must name the very same issuer and, over https,
 * keep its keys under https. Throws an Error whose message has no secrets. OpenID Connect Discovery 1.0 §4.
 */
export async function fetchIssuerDocuments(
  issuer: string,
  timeoutSeconds: number,
): Promise<readonly OutsideJwk[]> {
  const base = issuer.endsWith('/') ? issuer.slice(0, -1) : issuer;
  const discovery = await fetchJson(
    `${base}/.well-known/openid-configuration`,
    discoverySchema,
    timeoutSeconds,
  );
  if (discovery.issuer !== issuer)
    throw new Error(`its discovery document names another issuer (${discovery.issuer.slice(0, 200)})`);
  const sameSafety = discovery.jwks_uri.startsWith('https:') || issuer.startsWith('http:');
  if (!isFetchable(discovery.jwks_uri) || !sameSafety)
    throw new Error('its key set is not at an https address');
  return (await fetchJson(discovery.jwks_uri, keySetSchema, timeoutSeconds)).keys;
}

/** Redirects are not followed: an issuer answers at its own address or not at all. */
async function fetchJson<T>(url: string, schema: z.ZodType<T>, timeoutSeconds: number): Promise<T> {
  const { statusCode, body } = await request(url, {
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(timeoutSeconds * 1000),
  }).catch((cause: unknown) => {
    throw new Error(`${url} cannot be reached`, { cause });
  });
  if (statusCode !== 200) {
    await body.dump();
    throw new Error(`${url} answered ${statusCode}`);
  }
  const bytes: Buffer[] = [];
  let total = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      total += chunk.byteLength;
      if (total > largestDocument) throw new Error(`${url} answered more than ${largestDocument} bytes`);
      bytes.push(chunk);
    }
  } catch (cause) {
    body.destroy();
    throw cause instanceof Error && total > largestDocument
      ? cause
      : new Error(`${url} broke off its answer`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(bytes).toString('utf8'));
  } catch (cause) {
    throw new Error(`${url} did not answer JSON`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Error(`${url} did not answer in the form of its standard`);
  return parsed.data;
}
