import type { RequestHead } from '../types.ts';

/** By these names clients tell what a request belongs to: Entra ID and Graph, the resource manager, Azure's SDKs. */
const names = ['client-request-id', 'x-ms-correlation-request-id', 'x-ms-client-request-id'] as const;

/**
 * The id by which the caller's own log, and Entra's (`correlationId`), can be joined to ours; null when there is none, or
 * something that no client sends. It is the caller's word: it is recorded, and nothing rests on it.
 * What could be anything but an id the log binds and does not hold, so that it can be erased.
 */
export function correlationOf({ headers, rawQuery, query }: RequestHead): string | null {
  for (const name of names) {
    const id = wellFormed(headers[name]);
    if (id !== null) return id;
  }
  // Browsers on their way to sign in carry it in the address.
  return rawQuery.includes('client-request-id=') ? wellFormed(query.get('client-request-id')) : null;
}

/** GUIDs are compared without regard to case, so they are kept in one. */
function wellFormed(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  if (guid.test(value)) return value.toLowerCase();
  return plain.test(value) ? value : null;
}

const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Of printable ASCII what ids and addresses are written in: nothing that could be structure, or a sentence. */
const plain = /^[\w.:@|+=/~-]{1,128}$/;
