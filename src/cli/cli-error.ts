import type { Ending } from './exit-codes.ts';

export interface CliErrorOptions {
  /** What the reader can do next. */
  readonly hint?: string;
  /** The protocol's own code, e.g. `AuthorizationFailed`. */
  readonly code?: string;
  /** The decision behind a denial. */
  readonly decisionId?: string;
  /** Names and values shown beneath the message. */
  readonly facts?: readonly (readonly [string, string])[];
  readonly cause?: unknown;
}

/** A failure that a command reports: one sentence, one exit code, one way on. */
export class CliError extends Error {
  readonly ending: Ending;
  readonly hint: string | null;
  readonly code: string | null;
  readonly decisionId: string | null;
  readonly facts: readonly (readonly [string, string])[];

  constructor(ending: Ending, message: string, options: CliErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.ending = ending;
    this.hint = options.hint ?? null;
    this.code = options.code ?? null;
    this.decisionId = options.decisionId ?? null;
    this.facts = options.facts ?? [];
  }
}
