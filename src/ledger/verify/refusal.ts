/** A finding: why something is not to be believed. */
export interface Refusal {
  readonly ok: false;
  /** What is wrong, precisely, in words. */
  readonly reason: string;
}

export function refusal(reason: string): Refusal {
  return { ok: false, reason };
}
