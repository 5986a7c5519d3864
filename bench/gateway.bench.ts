// The gateway beside what people put in front of their services: requests, latency, bodies, WebSockets, streams of events.
import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { largeBodies } from './gateway/bodies.ts';
import { firstEvent } from './gateway/events.ts';
import { load, withToken, type House } from './gateway/house.ts';
import { addedLatency } from './gateway/latency.ts';
import { requestsPerSecond } from './gateway/requests.ts';
import { webSocketEcho } from './gateway/web-socket.ts';
import { onCore } from './gateway-cores.ts';
import type { GatewayReady } from './gateway-house.ts';
import { startNginxBefore, startPeers, startUpstream, type Gate } from './gateway-peers.ts';
import type { BenchOptions, BenchRow } from './row.ts';

const parts: Readonly<Record<string, (house: House) => Promise<BenchRow[]>>> = {
  requests: requestsPerSecond,
  latency: addedLatency,
  bodies: largeBodies,
  'web-socket': webSocketEcho,
  events: firstEvent,
};

export async function run({ only }: BenchOptions): Promise<BenchRow[]> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-bench-'));
  const children: ChildProcess[] = [];
  const keep = (child: ChildProcess): void => void children.push(child);
  try {
    execFileSync('taskset', ['-p', '-c', onCore('load', [])[2] ?? '0', String(process.pid)]);
    // The keys of the first one are what every peer verifies with, so it starts before there is an upstream to know of.
    const ports = await startUpstream(directory, keep);
    const [upstream, authorizer] = [ports.upstream, ports.authorizer];
    const gateway = await gatewayAt(keep, upstream, 'durable');
    const silent = await gatewayAt(keep, upstream, 'none');
    const unasserted = await gatewayAt(keep, upstream, 'durable', 'unasserted');
    const unassertedSilent = await gatewayAt(keep, upstream, 'none', 'unasserted');
    for (const [name, text] of Object.entries({
      'cert.pem': gateway.cert,
      'key.pem': gateway.key,
      'ca.pem': gateway.ca,
      'silent-ca.pem': silent.ca,
      token: gateway.token,
      'silent-token': silent.token,
      'unasserted-ca.pem': unasserted.ca,
      'unasserted-token': unasserted.token,
      'unassertedSilent-ca.pem': unassertedSilent.ca,
      'unassertedSilent-token': unassertedSilent.token,
      'jwks.json': JSON.stringify(gateway.jwks),
    }))
      writeFileSync(join(directory, name), text);
    const around = { directory, gateway, upstream, authorizer, keep };
    const { gates, missing } = await startPeers(around);
    for (const each of missing) console.error(`not measured: ${each}`);
    const onNode = async (name: string, role: string, before: number): Promise<Gate> => {
      const { port, pid } = await onPort(keep, 'gate', role, String(before), directory);
      return { name, url: `https://localhost:${port}/`, pid };
    };
    const bytesOnly = 'node:tls, bytes only';
    const { port: largePort } = await onPort(keep, 'load', 'upstream');
    const nginxBeforeLarge = await startNginxBefore(largePort, around);
    const large = await gatewayAt(keep, largePort, 'durable');
    writeFileSync(join(directory, 'large-ca.pem'), large.ca);
    writeFileSync(join(directory, 'large-token'), large.token);
    const house: House = {
      directory,
      gateway,
      silent,
      unasserted,
      unassertedSilent,
      gates: [
        ...gates,
        await onNode('node:https and undici', 'http-relay', upstream),
        await onNode(bytesOnly, 'tls-relay', upstream),
      ],
      gatesLarge: [
        ...(nginxBeforeLarge === null ? [] : [nginxBeforeLarge]),
        await onNode(bytesOnly, 'tls-relay', largePort),
      ],
      direct: `http://127.0.0.1:${upstream}/`,
      directLarge: `http://127.0.0.1:${largePort}/`,
      relay: `http://127.0.0.1:${(await onPort(keep, 'gate', 'relay', String(largePort))).port}/`,
      large,
    };
    await ready(house);
    const rows: BenchRow[] = [];
    for (const [name, measure] of Object.entries(parts)) {
      if (only === null || only.includes(name)) rows.push(...(await measure(house)));
    }
    return rows;
  } finally {
    for (const child of children) {
      if (child.connected) child.disconnect();
      else child.kill();
    }
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Until every one of them has answered once. */
async function ready(house: House): Promise<void> {
  for (const gate of house.gates) {
    const order = { url: `${gate.url}small`, ...withToken(house, ''), connections: 1, seconds: 0 };
    for (let left = 100; ; left--) {
      try {
        await load(order);
        break;
      } catch (error) {
        if (left === 0) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
}

async function gatewayAt(
  keep: (child: ChildProcess) => void,
  upstream: number,
  audit: 'durable' | 'none',
  assertion: 'asserted' | 'unasserted' = 'asserted',
): Promise<GatewayReady> {
  const address = `http://127.0.0.1:${upstream}`;
  return forked<GatewayReady>(keep, 'gate', 'gateway-house.ts', address, audit, assertion);
}

async function onPort(
  keep: (child: ChildProcess) => void,
  core: 'gate' | 'load',
  ...args: string[]
): Promise<{ readonly port: number; readonly pid: number }> {
  return forked(keep, core, 'gateway-upstream.ts', ...args);
}

async function forked<T>(
  keep: (child: ChildProcess) => void,
  core: 'gate' | 'load',
  file: string,
  ...args: string[]
): Promise<T> {
  const [command, ...before] = onCore(core, [process.execPath]);
  const child = fork(join(import.meta.dirname, file), args, { execPath: command, execArgv: before });
  keep(child);
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void => reject(new Error(`${file} ended with ${code}`));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message as T);
    });
  });
}
