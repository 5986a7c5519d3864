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
  /** In front of the upstream for what is not small. */
  readonly gatesLarge: readonly Gate[];
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

/** What each way adds to the direct one, in every round; the first of them is ours. */
export interface Added {
  readonly ours: readonly number[];
  readonly peers: Readonly<Record<string, readonly number[]>>;
}

/** One row beside each peer, or a lone one. */
export function addedRows(name: string, added: Added, most: number): BenchRow[] {
  const value = repeated(added.ours);
  const row = (peer: string | null): BenchRow => ({
    name,
    value: value.median,
    unit: 'ms',
    peer,
    peerValue: peer === null ? null : repeated(added.peers[peer] ?? []).median,
    ratio: null,
    target: `≤ ${most} ms`,
    met: value.median <= most,
    spread: spreadOf(value),
  });
  const peers = Object.keys(added.peers);
  return peers.length === 0 ? [row(null)] : peers.map(row);
}

/**
 * What each way to the upstream for what is not small adds to going there directly, by turns: `ask` does so many times and
 * answers the median in milliseconds. One round warms up.
 */
export async function addedByEach<Way>(
  ways: { readonly direct: Way; readonly ours: Way; readonly peers: Readonly<Record<string, Way>> },
  ask: (way: Way) => Promise<number>,
): Promise<Added> {
  const ours: number[] = [];
  const peers = Object.fromEntries(Object.keys(ways.peers).map((name) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round++) {
    const direct = await ask(ways.direct);
    const own = (await ask(ways.ours)) - direct;
    if (round >= 0) ours.push(own);
    for (const [name, way] of Object.entries(ways.peers)) {
      const theirs = (await ask(way)) - direct;
      if (round >= 0) peers[name]?.push(theirs);
    }
  }
  return { ours, peers };
}
