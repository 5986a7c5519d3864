import { z } from 'zod';

export const secretReference = z
  .union([z.strictObject({ file: z.string() }), z.strictObject({ env: z.string() })], {
    error: 'a secret is given by reference, { "file": path } or { "env": name }.',
  })
  .describe('A secret by reference: { "file": path } or { "env": name }. Never the secret itself.');
