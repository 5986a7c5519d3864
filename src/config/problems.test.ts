import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { loadConfig } from './load.ts';
import { ConfigError } from './problems.ts';
import { configSchema } from './schema.ts';
import { told } from './testing/told.ts';

const connections = (tracker: object) => ({ connections: { tracker } });
const sound = { kind: 'mlflow', upstream: 'http://127.0.0.1:5000', scope: 'workspace' };

test('a misspelt kind hides nothing: the rest is read as the kind that was meant', () => {
  expect(
    told(connections({ kind: 'mlfow', scope: 'workspce', upstream: '127.0.0.1:5000', wrkspace: 'a' })),
  ).toEqual([
    'connections.tracker.kind: must be one of `web`, `mlflow`, `jupyter`, `jupyterhub`. Did you mean `mlflow`?',
    'connections.tracker.upstream: must be an http or https address, such as `http://127.0.0.1:5000`.',
    expect.stringMatching(/^connections\.tracker\.scope: nothing can lie there.*Did you mean `workspace`\?$/),
    'connections.tracker.wrkspace: there is no such setting. Did you mean `workspace`?',
  ]);
});

test('of a kind that resembles none, what is the same for all is read, and no setting is called unknown', () => {
  expect(told(connections({ kind: 'grafana', scope: 'workspace', upstream: 5, rules: [] }))).toEqual([
    'connections.tracker.kind: must be one of `web`, `mlflow`, `jupyter`, `jupyterhub`.',
    expect.stringContaining('connections.tracker.upstream: must be an http or https address'),
  ]);
});

test('a misspelt value has a suggestion, one of several words at its first', () => {
  expect(told({ log: { level: 'wran' } })).toEqual([
    'log.level: must be one of `silent`, `error`, `warn`, `info`, `debug`. Did you mean `warn`?',
  ]);
  expect(told(connections({ ...sound, scope: 'workspaces/computes/nb' }))[0]).toMatch(
    /Did you mean `workspace\/computes\/nb`\?$/,
  );
});

test('a misspelt setting of another kind is said to be that', () => {
  expect(told(connections({ ...sound, kind: 'web', rulez: [] }))).toEqual([
    'connections.tracker.rules: is missing.',
    'connections.tracker.rulez: there is no such setting. Did you mean `rules`?',
  ]);
  expect(told(connections({ ...sound, rulez: [] }))).toEqual([
    'connections.tracker.rulez: there is no such setting; `rules` is one of the kind `web` only.',
  ]);
});

test('a file that is not there is named together with mistakes of form, in the same connection and in others', () => {
  const credential = { value: { file: 'secrets/tracker' } };
  expect(
    told({
      tokens: { jobSeconds: 'soon' },
      connections: { one: { ...sound, credential }, two: { ...sound, scope: 5, credential } },
    }),
  ).toEqual([
    'tokens.jobSeconds: must be a number, not a text.',
    'connections.two.scope: must be a text, not a number.',
    expect.stringMatching(
      /^connections\.one\.credential\.value: the file secrets\/tracker is not there \(looked for at \/.*\)\.$/,
    ),
    expect.stringContaining('connections.two.credential.value: the file secrets/tracker is not there'),
  ]);
});

test.each([
  ['its listener', 'http://127.0.0.1:8443', {}],
  ['its listener, by name', 'https://localhost:8443/connections/other', {}],
  ['the host of a connection', 'https://other.localhost:8443', {}],
  ['its public address', 'https://lockstep.example', { publicUrl: 'https://lockstep.example' }],
  ['another port that it listens on', 'https://[::1]:9443', { listen: { port: 9443 } }],
])('an upstream that is Lockstep itself is refused: %s', (_what, upstream, more) => {
  expect(told({ ...more, ...connections({ ...sound, upstream }) })).toEqual([
    'connections.tracker.upstream: is the address of Lockstep itself: say that of the server behind it.',
  ]);
});

