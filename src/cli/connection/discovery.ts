import { z } from 'zod';

/** What a server says of itself to anyone: GET /lockstep/v1/discovery. */
export const discoverySchema = z.object({
  product: z.literal('lockstep'),
  version: z.string(),
  publicUrl: z.string(),
  tenantId: z.string(),
  issuer: z.string(),
  cliClientId: z.string(),
  /** Scope of the workspace that commands use by default. */
  workspaceId: z.string(),
  storageAccountId: z.string(),
  /** Audience of each surface's tokens. */
  resources: z.object({ admin: z.string(), arm: z.string(), directory: z.string(), storage: z.string() }),
  ledger: z.object({
    verifierKey: z.string(),
    /** Of servers since keys can be exchanged. */
    verifierKeys: z.array(z.string()).optional(),
    path: z.string(),
  }),
});

export type Discovery = z.infer<typeof discoverySchema>;
