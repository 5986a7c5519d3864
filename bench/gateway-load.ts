import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { goProgram, run } from '../test/interop/go-program.ts';
import { onCore } from './gateway-cores.ts';

export interface LoadOrder {
  readonly url: string;
  /** Files. */
  readonly ca?: string;
  readonly token?: string;
  readonly connections: number;
  /** 0 asks once on each connection. */
  readonly seconds: number;
  /** Requests a second in an open loop; absent: a closed loop. */
  readonly rate?: number;
  /** Bytes of a body; absent or 0: a GET. */
  readonly upload?: number;
}

const resultSchema = z.object({
  perSecond: z.number(),
  bytesPerSecond: z.number(),
  p50Milliseconds: z.number(),
  p99Milliseconds: z.number(),
  answered: z.number(),
  failed: z.number(),
  firstFailure: z.string().default(''),
});
export type LoadResult = z.infer<typeof resultSchema>;

let built: ReturnType<typeof goProgram> | undefined;

/** Requests by `http-load/`, a Go program: what asks must cost little beside what answers. */
export async function httpLoad(order: LoadOrder): Promise<LoadResult> {
  const cache = join(import.meta.dirname, '..', '.cache', 'bench');
  mkdirSync(cache, { recursive: true });
  const load = await (built ??= goProgram(join(import.meta.dirname, 'http-load'), cache));
  if ('missing' in load) throw new Error(`nothing to ask with: ${load.missing}`);
  const flags = {
    url: order.url,
    ca: order.ca ?? '',
    'token-file': order.token ?? '',
    connections: order.connections,
    seconds: order.seconds,
    rate: order.rate ?? 0,
    upload: order.upload ?? 0,
  };
  const args = Object.entries(flags).map(([name, value]) => `-${name}=${value}`);
  const [command, ...rest] = onCore('load', [load.program, ...args]);
  return resultSchema.parse(JSON.parse((await run(command, rest)).stdout));
}