test.each([
  ['another port of this machine', 'http://127.0.0.1:8444', {}],
  ['the same port of another machine', 'https://tracker.example:8443', {}],
  [
    'the same port of loopback, where it listens elsewhere',
    'http://127.0.0.1:8443',
    { listen: { host: '10.0.0.5' } },
  ],
])('an upstream beside Lockstep is not taken for it: %s', (_what, upstream, more) => {
  expect(told({ ...more, ...connections({ ...sound, upstream }) })).toEqual([]);
});

test('a notebook server beneath a path of connections serves programs only, and is warned of', () => {
  const notebook = { ...sound, kind: 'jupyter' };
  expect(told(connections({ ...notebook, upstream: 'http://127.0.0.1:8888/connections/tracker' }))).toEqual([
    expect.stringMatching(
      /^warning connections\.tracker\.upstream: serves programs only.*tracker\.localhost/,
    ),
  ]);
  expect(told(connections({ ...notebook, upstream: 'http://127.0.0.1:8888' }))).toEqual([]);
  expect(told(connections({ ...sound, upstream: 'http://127.0.0.1:5000/connections/tracker' }))).toEqual([]);
});

test('whatever is wrong, wherever it is, is told in words of ours', () => {
  const wrong = [null, true, -1, 7.5, 1e15, '', 'ü ü', 'x'.repeat(10_000), [], [7], {}, { ü: 1 }];
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Node;
  let tried = 0;
  for (const place of placesIn(schema)) {
    for (const value of wrong) {
      const { problems = [] } = refusalOf(place(value)) ?? {};
      for (const { path, message } of problems) {
        tried++;
        expect(message, path).toMatch(
          /^(must|is|are|has|holds|there|nothing|a|an|the|another|whoever) ?.*[.]$/,
        );
        expect(message, path).not.toMatch(/expected|Invalid|Too |pattern|undefined|received/);
      }
    }
  }
  expect(tried).toBeGreaterThan(1000);
});

function refusalOf(config: unknown): ConfigError | null {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
  writeFileSync(join(home, 'config.json'), JSON.stringify(config));
  try {
    loadConfig({ home, environment: {} });
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

interface Node {
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly oneOf?: readonly Node[];
  readonly anyOf?: readonly Node[];
}

type Place = (value: unknown) => unknown;

/** Of every setting, how a value is put there; the kind of what surrounds it is right. */
function placesIn(node: Node, put: Place = (value) => value): Place[] {
  const { properties = {}, additionalProperties, items, oneOf = [], anyOf = [] } = node;
  const kind = properties['kind'] === undefined ? {} : { kind: properties['kind'].const };
  return [
    put,
    ...Object.entries(properties).flatMap(([name, member]) =>
      placesIn(member, (value) => put({ ...kind, [name]: value })),
    ),
    ...(typeof additionalProperties === 'object'
      ? placesIn(additionalProperties, (value) => put({ x: value }))
      : []),
    ...(items === undefined ? [] : placesIn(items, (value) => put([value]))),
    ...[...oneOf, ...anyOf].flatMap((shape) => placesIn(shape, put)),
  ];
}

test('an address with a credential in it is refused, and not repeated', () => {
  for (const upstream of ['http://ada:hunter2@127.0.0.1:5000', ['http://127.0.0.1:5000/?key=hunter2']]) {
    const said = told(connections({ ...sound, upstream }));
    expect(said).toEqual([
      expect.stringMatching(/^connections\.tracker\.upstream.*: an address has no credentials/),
    ]);
    expect(said.join()).not.toContain('hunter2');
  }
});

test('an empty file is no secret', () => {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
  const empty = join(home, 'empty');
  writeFileSync(empty, ' \n');
  expect(told(connections({ ...sound, credential: { value: { file: empty } } }))).toEqual([
    `connections.tracker.credential.value: the file ${empty} is empty.`,
  ]);
});

test('two connections of one name are told, for only the last would count', () => {
  const home = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
  const connection = JSON.stringify(sound);
  const text = `{"connections":{"a":${connection},"b":${connection},"a":${connection}}, "listen": {"prt": 1}}`;
  writeFileSync(join(home, 'config.json'), text);
  expect(() => loadConfig({ home, environment: {} })).toThrow(
    /2 problems[^]*connections\.a +stands there twice: only the last would count\.\n[^]*listen\.prt/,
  );
});
