import { processorSeconds } from '../gateway-cores.ts';
import { ratiosOf, repeated, spreadOf } from '../measure.ts';
import type { BenchRow } from '../row.ts';
import { connections, load, ours, rounds, withToken, type House } from './house.ts';

/** Shorter ones find a process that has just been idle for the rounds of the others. */
const roundSeconds = 3;
/** What is compiled while it runs goes on getting faster for so long. */
const warmUpSeconds = 15;

/** Requests for each second of the gate's own processor time, all of its processes and threads together, by turns. */
export async function requestsPerSecond(house: House): Promise<BenchRow[]> {
  const contenders = [
    ...house.gates.map((gate) => ({ ...gate, order: { url: `${gate.url}small`, ...withToken(house, '') } })),
    ...(
      [
        ['ours, asserted', 'gateway'],
        ['ours, asserted, no audit', 'silent'],
        ['ours', 'unasserted'],
        ['ours, no audit', 'unassertedSilent'],
      ] as const
    ).map(([name, which]) => ({ name, pid: house[which].pid, order: ours(house, which, 'small') })),
  ];
  const rates = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round++) {
    for (const { name, pid, order } of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const before = processorSeconds(pid);
      const result = await load(
        { ...order, connections, seconds: round < 0 ? warmUpSeconds : roundSeconds },
        name,
      );
      if (round >= 0) rates.get(name)?.push(result.answered / (processorSeconds(pid) - before));
    }
  }
  const ratesOf = (name: string): readonly number[] => rates.get(name) ?? [];
  const row = (mine: string, label: string, peer: string, least: number | null): BenchRow[] => {
    if (ratesOf(peer).length === 0) return [];
    const value = repeated(ratesOf(mine));
    const ratio = ratiosOf(ratesOf(mine), ratesOf(peer));
    return [
      {
        name: `small requests, ${connections} connections, ${label}`,
        value: value.median,
        unit: 'requests/s',
        peer,
        peerValue: repeated(ratesOf(peer)).median,
        ratio: ratio.median,
        target: least === null ? null : `≥ ${least} ×`,
        met: least === null ? null : ratio.median >= least,
        spread: spreadOf(value),
        ratioSpread: spreadOf(ratio),
      },
    ];
  };
  const durable = 'token, policy, durable audit';
  const silent = 'token, policy';
  return [
    ...row('ours', durable, 'nginx, auth_request', 1),
    ...row('ours', durable, 'HAProxy, jwt_verify', null),
    ...row('ours', durable, 'Apache, mod_auth_openidc', null),
    ...row('ours', durable, 'oauth2-proxy', 2),
    ...row('ours, no audit', silent, 'nginx, plain', 0.8),
    ...row('ours, no audit', silent, 'node:https and undici', null),
    ...row('ours, no audit', silent, 'node:tls, bytes only', null),
    ...row('ours, asserted', `${durable}, signed assertion`, 'nginx, auth_request', null),
    ...row('ours, asserted, no audit', `${silent}, signed assertion`, 'nginx, plain', null),
  ];
}
