import { z } from 'zod';

/** What the shim is told on its standard input: the only place, apart from its memory, where the secret is. */
export const shimSpec = z.strictObject({
  directory: z.string(),
  secret: z.string().min(32),
  leaseId: z.string(),
  clientId: z.string(),
  gateway: z.strictObject({
    /** `https://host:port`. */
    url: z.string(),
    /** PEM of the authority that signed its certificate; null is the system's roots. */
    certificateAuthority: z.string().nullable(),
  }),
  /** How long a token request is held while the gateway is away. */
  holdMilliseconds: z.int().min(0),
  tokenSeconds: z.number().nullable(),
  storageResource: z.string(),
  downloads: z.array(z.strictObject({ url: z.string(), path: z.string() })),
  command: z.string(),
  /** The whole environment of the command, but for the names that the shim adds for its endpoint. */
  variables: z.record(z.string(), z.string()),
  graceMilliseconds: z.int().min(0),
  timeoutMilliseconds: z.number().nullable(),
});

export type ShimSpec = z.infer<typeof shimSpec>;
