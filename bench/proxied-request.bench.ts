// A proxied request with token, policy and durable audit, against relays that do none of it. Four processes, loopback.
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { GatewayReady } from './proxied-gateway.ts';
import type { LoadOrder, LoadResult } from './proxied-load.ts';
import type { BenchRow } from './row.ts';

const rounds = 3;
const roundMilliseconds = 800;
const connections = 32;
const bareRelay = 'bare node:https relay (undici): no token, policy or record';

export async function run(): Promise<BenchRow[]> {
  const children: ChildProcess[] = [];
  const start = (file: string, ...args: string[]): ChildProcess => {
    const child = fork(join(import.meta.dirname, file), args);
    children.push(child);
    return child;
  };
  const peer = async (order: object): Promise<number> =>
    (await ask<{ port: number }>(start('proxied-peers.ts'), order)).port;
  try {
    const upstream = await peer({ role: 'upstream' });
    const gateway = await next<GatewayReady>(start('proxied-gateway.ts', `http://127.0.0.1:${upstream}`));
    const silent = await next<GatewayReady>(
      start('proxied-gateway.ts', `http://127.0.0.1:${upstream}`, 'none'),
    );
    const relay = await peer({ role: 'relay', port: upstream, key: gateway.key, cert: gateway.cert });
    const tcpRelay = await peer({ role: 'tcp-relay', port: upstream });
    const generator = start('proxied-load.ts');
    return await measure(generator, {
      direct: { url: `http://127.0.0.1:${upstream}/`, ca: '', token: '' },
      relay: { url: `https://localhost:${relay}/`, ca: gateway.ca, token: '' },
      tcp: { url: `http://127.0.0.1:${tcpRelay}/`, ca: '', token: '' },
      rsa: connectionOf(gateway, 'rsa'),
      ed25519: connectionOf(gateway, 'ed25519'),
      silent: connectionOf(silent, 'ed25519'),
    });
  } finally {
    for (const child of children) child.disconnect();
  }
}

function connectionOf(gateway: GatewayReady, name: string): Target {
  return {
    url: `https://localhost:${gateway.port}/connections/${name}/`,
    ca: gateway.ca,
    token: gateway.token,
  };
}

type Target = Pick<LoadOrder, 'url' | 'ca' | 'token'>;

async function measure(
  generator: ChildProcess,
  targets: Record<'direct' | 'relay' | 'tcp' | 'rsa' | 'ed25519' | 'silent', Target>,
): Promise<BenchRow[]> {
  const load = async (
    target: Target,
    path: string,
    many: number,
    forMilliseconds: number,
  ): Promise<LoadResult> => {
    const order = { ...target, url: target.url + path, connections: many, forMilliseconds };
    const result = await ask<LoadResult>(generator, order);
    if (result.failed > 0) throw new Error(`${order.url}: ${result.failed} requests failed`);
    return result;
  };
  const alternating = async (
    names: (keyof typeof targets)[],
    path: string,
    many: number,
    milliseconds: number,
  ) => {
    const results = new Map(names.map((name) => [name, [] as LoadResult[]]));
    for (const name of names) await load(targets[name], 'small', many, milliseconds / 2);
    for (let round = 0; round < rounds; round++) {
      for (const name of names) results.get(name)?.push(await load(targets[name], path, many, milliseconds));
    }
    return (name: keyof typeof targets, figure: keyof LoadResult) => {
      const values = (results.get(name) ?? []).map((result) => result[figure]).sort((a, b) => a - b);
      return {
        median: values[Math.floor(values.length / 2)] ?? 0,
        lowest: values[0] ?? 0,
        highest: values.at(-1) ?? 0,
      };
    };
  };

  const busy = await alternating(
    ['relay', 'rsa', 'ed25519', 'silent'],
    'small',
    connections,
    roundMilliseconds,
  );
  const floor = busy('relay', 'perSecond').median;
  const rows: BenchRow[] = [];
  for (const [name, label] of [
    ['rsa', 'RS256 assertion, durable audit'],
    ['ed25519', 'EdDSA assertion, durable audit'],
    ['silent', 'EdDSA assertion, no audit'],
  ] as const) {
    const { median, lowest, highest } = busy(name, 'perSecond');
    rows.push({
      name: `proxied GET, ${connections} connections, ${label}`,
      value: median,
      unit: 'requests/s',
      peer: bareRelay,
      peerValue: floor,
      ratio: median / floor,
      target: null,
      met: null,
      spread: `${Math.round(lowest)}–${Math.round(highest)}`,
    });
  }

  const alone = await alternating(
    ['direct', 'relay', 'rsa', 'ed25519', 'silent'],
    'small',
    1,
    roundMilliseconds / 2,
  );
  const direct = alone('direct', 'p50').median;
  for (const [name, label, target] of [
    ['rsa', 'RS256 assertion, durable audit', 0.6],
    ['ed25519', 'EdDSA assertion, durable audit', 0.6],
    ['silent', 'EdDSA assertion, no audit', 0.3],
  ] as const) {
    const added = alone(name, 'p50').median - direct;
    const peerAdded = alone('relay', 'p50').median - direct;
    rows.push({
      name: `added p50 over direct, ${label}`,
      value: added,
      unit: 'ms',
      peer: bareRelay,
      peerValue: peerAdded,
      ratio: peerAdded / added,
      target: `≤ ${target} ms`,
      met: added <= target,
      spread: `${(alone(name, 'p50').lowest - direct).toFixed(2)}–${(alone(name, 'p50').highest - direct).toFixed(2)}`,
    });
  }

  const large = await alternating(['tcp', 'relay', 'rsa'], 'large', 1, 0);
  const mebibytes = (name: keyof typeof targets) => large(name, 'bytesPerSecond').median / 1024 ** 2;
  for (const [peer, label, target] of [
    ['tcp', 'bare TCP relay, no TLS', 0.7],
    ['relay', bareRelay, null],
  ] as const) {
    const ratio = mebibytes('rsa') / mebibytes(peer);
    rows.push({
      name: 'proxied download of 256 MiB',
      value: mebibytes('rsa'),
      unit: 'MiB/s',
      peer: label,
      peerValue: mebibytes(peer),
      ratio,
      target: target === null ? null : `≥ ${target} ×`,
      met: target === null ? null : ratio >= target,
    });
  }
  return rows;
}

async function ask<T>(child: ChildProcess, order: object): Promise<T> {
  const answer = next<T>(child);
  child.send(order);
  return answer;
}

async function next<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void => reject(new Error(`a bench process ended with ${code}`));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message as T);
    });
  });
}
