import { z } from 'zod';
import type { StandardError } from './dialect.ts';

const errorBody = z.object({ error: z.string(), error_description: z.string().optional() });
const tokenBody = z.object({ refresh_token: z.string().optional(), id_token: z.string().optional() });

/** An error response of the library; one that cannot be read is a fault of the server. */
export function parseStandardError(body: string): StandardError {
  const parsed = errorBody.safeParse(jsonOf(body));
  if (!parsed.success) return { error: 'server_error', description: undefined };
  return { error: parsed.data.error, description: parsed.data.error_description };
}

/** What is kept of a token response of the library. */
export function parseTokens(body: string): { refreshToken: string | undefined; idToken: string | undefined } {
  const { refresh_token: refreshToken, id_token: idToken } = tokenBody.parse(jsonOf(body));
  return { refreshToken, idToken };
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
