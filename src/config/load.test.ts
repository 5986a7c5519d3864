import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { certificate } from '../lib/testing/certificate.ts';
import { configuredAddress, loadConfig } from './load.ts';
import { ConfigError } from './problems.ts';

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
  const connection = { kind: 'web', upstream: 'http://127.0.0.1:1', scope: 'workspace', rules: [rule] };
  expect(problems({ connections: { grafana: connection } })).toEqual([
    { path: 'connections.grafana.rules.0.acton', message: 'there is no such setting.', suggestion: 'action' },
  ]);
});

test('a key of another kind of connection is said to be so, and a misspelt one is not taken for it', () => {
  const connection = { kind: 'jupyter', upstream: 'http://127.0.0.1:1', scope: 'workspace' };
  const said = (more: object) => problems({ connections: { lab: { ...connection, ...more } } });
  expect(said({ assertion: false, rules: [] })).toEqual([
    { path: 'connections.lab.assertion', message: 'is a setting of the kind `web` and `mlflow` only.' },
    { path: 'connections.lab.rules', message: 'is a setting of the kind `web` only.' },
  ]);
  expect(said({ asertion: false, isolatedKernel: true, constructor: 1 })).toEqual([
    {
      path: 'connections.lab.asertion',
      message: 'there is no such setting; `assertion` is one of the kind `web` and `mlflow` only.',
    },
    {
      path: 'connections.lab.isolatedKernel',
      message: 'there is no such setting.',
      suggestion: 'isolatedKernels',
    },
    { path: 'connections.lab.constructor', message: 'there is no such setting.' },
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

test('a wrong value is told what would be right', () => {
  const said = (config: unknown) => problems(config).map(({ path, message }) => `${path}: ${message}`);
  expect(said({ connections: { mlflow: { kind: 'ml-flow' } } })).toEqual([
    'connections.mlflow.kind: must be one of `web`, `mlflow`, `jupyter`, `jupyterhub`.',
    'connections.mlflow.upstream: is missing.',
    'connections.mlflow.scope: is missing.',
  ]);
  expect(said({ connections: { mlflow: { kind: 'mlflow', upstream: 'http://127.0.0.1:1' } } })).toEqual([
    'connections.mlflow.scope: is missing.',
  ]);
  expect(said({ tokens: { userSeconds: 5 }, listen: { port: 70_000 }, log: { level: 'loud' } })).toEqual([
    'listen.port: must be at most 65535.',
    'log.level: must be one of `silent`, `error`, `warn`, `info`, `debug`.',
    'tokens.userSeconds: must be at least 60.',
  ]);
});

test('a connection lies at the workspace, beneath it, or at a scope in full', () => {
  const at = (scope: string) =>
    problems({ connections: { mlflow: { kind: 'mlflow', upstream: 'http://127.0.0.1:1', scope } } });
  const subscription = '/subscriptions/3fbff2e1-21bb-4228-ad75-beee79e782f5';
  for (const scope of [
    'workspace',
    'workspace/computes/alice-nb',
    '/',
    '/providers/contoso.tracker',
    `${subscription}/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/lab`,
  ]) {
    expect(at(scope)).toEqual([]);
  }
});

test('a scope at which nobody can be given a role is refused, a copied placeholder above all', () => {
  const at = (scope: string) =>
    problems({ connections: { mlflow: { kind: 'mlflow', upstream: 'http://127.0.0.1:1', scope } } });
  const placeholder =
    '/subscriptions/…/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/lab';
  for (const scope of [placeholder, '/a', 'work', 'workspace/', 'workspace//x', 'workspaces', '']) {
    expect(at(scope)).toMatchObject([
      { path: 'connections.mlflow.scope', message: expect.stringContaining('Say `workspace`') as string },
    ]);
  }
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
    scope: 'workspace',
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

test('a hub is given no credential: it would take everybody for whose that is', () => {
  const hub = { kind: 'jupyterhub', upstream: 'http://127.0.0.1:8000', scope: 'workspace/computes/hub' };
  const secret = { env: 'HUB_TOKEN' };
  expect(load({ connections: { hub } }).connections['hub']).toMatchObject({ credential: null });
  for (const given of [
    { credential: { value: secret } },
    { headers: { authorization: secret } },
    { headers: { cookie: secret } },
  ]) {
    expect(problems({ connections: { hub: { ...hub, ...given } } })).toContainEqual(
      expect.objectContaining({
        path: 'connections.hub',
        message: expect.stringContaining('no credential') as string,
      }),
    );
  }
});

test('what an https upstream is known by is read, and what cannot be used is named at the start', () => {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(join(home, 'authority.pem'), certificate);
  writeFileSync(join(home, 'no.pem'), 'nothing of the kind');
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const tlsOf = (tls: object, upstream = 'https://tracker.internal') => {
    const connection = { kind: 'web', upstream, scope: 'workspace', rules: [], tls };
    writeFileSync(join(home, 'config.json'), JSON.stringify({ connections: { tracker: connection } }));
    try {
      return loadConfig({ home, environment: { CLIENT_KEY: key } }).connections['tracker']?.tls;
    } catch (error) {
      return (error as ConfigError).problems.map(({ path, message }) => `${path}: ${message}`);
    }
  };
  const pins = [`sha256//${'A'.repeat(43)}=`];
  expect(tlsOf({ authorities: 'authority.pem', serverName: 'tracker', pins })).toEqual({
    authorities: certificate,
    certificate: null,
    key: null,
    serverName: 'tracker',
    pins,
  });
  const at = 'connections.tracker.tls';
  expect(tlsOf({ authorities: 'gone.pem' })).toEqual([
    expect.stringContaining(`${at}.authorities: the file gone.pem is not there`),
  ]);
  expect(tlsOf({ authorities: 'no.pem' })).toEqual([
    `${at}.authorities: the file holds no certificate in PEM.`,
  ]);
  expect(tlsOf({ pins }, 'http://tracker.internal')).toEqual([`${at}: the upstream is not https.`]);
  expect(tlsOf({ certificate: 'authority.pem' })).toEqual([
    `${at}: a certificate and its key are given together.`,
  ]);
  expect(tlsOf({ certificate: 'authority.pem', key: { env: 'CLIENT_KEY' } })).toEqual([
    `${at}.key: is the key of another certificate.`,
  ]);
  expect(tlsOf({ pins: ['sha256/abc'] })).toEqual([expect.stringContaining('must be `sha256//`')]);
});

test('a secret written into the file is refused', () => {
  const connection = {
    kind: 'web',
    upstream: 'http://127.0.0.1:1',
    scope: 'workspace',
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
  const connection = {
    kind: 'web',
    upstream: 'http://127.0.0.1:1',
    scope: 'workspace',
    rules: [],
    credential,
  };
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

describe('headers of a connection', () => {
  const connectionOf = (members: object) => ({
    connections: {
      grafana: { kind: 'web', upstream: 'http://127.0.0.1:1', scope: 'workspace', rules: [], ...members },
    },
  });

  test('are any number, each a text or a secret by reference', () => {
    const headers = { 'X-Team': 'ml', 'X-Api-Key': { env: 'KEY' } };
    expect(load(connectionOf({ headers }), { KEY: 'k' }).connections['grafana']?.headers).toEqual([
      { header: 'x-team', value: 'ml' },
      { header: 'x-api-key', value: 'k' },
    ]);
  });

  test.each([
    ['a secret in the file', { headers: { 'x-api-key': 'k' } }, 'headers.x-api-key', /by reference/],
    [
      'a credential in the file',
      { headers: { Authorization: 'k' } },
      'headers.authorization',
      /by reference/,
    ],
    [
      'what frames the body',
      { headers: { 'Transfer-Encoding': 'x' } },
      'headers.Transfer-Encoding',
      /has to say/,
    ],
    [
      'the assertion',
      { headers: { 'X-Lockstep-Assertion': 'x' } },
      'headers.X-Lockstep-Assertion',
      /has to say/,
    ],
    ['another Host', { headers: { Host: 'x' } }, 'headers.Host', /has to say/],
    ['two lines', { headers: { 'x-a': 'x\r\ny: z' } }, 'headers.x-a', /printable ASCII|by reference/],
    ['no name', { headers: { 'x a': 'x' } }, 'headers.x a', /not the name/],
    ['a name in two spellings', { headers: { 'x-a': '1', x_a: '2' } }, 'headers.x_a', /another header/],
    [
      'two lines from a file or the environment',
      { headers: { 'x-a': { env: 'KEY' } } },
      'headers.x-a',
      /one line/,
    ],
  ])('may not be %s', (_what, members, path, message) => {
    const found = problems(connectionOf(members), { KEY: 'a\nb: c' });
    expect(found).toMatchObject([
      { path: `connections.grafana.${path}`, message: expect.stringMatching(message) as unknown },
    ]);
    expect(JSON.stringify(found)).not.toContain('b: c');
  });

  test('tell who calls only where it is said that nobody else reaches the upstream', () => {
    const headers = { 'X-WEBAUTH-USER': 'userPrincipalName' };
    for (const said of [{}, { upstreamIsReachableOnlyThroughLockstep: false }]) {
      const [problem] = problems(connectionOf({ identityHeaders: { ...said, headers } }));
      expect(problem?.path).toBe(
        'connections.grafana.identityHeaders.upstreamIsReachableOnlyThroughLockstep',
      );
      expect(problem?.message).toMatch(/can be anybody there: see to it that nobody can .* then say true/);
    }
    const identityHeaders = { upstreamIsReachableOnlyThroughLockstep: true, headers };
    expect(load(connectionOf({ identityHeaders })).connections['grafana']?.identityHeaders).toEqual({
      'x-webauth-user': 'userPrincipalName',
    });
    expect(
      problems(
        connectionOf({ identityHeaders, credential: { header: 'X_Webauth_User', value: { env: 'K' } } }),
        {
          K: 'k',
        },
      )[0]?.message,
    ).toMatch(/another header/);
  });
});

test('an upstream may be many, each once; its health check stays beneath its address', () => {
  const connectionOf = (members: object) => ({
    connections: { many: { kind: 'web', scope: 'workspace', rules: [], ...members } },
  });
  const upstream = ['http://127.0.0.1:1', 'http://127.0.0.1:2'];
  expect(load(connectionOf({ upstream })).connections['many']).toMatchObject({
    upstream,
    settings: {
      timeouts: { connectMilliseconds: 5000, headMilliseconds: 300_000, idleMilliseconds: 900_000 },
      circuit: { failures: 5, statuses: [] },
      health: null,
    },
  });
  expect(problems(connectionOf({ upstream: [...upstream, 'http://127.0.0.1:1'] }))[0]?.message).toMatch(
    /twice/,
  );
  expect(problems(connectionOf({ upstream: 'ftp://x' }))[0]?.message).toMatch(/http or https/);
  for (const path of ['/../admin', '/a/%2e%2e/b', 'http://169.254.169.254/', '/a b', '/a\r\nx: y', '/a#b']) {
    expect(problems(connectionOf({ upstream, health: { path } }))[0]?.path).toBe(
      'connections.many.health.path',
    );
  }
  expect(
    load(connectionOf({ upstream, health: { path: '/healthz?full' } })).connections['many'],
  ).toMatchObject({
    settings: { health: { path: '/healthz?full', intervalMilliseconds: 10_000, passes: 2 } },
  });
});
