import { settle } from './decision-interfaces.ts';
import { ownEngine } from './decision-own.ts';
import type { Workload } from './decision-workload.ts';

export interface MemoryFigures {
  /** Bytes by which the process grew, over the rows that were there already. */
  readonly baseBytes: number;
  /** The same once every user has asked. */
  readonly askedBytes: number;
  /** Seconds that building took. */
  readonly buildSeconds: number;
}

/**
 * What the engine adds to rows that are in memory already: heap and array buffers, each time after collecting. It has
 * no room for compiled rights and remembered outcomes here: those have a size of their own choice.
 */
export function measureMemory(workload: Workload): MemoryFigures {
  const before = usedBytes();
  const start = performance.now();
  const engine = ownEngine(workload.rows, { rightsBytes: 0, maskBytes: 0, cachedDecisions: 1 });
  const buildSeconds = (performance.now() - start) / 1_000;
  const built = usedBytes();
  settle(workload, engine, 1);
  const asked = usedBytes();
  if (engine.snapshot.fault !== null)
    throw new Error('the policy is faulty', { cause: engine.snapshot.fault });
  return { baseBytes: built - before, askedBytes: asked - before, buildSeconds };
}

function usedBytes(): number {
  if (globalThis.gc === undefined) throw new Error('to be run with --expose-gc');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
