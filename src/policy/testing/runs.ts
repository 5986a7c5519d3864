import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** 1 for a usual run; less when the same tests are run again and again, more for a long search. */
    readonly thoroughness?: number;
  }
}

/** How often a property is tried. */
export function runs(usual: number): number {
  return Math.max(1, Math.round(usual * (inject('thoroughness') ?? 1)));
}
