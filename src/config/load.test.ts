import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, configuredAddress, loadConfig } from './load.ts';

function load(config: unknown, environment: NodeJS.ProcessEnv = {}) {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
  writeFileSync(join(home, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  return loadConfig({ home, environment });
}

function problems(config: unknown, environment: NodeJS.ProcessEnv = {}) {
  try {
    load(config, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('the defaults hold without a file', () => {
  const config = loadConfig({ home: mkdtempSync(join(tmpdir(), 'lockstep-config-')), environment: {} });
  expect(config.listen).toEqual({ host: '127.0.0.1', port: 8443 });
  expect(config.tokens.jobSeconds).toBe(300);
  expect(config.file).toBeNull();
});

test('a misspelt key is named with the nearest valid one, at any depth', () => {
  expect(problems({ tokns: {}, tokens: { jobSecond: 10 } })).toEqual([
    { path: 'tokens.jobSecond', message: 'there is no such setting.', suggestion: 'jobSeconds' },
    { path: 'tokns', message: 'there is no such setting.', suggestion: 'tokens' },
  ]);
});

test('a misspelt key inside a connection’s rule is named too', () => {
  const rule = { methods: ['GET'], path: '/', action: 'a/b/read', acton: 'x' };
  const connection = { kind: 'web', upstream: 'http://127.0.0.1:1', scope: '/a', rules: [rule] };
  expect(problems({ connections: { grafana: connection } })).toEqual([
    { path: 'connections.grafana.rules.0.acton', message: 'there is no such setting.', suggestion: 'action' },
  ]);
});

test('a key that resembles nothing gets no suggestion', () => {
  expect(problems({ zzzzzzzzz: 1 })).toEqual([{ path: 'zzzzzzzzz', message: 'there is no such setting.' }]);
});

test('a wrong value is named by its path', () => {
  expect(problems({ tokens: { jobSeconds: 'soon' } }).map((problem) => problem.path)).toEqual([
    'tokens.jobSeconds',
  ]);
});

test('broken JSON, and a named file that is missing, are said to be so', () => {
  expect(problems('{')[0]?.message).toMatch(/not valid JSON/);
  expect(() => loadConfig({ home: tmpdir(), file: '/nonexistent/lockstep.json', environment: {} })).toThrow(
    /cannot be read/,
  );
});

test('secrets are resolved from the environment and a missing one is named, never guessed', () => {
  const connection = {
    kind: 'web',
    upstream: 'http://127.0.0.1:1',
    scope: '/a',
    rules: [],
    credential: { value: { env: 'GRAFANA_TOKEN' } },
  };
  expect(
    load({ connections: { grafana: connection } }, { GRAFANA_TOKEN: 'Bearer x' }).connections['grafana']
      ?.credential,
  ).toEqual({
    header: 'authorization',
    value: 'Bearer x',
  });
  expect(problems({ connections: { grafana: connection } })[0]?.message).toMatch(/GRAFANA_TOKEN is not set/);
});

test('a secret written into the file is refused', () => {
  const connection = {
    kind: 'web',
    upstream: 'http://127.0.0.1:1',
    scope: '/a',
    rules: [],
    credential: { value: 'Bearer in clear' },
  };
  expect(problems({ connections: { grafana: connection } })).not.toEqual([]);
});

test('what travels inward is frozen', () => {
  const config = load({});
  expect(() => {
    (config.tokens as { jobSeconds: number }).jobSeconds = 1;
  }).toThrow(TypeError);
});

test('a client learns the address without the secrets of the server, and whatever else is wrong', () => {
  const credential = { value: { env: 'ONLY_THE_SERVER_HAS_IT' } };
  const connection = { kind: 'web', upstream: 'http://127.0.0.1:1', scope: '/a', rules: [], credential };
  const address = (config: unknown) => {
    const home = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
    writeFileSync(join(home, 'config.json'), JSON.stringify(config));
    return configuredAddress({ home, environment: {} });
  };
  expect(address({ listen: { port: 9443 }, connections: { grafana: connection } })).toBe(
    'https://localhost:9443',
  );
  expect(address({ publicUrl: 'https://lockstep.example', tokns: {} })).toBe('https://lockstep.example');
  expect(address({})).toBe('https://localhost:8443');
  expect(() => address({ listen: { prot: 1 } })).toThrow('Did you mean `port`?');
});
