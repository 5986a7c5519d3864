import type { Cut } from '../live-sessions.ts';

/** What a close frame says: RFC 6455 §7.4. */
export interface Closing {
  /** Null for a frame without a code. */
  readonly code: number | null;
  readonly reason: string;
}

const mostReasonBytes = 123;

/**
 * The close frames of a session that Lockstep ends, a matter of policy unless the process stops. The upstream then sees
 * it go away (1001). A client is told of a restart (1012 in IANA's registry), for which it should come back: JupyterLab
 * takes 1001 for a last goodbye.
 */
export function closingsOfCut({ reason, detail }: Pick<Cut, 'reason' | 'detail'>): {
  readonly client: Closing;
  readonly upstream: Closing;
} {
  if (reason === 'draining') return { client: { code: 1012, reason }, upstream: { code: 1001, reason } };
  const closing = { code: 1008, reason: cutToFit(detail === undefined ? reason : `${reason}: ${detail}`) };
  return { client: closing, upstream: closing };
}

/** Whole characters only, as many as a close frame holds. */
function cutToFit(text: string): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(mostReasonBytes));
  return text.slice(0, read);
}
