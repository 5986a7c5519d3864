import { join } from 'node:path';
import type { GatewayReady } from '../gateway-house.ts';
import { httpLoad, type LoadOrder, type LoadResult } from '../gateway-load.ts';
import type { Gate } from '../gateway-peers.ts';
import { repeated, spreadOf } from '../measure.ts';
import type { BenchRow } from '../row.ts';

export const rounds = 5;
export const connections = 32;

/** What is measured, and what beside: all of it runs. */
export interface House {
  readonly directory: string;
  readonly gateway: GatewayReady;
  readonly silent: GatewayReady;
  /** The same two without a signed statement for the upstream, which no peer makes. */
  readonly unasserted: GatewayReady;
  readonly unassertedSilent: GatewayReady;
  readonly gates: readonly Gate[];
  /** Of the upstream itself, each ending with a slash. */
  readonly direct: string;
  readonly directLarge: string;
  readonly relay: string;
  /** In front of the upstream for what is not small. */
  readonly large: GatewayReady;
}

/** How our own gateways are asked. */
export function ours(
  house: House,
  which: 'gateway' | 'silent' | 'unasserted' | 'unassertedSilent' | 'large',
  path: string,
): Pick<LoadOrder, 'url' | 'ca' | 'token'> {
  const prefix = which === 'gateway' ? '' : `${which}-`;
  return {
    url: `https://localhost:${house[which].port}/connections/bench/${path}`,
    ...withToken(house, prefix),
  };
}

export function withToken({ directory }: House, prefix: string): Pick<LoadOrder, 'ca' | 'token'> {
  return { ca: join(directory, `${prefix}ca.pem`), token: join(directory, `${prefix}token`) };
}

/** Throws where any of them failed. */
export async function load(order: LoadOrder, name = order.url): Promise<LoadResult> {
  const result = await httpLoad(order);
  if (result.failed > 0)
    throw new Error(`${name}: ${result.failed} failed, the first: ${result.firstFailure}`);
  return result;
}

export function milliseconds(name: string, values: readonly number[], most: number): BenchRow {
  const value = repeated(values);
  return {
    name,
    value: value.median,
    unit: 'ms',
    peer: null,
    peerValue: null,
    ratio: null,
    target: `≤ ${most} ms`,
    met: value.median <= most,
    spread: spreadOf(value),
  };
}
