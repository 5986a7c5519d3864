import { z } from 'zod';
import type { DecidedFacts, LedgerEvent } from './event-log.ts';

const asked = z.object({
  http_request: z.object({
    http_method: z.string().optional(),
    url: z.object({ path: z.string() }).optional(),
  }),
});

export interface UndescribedRequest {
  readonly method: string;
  /** Null once it has been erased. */
  readonly path: string | null;
  /** `web:grafana`, `arm`: what was asked. */
  readonly surface: string;
  readonly advice: string;
}

/** What a request was that no route or rule describes, and how it could come to be described. */
export function undescribedRequest(
  { surface, method }: DecidedFacts,
  event: LedgerEvent,
): UndescribedRequest {
  const { http_method: known, url } = asked.safeParse(event).data?.http_request ?? {};
  return {
    method: known ?? method ?? '',
    path: url?.path ?? null,
    surface,
    advice: `${adviceOf(surface)} No role changes that.`,
  };
}

function adviceOf(surface: string): string {
  const at = surface.indexOf(':');
  const [kind, name] = at < 0 ? [surface, null] : [surface.slice(0, at), surface.slice(at + 1)];
  if (name === null) return 'Nothing here describes this method and path, so it is denied to everybody.';
  return kind === 'web'
    ? `No rule of the connection ${name} lists this method and path, so it is denied to everybody: a rule in connections.${name}.rules would describe it.`
    : `The kind of the connection ${name} (${kind}) does not know this method and path, so it is denied to everybody.`;
}
