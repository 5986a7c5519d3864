/** One foreign client, server or verifier, run against Lockstep. */
export interface InteropSuite {
  readonly name: string;
  /** Installs what it needs into `cacheDirectory` (kept between runs) and runs its checks. */
  run(context: InteropContext): Promise<InteropResult>;
}

export interface InteropContext {
  readonly cacheDirectory: string;
  /** Whether the suite was asked for by name: it may then take long to install what it needs. */
  readonly asked: boolean;
  log(line: string): void;
}

export interface InteropResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed or why something was skipped, a line each. */
  readonly notes: readonly string[];
}
