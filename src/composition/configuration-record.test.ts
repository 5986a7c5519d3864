import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig, type Config } from '../config/load.ts';
import { createLog } from '../lib/log.ts';
import { systemAttribution } from '../store/changes.ts';
import { recordConfiguration } from './configuration-record.ts';
import { createFoundation, type Foundation } from './foundation.ts';

let home: string;
let config: Config;
let foundation: Foundation;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'lockstep-configuration-'));
  config = loadConfig({ home, environment: {} });
  foundation = await createFoundation(config, createLog('silent'));
});
afterEach(async () => {
  await foundation.close();
  rmSync(home, { recursive: true, force: true });
});

const runUnder = (now: Config) =>
  recordConfiguration(foundation, systemAttribution(foundation.tenantId, 'gateway'), now);
async function recorded() {
  const events = await foundation.ledger.eventsAfter(0, 100);
  return events.filter(({ classUid }) => classUid === 6002);
}
const withSecret = (value: string): Config => ({
  ...config,
  connections: {
    ...config.connections,
    grafana: {
      name: 'grafana',
      credential: { header: 'authorization', value },
    } as Config['connections'][string],
  },
});

test('the first start records that there is a configuration, the same one again nothing', async () => {
  await runUnder(config);
  await runUnder(config);
  expect((await recorded()).map(({ event }) => event)).toMatchObject([
    {
      activity_name: 'Update',
      unmapped: { lockstep: { change: { kind: 'configuration.changed', previous: null, settings: [] } } },
    },
  ]);
});

test('another configuration is recorded with the names of the settings that differ, and follows the one before', async () => {
  await runUnder(config);
  await runUnder({ ...config, tokens: { ...config.tokens, jobSeconds: 17 } });
  await runUnder(withSecret('hunter2'));
  const [first, second, third] = (await recorded()).map(
    ({ event }) => (event['unmapped'] as { lockstep: { change: Record<string, unknown> } }).lockstep.change,
  );
  expect(second).toMatchObject({ previous: first?.['digest'], settings: ['tokens.jobSeconds'] });
  expect(third).toMatchObject({
    previous: second?.['digest'],
    settings: ['connections.grafana', 'tokens.jobSeconds'],
  });
});

test('a secret that was replaced is a change, and neither it nor what it could be guessed by is recorded', async () => {
  await runUnder(withSecret('hunter2'));
  await runUnder(withSecret('hunter3'));
  const [, second] = await recorded();
  expect(second?.event).toMatchObject({
    unmapped: { lockstep: { change: { settings: ['connections.grafana'] } } },
  });
  expect(Buffer.from(second?.told ?? []).toString()).not.toContain('hunter');
  const other = mkdtempSync(join(tmpdir(), 'lockstep-configuration-'));
  const elsewhere = await createFoundation(loadConfig({ home: other, environment: {} }), createLog('silent'));
  try {
    await recordConfiguration(
      elsewhere,
      systemAttribution(elsewhere.tenantId, 'gateway'),
      withSecret('hunter3'),
    );
    const [same] = await elsewhere.ledger.eventsAfter(0, 100);
    const digestOf = (event: unknown) =>
      (event as { unmapped: { lockstep: { change: { digest: string } } } }).unmapped.lockstep.change.digest;
    expect(digestOf(same?.event)).not.toBe(digestOf(second?.event));
  } finally {
    await elsewhere.close();
    rmSync(other, { recursive: true, force: true });
  }
});
